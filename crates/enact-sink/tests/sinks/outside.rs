//! What tools that others wrote make of the messages: their verifier of signatures, their reader of CloudEvents.

use std::process::Command;

use enact_runtime::sink::{DeliveryResult, Sink};
use enact_sink::webhook::WebhookSink;
use serde_json::json;

use crate::bad::message;
use crate::rig::{Rig as _, WebhookRig};
use crate::skip::skip;

const READER: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

given = json.load(sys.stdin)
headers, body = given["headers"], given["body"]
for secret in given["secrets"]:
    Webhook(secret).verify(body, headers)
try:
    Webhook(given["secrets"][0]).verify(body.replace("1250", "1251"), headers)
    sys.exit("a body that was altered is verified")
except WebhookVerificationError:
    pass
event = from_http_event(HTTPMessage(headers, body.encode()))
print(json.dumps({**event.get_attributes(), "data": event.get_data()}, default=str))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_of_standard_webhooks_and_the_reader_of_cloudevents_take_what_is_sent() {
    let Some(packages) = std::env::var_os("ENACT_TEST_READERS").filter(|folder| !folder.is_empty()) else {
        return skip(
            "the Python packages standardwebhooks and cloudevents are not here; `cargo xtask test` brings them",
        );
    };
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAAA"];
    let rig = WebhookRig::open().await.unwrap();
    let mut setup = rig.setup();
    for (number, secret) in secrets.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), secret).unwrap();
        setup
            .secrets
            .push(format!("file:{number}").parse::<enact_sink::secret::Secret>().unwrap().within(folder.path()));
    }
    let sent = message(7);
    assert_eq!(WebhookSink::new(setup).deliver(vec![sent.clone()]).await, [DeliveryResult::Delivered]);
    let request = rig.0.received().remove(0);
    assert_eq!(request.path, "/in");
    let given = json!({ "secrets": secrets, "headers": request.headers, "body": request.body });
    let file = folder.path().join("given.json");
    std::fs::write(&file, given.to_string()).unwrap();
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .args(["-c", READER])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sent = sent.message.cloud_event().to_value();
    for name in
        ["id", "source", "type", "subject", "datacontenttype", "enacttenant", "enactexecution", "partitionkey", "data"]
    {
        assert_eq!(read[name], sent[name], "{name}");
    }
}
