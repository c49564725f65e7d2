//! The examples that a newcomer copies, run as they are.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enact_host::conformance::{Target, TestPort, call_of, no_port};
use enact_host::contract::{CancelToken, Host, HostSeen};
use enact_model::descriptor::{Returns, Shape};
use enact_model::json::Json;
use enact_model::observation::FaultKind;

use crate::shapes::Bench;

fn example(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_worker_answers_fails_and_reads_its_state() {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|f| f.join("python3").is_file());
    if !found {
        let test = "example::the_python_worker_answers_fails_and_reads_its_state";
        return crate::jars::skip(test, "there is no python3 in the path");
    }
    let bench = Bench::new();
    let digest = bench.artifacts.put(&example("worker-python/worker.py"));
    let Target { component, service, operation, .. } =
        Target::worker("baskets", &["python3", "worker.py"], "total", 1, 4);
    let mut component = (*component).clone();
    let Shape::Process(shape) = &mut component.shape else { unreachable!("it is a process") };
    shape.files.insert("worker.py".to_owned(), digest);
    shape.start_timeout_ms = 20_000;
    let operations = component.services.get_mut(&service).unwrap();
    let mut count = operations[&operation].clone();
    count.returns = Returns::Effects;
    operations.insert("count".parse().unwrap(), count.clone());
    let mut more = component.clone();
    more.version = "2.0.0".to_owned();
    more.services.get_mut(&service).unwrap().insert("nothing".parse().unwrap(), count);
    let more = Arc::new(more);
    let target = Target { component: Arc::new(component), digest, service, operation };
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let invoke = async |operation: &str, argument: serde_json::Value| {
        let call = call_of(&target.at(operation), Json::of(&argument), Duration::from_secs(30));
        bench.host.invoke(call, Arc::new(TestPort::default()), CancelToken::never()).await.seen
    };
    let basket = serde_json::json!({"items": [{"cents": 250, "count": 2}, {"cents": 1}]});
    let HostSeen::Replied(reply) = invoke("total", basket).await else { panic!("a reply was expected") };
    assert_eq!(reply.output.as_str(), r#"{"cents":501}"#);
    let HostSeen::Fault(fault) = invoke("total", serde_json::json!({})).await else { panic!("a fault was expected") };
    assert_eq!((fault.kind, fault.evidence.exception.as_deref()), (FaultKind::BadArgument, Some("BadArgument")));
    let items = serde_json::json!({"items": [{}]});
    let HostSeen::Fault(fault) = invoke("total", items).await else { panic!("a fault was expected") };
    assert_eq!((fault.kind, fault.evidence.exception.as_deref()), (FaultKind::HandlerFailed, Some("KeyError")));
    let HostSeen::Replied(reply) = invoke("count", serde_json::json!({})).await else { panic!("a reply was expected") };
    let envelope = reply.envelope.unwrap();
    assert_eq!((reply.output.as_str(), envelope.state[0].if_version), (r#"{"count":1}"#, Some(0)));
    // A version with an operation that the program does not have is not begun at all.
    bench.host.start(more.clone(), digest).await.unwrap();
    let fault = bench.host.probe(&more.name, &more.version).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::InitRefused);
    assert!(fault.message.contains("does not know the operations nothing"), "{}", fault.message);
    bench.host.shutdown().await;
}

#[tokio::test]
async fn the_shell_program_counts_words_and_says_when_it_cannot() {
    let bench = Bench::new();
    let digest = bench.artifacts.put(&example("worker-shell/words.sh"));
    let document = bench.artifacts.put(b"three little words");
    let mut target = Target::oneshot("text", &["sh", "words.sh"], "count");
    let mut component = (*target.component).clone();
    let Shape::Process(shape) = &mut component.shape else { unreachable!("it is a process") };
    shape.files.insert("words.sh".to_owned(), digest);
    let operation = component.services.get_mut(&target.service).unwrap().get_mut(&target.operation).unwrap();
    let pointer = enact_model::descriptor::Pointer("/document".to_owned());
    operation.call.args = vec![enact_model::descriptor::Argument::File(pointer.clone())];
    target.component = Arc::new(component);
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let mut call = call_of(&target, Json::parse(r#"{"document":{}}"#).unwrap(), Duration::from_secs(10));
    let file = enact_host::contract::ResolvedFile {
        digest: document,
        name: "words.txt".to_owned(),
        media_type: "text/plain".to_owned(),
        size: 18,
    };
    call.files.insert(pointer, file);
    let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
    let HostSeen::Replied(reply) = &seen.seen else { panic!("{:?}", seen.seen) };
    assert_eq!(reply.output.as_str(), r#"{"words":3}"#);
}
