//! The worker side: frames over fd 0, a thread for each call.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enact_host::frames::{FrameReader, encode};
use enact_model::limits::FRAME_MAX_BYTES;
use serde_json::{Value, json};

type Wire = Arc<Mutex<UnixStream>>;

pub fn run(mode: &str) {
    let fd = std::io::stdin().as_fd().try_clone_to_owned().expect("fd 0 is the wire");
    let mut read = UnixStream::from(fd);
    let wire: Wire = Arc::new(Mutex::new(read.try_clone().expect("a socket can be cloned")));
    match mode {
        "silent" => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
        "dies" => {
            eprintln!("no licence");
            std::process::exit(5);
        }
        "slow" => std::thread::sleep(Duration::from_millis(400)),
        _ => {}
    }
    let nonce = std::env::var("ENACT_INSTANCE").unwrap_or_default();
    say(&wire, &json!({"type": "hello", "protocol": 1, "nonce": nonce, "runtime": "rust"}));
    let mut reader = FrameReader::new(FRAME_MAX_BYTES);
    let mut chunk = vec![0; 65536];
    let mut answers: Vec<Arc<Mutex<Option<Value>>>> = Vec::new();
    loop {
        while let Some(body) = reader.next_frame().expect("the hub sends frames") {
            let frame: Value = serde_json::from_slice(body).expect("a frame is JSON");
            match frame["type"].as_str().unwrap_or_default() {
                "init" if mode == "refuses" => say(&wire, &json!({"type": "init_error", "message": "no database"})),
                "init" if mode == "knows" => {
                    say(&wire, &json!({"type": "ready", "operations": ["probe.echo", "Sleep"]}))
                }
                "init" if mode == "without" => {
                    let ready = json!({"type": "ready", "operations": ["probe.frame", "probe.bare"], "without_context": ["probe.bare"]});
                    say(&wire, &ready);
                }
                "init" => say(&wire, &json!({"type": "ready", "operations": []})),
                "call" => {
                    let (wire, slot) = (wire.clone(), Arc::new(Mutex::new(None)));
                    answers.retain(|slot| Arc::strong_count(slot) > 1);
                    answers.push(slot.clone());
                    std::thread::spawn(move || call(&wire, &frame, &slot));
                }
                "context_ok" | "context_error" => {
                    for slot in &answers {
                        *slot.lock().expect("no call panics with it") = Some(frame.clone());
                    }
                }
                "drain" => return,
                _ => {}
            }
        }
        match read.read(&mut chunk) {
            Ok(count @ 1..) => reader.push(&chunk[..count]),
            _ => return,
        }
    }
}

fn say(wire: &Wire, frame: &Value) {
    raw(wire, &encode(frame.to_string().as_bytes(), usize::MAX).expect("it fits into 4 GiB"));
}

fn raw(wire: &Wire, bytes: &[u8]) {
    let _ = wire.lock().expect("no writer panics").write_all(bytes);
}

fn call(wire: &Wire, frame: &Value, slot: &Mutex<Option<Value>>) {
    let (id, argument) = (frame["id"].clone(), frame["argument"].clone());
    let ok = |output: &Value| say(wire, &json!({"type": "ok", "id": id, "output": output}));
    match frame["operation"].as_str().unwrap_or_default() {
        "echo" => ok(&argument),
        "frame" | "bare" => ok(frame),
        "secrets" => ok(&frame["context"]["secrets"]),
        "sleep" => {
            std::thread::sleep(Duration::from_millis(argument["ms"].as_u64().unwrap_or(0)));
            ok(&argument);
        }
        "typed-failure" => say(
            wire,
            &json!({"type": "error", "id": id, "code": "failed", "message": "the basket is empty",
                    "exception": "EmptyBasket", "stack": "at total", "detail": {"items": 0}}),
        ),
        "bad-argument" => {
            say(wire, &json!({"type": "error", "id": id, "code": "bad_argument", "message": "items must be a list"}));
        }
        "unknown" => say(wire, &json!({"type": "error", "id": id, "code": "unknown_operation", "message": ""})),
        "guarded-exit" => {
            say(wire, &json!({"type": "exiting", "culprits": [id], "in_flight": [], "message": "System.exit(3)"}));
            std::process::exit(3);
        }
        "cooperative" => {
            std::thread::sleep(Duration::from_millis(350));
            say(wire, &json!({"type": "error", "id": id, "code": "cancelled", "message": "stopped"}));
        }
        "late-reply" => {
            std::thread::sleep(Duration::from_millis(1500));
            ok(&json!("late"));
        }
        "big-reply" => {
            let (before, after) = (format!("{{\"type\":\"ok\",\"id\":{id},\"output\":\""), "\"}");
            let length = before.len() + (100 << 20) + after.len();
            raw(wire, &u32::try_from(length).expect("it is below 4 GiB").to_be_bytes());
            raw(wire, before.as_bytes());
            for _ in 0..100 {
                raw(wire, &[b'x'; 1 << 20]);
            }
            raw(wire, after.as_bytes());
        }
        "flood" => {
            super::flood(1 << 30);
            ok(&argument);
        }
        "header" => raw(wire, &u32::MAX.to_be_bytes()),
        "garbage" => raw(wire, b"\0\0\0\x08not json"),
        "half" => {
            raw(wire, &[0, 0, 1, 0, b'{']);
            std::process::exit(0);
        }
        "two-replies" => {
            ok(&json!(1));
            ok(&json!(2));
        }
        "stray-reply" => say(wire, &json!({"type": "ok", "id": 999_999, "output": 1})),
        "bad-effects" => ok(&json!({"output": 1, "stat": []})),
        "deep" => {
            let deep =
                format!("{{\"type\":\"ok\",\"id\":{id},\"output\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
            raw(wire, &encode(deep.as_bytes(), usize::MAX).expect("it fits"));
        }
        // Sends the request that its argument holds and answers with what came back.
        "ask" => {
            let mut request = argument;
            request["call"] = if request["call"].is_null() { id.clone() } else { request["call"].clone() };
            request["request"] = json!(1);
            say(wire, &request);
            loop {
                if let Some(answer) = slot.lock().expect("no reader panics").take() {
                    return ok(&answer);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        // Logs in every way there is, and answers after a while.
        "log" => {
            let text = argument["text"].as_str().unwrap_or_default();
            say(wire, &json!({"type": "log", "message": format!("{text} on the wire")}));
            println!("{text} on standard output");
            eprintln!("{text} on standard error");
            std::thread::sleep(Duration::from_millis(argument["ms"].as_u64().unwrap_or(0)));
            ok(&argument);
        }
        "log-and-break" => {
            say(wire, &json!({"type": "log", "message": argument}));
            raw(wire, b"\0\0\0\x08not json");
        }
        // Leaves a child in its process group that has none of its environment.
        "leave-child" => {
            let mut command = std::process::Command::new("/bin/sleep");
            command.env_clear().arg("1000");
            let child = command.spawn().expect("sleep starts");
            ok(&json!(child.id()));
        }
        // Leaves a child in a session of its own, and that one leaves another.
        "leave-session" => {
            let seconds = argument.as_str().unwrap_or_default();
            let script = format!("setsid sh -c 'sleep {seconds} & sleep {seconds}' </dev/null >/dev/null 2>&1 &");
            let _ = std::process::Command::new("sh").args(["-c", &script]).status();
            ok(&argument);
        }
        other => super::misbehave(other, &argument),
    }
}
