//! The socket by itself: who may open it, what is refused, what a lost client leaves behind.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use enact_cli::socket::address::SOCKET_NAME;
use enact_cli::socket::client::{Client, ClientError};
use enact_cli::socket::server::Server;
use enact_runtime::api::{Caller, Reach, Request, Response, Role};
use serde_json::{Value, json};

use super::fake::Running;

fn hub() -> Running {
    Running::new(|_| Response::Done { message: "noted".into() })
}

pub fn caller() -> Caller {
    Caller::new("default".parse().unwrap(), "test", Role::Admin)
}

pub fn send(stream: &mut UnixStream, value: &Value) {
    let bytes = serde_json::to_vec(value).unwrap();
    stream.write_all(&(bytes.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
}

pub fn receive(stream: &mut UnixStream) -> Value {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn connect(hub: &Running) -> UnixStream {
    connect_to(hub.store())
}

fn connect_to(store: &Path) -> UnixStream {
    let stream = UnixStream::connect(store.join(SOCKET_NAME)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn greeted(hub: &Running) -> UnixStream {
    greeted_by(hub.store())
}

/// A connection to the hub that holds a store, after the hellos.
pub fn greeted_by(store: &Path) -> UnixStream {
    let mut stream = connect_to(store);
    send(&mut stream, &json!({ "hello": { "protocol": 1, "release": "x", "pid": 1 } }));
    assert_eq!(receive(&mut stream)["hello"]["protocol"], 1);
    stream
}

fn ended(stream: &mut UnixStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0))
}

#[test]
fn nobody_but_its_user_may_open_the_socket() {
    let hub = hub();
    let mode = std::fs::metadata(hub.store().join(SOCKET_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_question_gets_its_answer_and_then_the_next_one() {
    let hub = hub();
    let mut stream = greeted(&hub);
    for _ in 0..3 {
        send(&mut stream, &json!({ "ask": { "caller": caller(), "request": "status" } }));
        assert_eq!(receive(&mut stream)["response"]["done"]["message"], "noted");
    }
}

#[test]
fn whoever_may_open_the_socket_reaches_the_whole_hub_with_every_tenant_and_nobody_says_so_themselves() {
    let hub = hub();
    let mut stream = greeted(&hub);
    let acme = Caller::new("acme".parse().unwrap(), "test", Role::Admin);
    send(&mut stream, &json!({ "ask": { "caller": acme, "request": "status" } }));
    receive(&mut stream);
    let (asked, _) = hub.fake.asked.lock().unwrap().pop().unwrap();
    assert_eq!((acme.reach, &asked.tenant, asked.reach), (Reach::Tenant, &acme.tenant, Reach::Hub));
    assert!(!json!(asked).to_string().contains("reach"), "it is not sent: {}", json!(asked));
}

#[test]
fn another_protocol_is_refused_by_name() {
    let hub = hub();
    let mut stream = connect(&hub);
    send(&mut stream, &json!({ "hello": { "protocol": 9, "release": "later", "pid": 1 } }));
    let refused = receive(&mut stream);
    let message = refused["refused"]["conclusion"]["message"].as_str().unwrap();
    assert!(message.contains("speaks protocol 1, not 9"), "{message}");
    assert!(ended(&mut stream));
}

#[test]
fn a_frame_above_the_limit_and_one_that_is_no_question_are_refused_and_end_the_connection() {
    let hub = hub();
    let mut stream = greeted(&hub);
    stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    assert!(receive(&mut stream)["refused"]["conclusion"]["message"].as_str().unwrap().contains("are more than"));
    assert!(ended(&mut stream));
    for wrong in [json!({ "ask": { "caller": caller(), "request": "no_such_thing" } }), json!("x")] {
        let mut stream = greeted(&hub);
        send(&mut stream, &wrong);
        assert!(receive(&mut stream)["refused"].is_object());
        assert!(ended(&mut stream));
    }
    let mut stream = connect(&hub);
    send(&mut stream, &json!({ "ask": { "caller": caller(), "request": "status" } }));
    assert!(receive(&mut stream)["refused"]["conclusion"]["message"].as_str().unwrap().contains("must be a hello"));
}

#[test]
fn one_that_waits_holds_up_nobody_else() {
    let hub = hub();
    let mut waits = greeted(&hub);
    let execution = enact_model::id::ExecutionId::from_parts(1, 1);
    send(
        &mut waits,
        &json!({ "ask": { "caller": caller(), "request": { "await": { "execution": execution, "wait_ms": 60_000 } } } }),
    );
    let mut stream = greeted(&hub);
    send(&mut stream, &json!({ "ask": { "caller": caller(), "request": "status" } }));
    assert!(receive(&mut stream)["response"].is_object());
}

#[test]
fn a_socket_that_a_dead_hub_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET_NAME)).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(matches!(Client::connect(folder.path()).await, Err(ClientError::NoHub)));
        let _server = Server::bind(folder.path()).unwrap();
        UnixStream::connect(folder.path().join(SOCKET_NAME)).unwrap();
    });
}

#[test]
fn a_hub_that_ends_takes_its_socket_away() {
    let hub = hub();
    let ask = async { Client::connect(hub.store()).await.unwrap().ask(&caller(), Request::Status).await };
    assert!(matches!(hub.runtime.block_on(ask), Ok(Response::Done { .. })));
    hub.end();
    while hub.store().join(SOCKET_NAME).exists() {
        std::thread::yield_now();
    }
    let again = hub.runtime.block_on(Client::connect(hub.store()));
    assert!(matches!(again, Err(ClientError::NoHub)));
}
