//! Failures of calls: each is told to its own caller, and the calls beside it keep their answers.

use serde_json::{Value, json};

use super::machine::{Machine, java_classes};
use super::{config, entry};

fn machine(test: &str, options: &[&str]) -> Option<Machine> {
    let classes = java_classes(test)?;
    let mut operations = json!({});
    for method in
        "fails failsDeep failsHuge failsHugeBehind failsSwollen takesStreams nameless nan infinite endless thread badKey halfPair failedFuture never property noProperty \
                   missing cycle deeplyNested unguard exhaust waits opens readsInput hangingHook closesInput"
            .split_whitespace()
    {
        operations[format!("v.{method}")] = entry("sample.Vices", method, &[]);
    }
    for (method, parameter) in [
        ("deep", "depth"),
        ("big", "bytes"),
        ("echo", "text"),
        ("future", "value"),
        ("oldFuture", "value"),
        ("exit", "status"),
        ("halt", "status"),
        ("exitCaught", "status"),
        ("exitElsewhere", "status"),
        ("sleep", "ms"),
        ("threads", "count"),
        ("initialiser", "which"),
    ] {
        operations[format!("v.{method}")] = entry("sample.Vices", method, &[(parameter, "")]);
    }
    Some(Machine::start(&config(&classes, &operations), options).unwrap())
}

fn message(failure: &Value) -> &str {
    failure["message"].as_str().unwrap()
}

#[test]
fn an_exception_comes_with_its_class_its_message_and_a_bounded_stack() {
    let Some(mut machine) = machine("exceptions", &[]) else { return };
    let failure = machine.failure("v.fails", &json!({}), "failed");
    assert_eq!(failure["exception"], "java.lang.IllegalStateException");
    assert_eq!(message(&failure), "java.lang.IllegalStateException: it is broken");
    assert!(failure["stack"].as_str().unwrap().contains("at sample.Vices.fails(Vices.java:"));
    let failure = machine.failure("v.failsDeep", &json!({}), "failed");
    assert!(failure["stack"].as_str().unwrap().len() <= 8 * 1024 && message(&failure).len() < 5000);
    let failure = machine.failure("v.nameless", &json!({}), "failed");
    assert!(message(&failure).contains("sample.Vices$Nameless, which cannot be described"), "{failure}");
    let failure = machine.failure("v.missing", &json!({}), "failed");
    assert_eq!(failure["exception"], "java.lang.NoClassDefFoundError");
    let failure = machine.failure("v.deep", &json!({"depth": 0}), "failed");
    assert_eq!(failure["exception"], "java.lang.StackOverflowError");
    let failure = machine.failure("v.nowhere", &json!({}), "unknown_operation");
    assert_eq!(message(&failure), "there is no operation v.nowhere");
    assert_eq!(machine.output("v.echo", &json!({"text": "fine"})), "fine");
}

#[test]
fn a_message_that_fills_the_heap_is_cut_before_anything_is_made_of_it() {
    let Some(mut machine) = machine("huge messages", &["-Xmx128m"]) else { return };
    let failure = machine.failure("v.failsHuge", &json!({}), "failed");
    assert!(message(&failure).starts_with("java.lang.IllegalStateException: mmmm"), "{}", message(&failure).len());
    assert!(message(&failure).len() < 5000 && failure["stack"].as_str().unwrap().len() <= 8 * 1024);
    assert!(failure["stack"].as_str().unwrap().contains("at sample.Vices.failsHuge(Vices.java:"));
    let failure = machine.failure("v.failsHugeBehind", &json!({}), "failed");
    assert_eq!(message(&failure), "java.lang.IllegalStateException: in front");
    assert!(failure["stack"].as_str().unwrap().contains("Caused by: java.lang.IllegalArgumentException: mmmm"));
    let failure = machine.failure("v.failsSwollen", &json!({}), "failed");
    assert_eq!(failure["exception"], "sample.Vices$Swollen");
    assert!(message(&failure).ends_with("and there was no memory to say more of it"), "{failure}");
    // Nothing of it was an exhausted heap: the JVM goes on.
    assert_eq!(machine.output("v.echo", &json!({"text": "fine"})), "fine");
}

#[test]
fn an_exception_is_described_by_a_component_that_took_the_streams_away() {
    let Some(mut machine) = machine("taken streams", &[]) else { return };
    assert_eq!(machine.output("v.takesStreams", &json!({})), "taken");
    let failure = machine.failure("v.fails", &json!({}), "failed");
    assert_eq!(message(&failure), "java.lang.IllegalStateException: it is broken");
    assert!(failure["stack"].as_str().unwrap().contains("at sample.Vices.fails(Vices.java:"));
}

#[test]
fn a_result_that_json_cannot_hold_is_a_failure_with_a_place() {
    let Some(mut machine) = machine("results without a form", &[]) else { return };
    for (method, pointer, sentence) in [
        ("nan", "/a/1", "NaN, which is no number in JSON, at /a/1"),
        ("infinite", "", "Infinity"),
        ("cycle", "/a/1", "a cycle"),
        ("thread", "/0", "java.lang.Thread, which has no form in JSON, at /0"),
        ("noProperty", "", "java.lang.Object, which has no form"),
        ("badKey", "", "a map whose key is [I"),
    ] {
        let failure = machine.failure(&format!("v.{method}"), &json!({}), "failed");
        assert!(message(&failure).contains(sentence), "{method}: {failure}");
        assert_eq!(
            (&failure["detail"]["pointer"], &failure["exception"]),
            (&json!(pointer), &json!("UnwritableResult"))
        );
    }
    let failure = machine.failure("v.endless", &json!({}), "failed");
    assert_eq!(message(&failure), "the result has more than 16777216 bytes, the limit of a frame");
    assert_eq!(failure["exception"], "ResultTooLarge");
    let failure = machine.failure("v.deeplyNested", &json!({}), "failed");
    assert!(message(&failure).contains("nested deeper than 64 levels"), "{failure}");
    let failure = machine.failure("v.property", &json!({}), "failed");
    assert_eq!(failure["exception"], "java.lang.IllegalArgumentException");
    // A frame of the limit fits; a byte more does not, and neither does what would fill the heap as JSON.
    for (bytes, fits) in [(16 * 1024 * 1024 - 100, true), (16 * 1024 * 1024, false), (40 * 1024 * 1024, false)] {
        let answer = machine.call("v.big", &json!({"bytes": bytes}));
        assert_eq!(answer["type"] == "ok", fits, "{bytes}");
    }
    assert_eq!(machine.output("v.halfPair", &json!({})), "a\u{fffd}b");
}

#[test]
fn a_future_is_awaited_and_its_failure_is_its_own() {
    let Some(mut machine) = machine("futures", &[]) else { return };
    assert_eq!(machine.output("v.future", &json!({"value": 1})), 2);
    assert_eq!(machine.output("v.oldFuture", &json!({"value": 1})), 2);
    let failure = machine.failure("v.failedFuture", &json!({}), "failed");
    assert_eq!(message(&failure), "java.lang.IllegalStateException: later");
    let id = machine.begin("v.never", &json!({}));
    machine.send(&json!({"type": "cancel", "id": id, "reason": "deadline"}));
    assert_eq!(machine.receive()["code"], "cancelled");
}

#[test]
fn an_exit_is_an_outcome_of_its_call_and_the_calls_beside_it_keep_their_answers() {
    if crate::jars::without_exits_held("an_exit_is_an_outcome_of_its_call_and_the_calls_beside_it_keep_their_answers") {
        return;
    }
    let Some(mut machine) = machine("exits", &[]) else { return };
    let beside = machine.begin("v.waits", &json!({}));
    for (method, status) in [("exit", 3), ("halt", 4), ("exitCaught", 5)] {
        let failure = machine.failure(&format!("v.{method}"), &json!({"status": status}), "failed");
        assert_eq!(
            (&failure["detail"]["exit"], &failure["exception"]),
            (&json!(status), &json!("System.exit")),
            "{failure}"
        );
    }
    // On a thread that nobody knows the call of it only does not happen.
    assert_eq!(machine.output("v.exitElsewhere", &json!({"status": 6})), "went on");
    let failure = machine.failure("v.unguard", &json!({}), "failed");
    assert_eq!(failure["exception"], "java.lang.SecurityException");
    machine.begin("v.opens", &json!({}));
    let mut answers = [machine.receive(), machine.receive()];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!((&answers[0]["id"], &answers[0]["output"]), (&json!(beside), &json!("through")));
    // Alone it can be nobody else's.
    let failure = machine.failure("v.exitElsewhere", &json!({"status": 6}), "failed");
    assert_eq!(failure["detail"]["exit"], 6);
}

#[test]
fn where_an_exit_cannot_be_held_back_the_culprit_is_named_and_the_others_finish_first() {
    let Some(mut machine) = machine("exits without a guard", &["-Djava.security.manager=disallow"]) else { return };
    let beside = machine.begin("v.sleep", &json!({"ms": 300}));
    let culprit = machine.begin("v.exit", &json!({"status": 3}));
    let exiting = machine.receive();
    assert_eq!((&exiting["type"], &exiting["culprits"]), (&json!("exiting"), &json!([culprit])));
    let answer = machine.receive();
    assert_eq!((&answer["id"], &answer["output"]), (&json!(beside), &json!("slept")));
    assert!(machine.is_closed());
    assert_eq!(machine.ended().code(), Some(3));
}

#[test]
fn exits_are_held_back_from_the_first_answer_on_and_one_before_it_ends_the_process_after_the_others() {
    let later = "-Denact.exits.held=later";
    let Some(mut first) = machine("an exit in the first call", &[later]) else { return };
    let beside = first.begin("v.sleep", &json!({"ms": 300}));
    let culprit = first.begin("v.exit", &json!({"status": 3}));
    let exiting = first.receive();
    assert_eq!((&exiting["culprits"], &exiting["asked"]), (&json!([culprit]), &json!(true)));
    let answer = first.receive();
    assert_eq!((&answer["id"], &answer["output"]), (&json!(beside), &json!("slept")));
    assert!(first.is_closed());
    assert_eq!(first.ended().code(), Some(3));
    if crate::jars::without_exits_held("exits_are_held_back_from_the_first_answer_on") {
        return;
    }
    let Some(mut second) = machine("an exit in the second call", &[later]) else { return };
    assert_eq!(second.output("v.sleep", &json!({"ms": 0})), "slept");
    for (method, status) in [("exit", 3), ("halt", 4)] {
        let failure = second.failure(&format!("v.{method}"), &json!({"status": status}), "failed");
        assert_eq!(failure["detail"]["exit"], status);
    }
    assert_eq!(second.output("v.sleep", &json!({"ms": 0})), "slept");
}

#[test]
fn a_full_heap_fails_its_call_and_the_process_is_replaced_after_the_others() {
    let Some(mut machine) = machine("a full heap", &[]) else { return };
    let beside = machine.begin("v.waits", &json!({}));
    let culprit = machine.begin("v.exhaust", &json!({}));
    let failure = machine.receive();
    assert_eq!((&failure["id"], &failure["exception"]), (&json!(culprit), &json!("java.lang.OutOfMemoryError")));
    let exiting = machine.receive();
    assert_eq!((&exiting["type"], &exiting["culprits"]), (&json!("exiting"), &json!([culprit])));
    machine.begin("v.opens", &json!({}));
    let mut answers = [machine.receive(), machine.receive()];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!((&answers[0]["id"], &answers[0]["output"]), (&json!(beside), &json!("through")));
    assert!(machine.is_closed());
    assert!(machine.ended().success());
}

#[test]
fn a_cancel_interrupts_its_call_and_no_later_one() {
    let Some(mut machine) = machine("cancels", &[]) else { return };
    for _ in 0..20 {
        let id = machine.begin("v.sleep", &json!({"ms": 60_000}));
        machine.send(&json!({"type": "cancel", "id": id, "reason": "cancel"}));
        let answer = machine.receive();
        assert_eq!((&answer["id"], &answer["code"]), (&json!(id), &json!("cancelled")), "{answer}");
    }
    // A cancel that comes after the answer changes nothing for whoever has the thread then.
    for _ in 0..200 {
        let id = machine.begin("v.echo", &json!({"text": "a"}));
        machine.send(&json!({"type": "cancel", "id": id, "reason": "cancel"}));
        assert_eq!(machine.receive()["id"], id);
        assert_eq!(machine.output("v.sleep", &json!({"ms": 1})), "slept");
    }
}

#[test]
fn static_initialisers_throw_exit_and_sleep_in_the_call_that_met_them() {
    if crate::jars::without_exits_held("static_initialisers_throw_exit_and_sleep_in_the_call_that_met_them") {
        return;
    }
    let Some(mut machine) = machine("static initialisers", &[]) else { return };
    let failure = machine.failure("v.initialiser", &json!({"which": "Throws"}), "failed");
    assert_eq!(failure["exception"], "java.lang.ExceptionInInitializerError");
    assert!(failure["stack"].as_str().unwrap().contains("no static"), "{failure}");
    let failure = machine.failure("v.initialiser", &json!({"which": "Exits"}), "failed");
    assert_eq!(failure["detail"]["exit"], 4);
    let id = machine.begin("v.initialiser", &json!({"which": "Sleeps"}));
    assert_eq!(machine.output("v.echo", &json!({"text": "meanwhile"})), "meanwhile");
    machine.send(&json!({"type": "cancel", "id": id, "reason": "deadline"}));
    assert_eq!(machine.receive()["code"], "cancelled");
}

#[test]
fn the_end_of_the_wire_ends_the_process_whatever_runs() {
    let Some(mut machine) = machine("the end of the wire", &[]) else { return };
    assert_eq!(machine.output("v.hangingHook", &json!({})), "hung");
    assert_eq!(machine.output("v.threads", &json!({"count": 50})), "started");
    machine.begin("v.never", &json!({}));
    assert!(machine.close().success());
}

#[test]
fn a_component_that_closes_the_wire_ends_its_process() {
    let Some(mut machine) = machine("a closed wire", &[]) else { return };
    machine.begin("v.closesInput", &json!({}));
    assert!(machine.is_closed());
    assert_eq!(machine.ended().code(), Some(1));
}

#[test]
fn a_drain_waits_for_the_last_answer_and_not_for_a_hook_that_hangs() {
    let Some(mut machine) = machine("drain", &[]) else { return };
    assert_eq!(machine.output("v.hangingHook", &json!({})), "hung");
    let id = machine.begin("v.sleep", &json!({"ms": 200}));
    machine.send(&json!({"type": "drain"}));
    assert_eq!(machine.receive(), json!({"type": "exiting", "culprits": [], "message": "drained"}));
    assert_eq!(machine.receive(), json!({"type": "ok", "id": id, "output": "slept"}));
    assert!(machine.is_closed());
    assert!(machine.ended().success());
}

#[test]
fn sixteen_calls_run_at_once_and_each_gets_its_own_answer() {
    let Some(mut machine) = machine("calls at once", &[]) else { return };
    let mut open: Vec<u64> = (0..15).map(|_| machine.begin("v.waits", &json!({}))).collect();
    open.push(machine.begin("v.opens", &json!({})));
    for _ in 0..16 {
        let answer = machine.receive();
        let at = open.iter().position(|id| answer["id"] == *id).expect("an answer of its own");
        open.swap_remove(at);
    }
    machine.send(&json!({"type": "ping", "nonce": 7}));
    assert_eq!(machine.receive(), json!({"type": "pong", "nonce": 7}));
    machine.send(&json!({"type": "stats"}));
    let stats = machine.receive();
    assert_eq!((&stats["figures"]["calls"], &stats["figures"]["in_flight"]), (&json!(16), &json!(0)));
    assert_eq!(machine.output("v.readsInput", &json!({})), -1);
    // A kind of frame of a newer hub is passed over; what is no frame ends the process.
    machine.send(&json!({"type": "newer"}));
    assert_eq!(machine.output("v.echo", &json!({"text": "still"})), "still");
    machine.send_bytes(b"{\"type\"");
    assert!(machine.is_closed());
    assert_eq!(machine.ended().code(), Some(1));
}
