//! What a Redis server's answers mean: a receipt, something that passes, or something that an operator has to mend.

use enact_runtime::sink::DeliveryResult;
use redis::{ErrorKind, RedisError, ServerError, Value};

use crate::excerpt;
use enact_dial::Endpoint;
use enact_dial::connect::distrust;

/// Judges the answer to one entry; tells whether the connection leads to the wrong place and is to be made anew.
pub(super) fn judge(answer: Value) -> (DeliveryResult, bool) {
    let error = match answer {
        Value::ServerError(error) => error,
        _ => return (DeliveryResult::Delivered, false),
    };
    let code = error.code().to_owned();
    let details = error.details().unwrap_or_default();
    let reason = with_way_out(&code, details);
    // Not the state of the server but the entry itself is what it does not take.
    if code == "ERR" && (details.contains("too big") || details.contains("maximum allowed size")) {
        return (DeliveryResult::Poison { reason }, false);
    }
    let elsewhere =
        matches!(code.as_str(), "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN" | "NOAUTH" | "NOPERM");
    (DeliveryResult::Failed { reason, retry_after: None }, elsewhere)
}

/// Says why a server cannot be reached or does not let anybody in.
pub(super) fn unreachable(endpoint: &Endpoint, error: &RedisError) -> String {
    if error.kind() == ErrorKind::AuthenticationFailed {
        let said = excerpt(&error.to_string());
        return format!("{endpoint} does not let this user in: {said}; look at username and password of the sink");
    }
    match error.clone().into_server_errors().and_then(|errors| errors.first().cloned()) {
        Some((_, server)) => format!("{endpoint}: {}", with_way_out(server.code(), details(&server))),
        None => match distrust(&error.to_string()) {
            Some(why) => format!("{endpoint} is not trusted: {}; look at `ca` of the sink", excerpt(&why)),
            None => format!("{endpoint} cannot be reached: {}", excerpt(&error.to_string())),
        },
    }
}

fn details(error: &ServerError) -> &str {
    error.details().unwrap_or_default()
}

fn with_way_out(code: &str, details: &str) -> String {
    // To a command that it does not know, a server repeats what it was given, which may be a payload.
    let details = details.split(", with args").next().unwrap_or_default();
    let way_out = match code {
        "READONLY" => "; it is a replica: name its primary",
        "OOM" => "; give the server memory, or let `max_length` of the sink keep the stream short",
        "WRONGTYPE" => "; the key holds something else: name another stream, or remove it",
        "NOAUTH" | "WRONGPASS" | "NOPERM" => "; look at username and password of the sink",
        "MISCONF" => "; the server cannot write to its disk",
        _ => "",
    };
    format!("it answered {}{way_out}", excerpt(&format!("{code} {details}")))
}
