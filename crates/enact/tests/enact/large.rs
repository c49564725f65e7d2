//! Parameters far above their limit: each way in refuses them, says what to do, loses nothing and holds nothing of them.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::fake::text;
use super::hub::Store;
use super::wire::{caller, greeted_by, receive, send};

const MIB: usize = 1 << 20;

/// Makes parameters of so many bytes.
fn document(bytes: usize) -> String {
    let (head, tail) = ("{\"pad\": \"", "\"}");
    [head, &"x".repeat(bytes - head.len() - tail.len()), tail].concat()
}

/// Returns a figure of the memory of a process, in bytes.
fn memory(pid: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<usize>().unwrap() * 1024
}

#[test]
fn parameters_of_100_mib_are_refused_at_every_way_into_a_hub_and_cost_it_bounded_memory() {
    let store = Store::new();
    let file = store.path().join("large.json");
    let large = document(100 * MIB);
    std::fs::write(&file, &large).unwrap();
    let input = format!("@{}", file.display());
    // By hand: at a hub, and in process where there is none.
    let typed = || {
        let refused = store.run(&["run", "c.s.echo", "--input", &input]);
        let said = text(&refused.stderr);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(10), 0), "{said}");
        assert!(said.contains("it is larger than 16777216 bytes") && said.contains("enact artifact put"), "{said}");
    };
    typed();
    let hub = store.serve();
    typed();
    let kept = store.run(&["run", "c.s.echo", "--input", "{\"kept\": true}", "-q"]);
    assert_eq!(kept.status.code(), Some(0), "{}", text(&kept.stderr));
    let before = memory(hub.pid(), "VmHWM");

    // A frame above the limit, all of it sent: it is refused by its length, and nothing of it is held.
    let ask = |parameters: &str| {
        format!(
            r#"{{"ask": {{"caller": {}, "request": {{"submit": {{"draft": {{"intent_type": "c.s.echo", "parameters": {parameters}}}, "wait_ms": 0}}}}}}}}"#,
            serde_json::to_string(&caller()).unwrap()
        )
    };
    let connect = || {
        let stream = greeted_by(store.path());
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let frame = ask(&large);
    for _ in 0..3 {
        let mut stream = connect();
        stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
        // The hub may hang up before all of it is there.
        let _ = stream.write_all(frame.as_bytes());
        let refused = receive(&mut stream);
        let conclusion = &refused["refused"]["conclusion"];
        assert!(conclusion["message"].as_str().unwrap().ends_with("bytes are more than 37748736"), "{refused}");
        assert!(conclusion["hint"].as_str().unwrap().contains("by reference"), "{refused}");
    }
    let grown = memory(hub.pid(), "VmHWM").saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes were held of what is refused by its length");

    // Parameters above their limit in a frame that is not: a rejection, with its id, a digest and an excerpt.
    let frame = ask(&document(20 * MIB));
    let reject = |times: usize| {
        for _ in 0..times {
            let mut stream = connect();
            stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
            stream.write_all(frame.as_bytes()).unwrap();
            let answer = receive(&mut stream);
            let faults = &answer["response"]["rejected"]["faults"];
            assert!(faults[0]["message"].as_str().unwrap().contains("it is larger than 16777216 bytes"), "{answer}");
            assert!(faults[0]["hint"].as_str().unwrap().contains("by reference"), "{answer}");
            assert!(answer.to_string().len() < 32 * 1024, "an excerpt is kept");
            send(&mut stream, &json!({ "ask": { "caller": caller(), "request": "status" } }));
            assert!(receive(&mut stream)["response"]["status"].is_object(), "the connection goes on");
        }
        memory(hub.pid(), "VmRSS")
    };
    // What the allocator keeps at hand after one of them does for all that follow.
    let few = reject(5);
    let grown = reject(15).saturating_sub(few);
    assert!(grown < 64 * MIB, "{grown} bytes more are held after 15 more of 20 MiB");

    // Nothing is lost, nothing of it ran, and what was rejected can be asked for.
    let after = store.run(&["run", "c.s.echo", "--input", "7"]);
    assert_eq!((text(&after.stdout).trim(), after.status.code()), ("7", Some(0)), "{}", text(&after.stderr));
    let kinds = |kind: &str| {
        let shown = text(&store.run(&["wal", "show", "--kind", kind, "--json"]).stdout);
        shown.matches(&format!("\"{kind}\"")).count()
    };
    assert_eq!((kinds("IntentAccepted"), kinds("IntentRejected")), (2, 20));
    assert_eq!(store.run(&["wal", "replay", "--verify"]).status.code(), Some(0));
}
