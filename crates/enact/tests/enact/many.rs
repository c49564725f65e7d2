//! Commands to many executions on the command line: which were reached, who asked and why, and which refused.

use std::process::Output;

use serde_json::Value;

use super::fake::text;
use super::hub::Store;

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// Runs a command that must do well, and returns its document.
fn good(store: &Store, args: &[&str]) -> Value {
    let ran = store.run(&[args, &["--json"]].concat());
    assert_eq!(ran.status.code(), Some(0), "{args:?}: {}{}", text(&ran.stdout), text(&ran.stderr));
    json(&ran)
}

fn begin(store: &Store, operation: &str, count: usize) -> Vec<String> {
    let ids = (0..count).map(|_| text(&store.run(&["run", operation, "--no-wait"]).stdout).trim().to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

/// How one ended, once it has.
fn outcome(store: &Store, id: &str) -> String {
    store.run(&["execution", "outcome", id, "--wait", "20s"]);
    let shown = good(store, &["execution", "list", "--state", "settled", "--limit", "1000"]);
    let all = shown["items"].as_array().unwrap();
    let found = all.iter().find(|item| item["execution"]["id"] == id).unwrap_or_else(|| panic!("{id}: {shown}"));
    found["execution"]["outcome"].as_object().unwrap().keys().next().unwrap().clone()
}

/// Somebody said this with a command to it, in its records and to whoever audits it.
fn is_told(store: &Store, id: &str, reason: &str) {
    for (question, items) in [("records", "/items"), ("audit", "/items")] {
        let told = good(store, &["execution", question, id]);
        let all = told.pointer(items).unwrap().as_array().unwrap();
        let said = all.iter().find(|item| item.to_string().contains(reason));
        let said = said.unwrap_or_else(|| panic!("{question} of {id}: {told}"));
        assert_eq!(said["actor"], "cli:ada", "{said}");
    }
}

#[test]
fn many_are_cancelled_and_retried_with_a_reason_that_stands_with_each() {
    let store = Store::new();
    let _hub = store.serve();
    let ids = begin(&store, "c.s.never", 3);
    assert_eq!(store.run(&["run", "c.s.echo", "-q"]).status.code(), Some(0));
    // Nobody commands many without a word.
    assert_eq!(store.run(&["execution", "cancel-all", "--selector", "c.s.never"]).status.code(), Some(2));
    let two = ["execution", "cancel-all", "--selector", "c.s.never", "--reason", "closing time", "--limit", "2"];
    let report = good(&store, &two);
    assert_eq!(
        (&report["matched"], &report["done"], &report["more"], report["not_done"].as_array().map(Vec::len)),
        (&2.into(), &2.into(), &true.into(), Some(0)),
        "{report}"
    );
    // The newest come first, and the one that is left is done by the next.
    for id in &ids[1..] {
        assert_eq!(outcome(&store, id), "cancelled");
    }
    let rest = store.run(&two);
    assert_eq!(rest.status.code(), Some(0), "{}", text(&rest.stderr));
    assert!(text(&rest.stdout).contains("1 of 1"), "{}", text(&rest.stdout));
    assert_eq!(outcome(&store, &ids[0]), "cancelled");
    for id in &ids {
        is_told(&store, id, "closing time");
    }

    let again =
        ["execution", "retry-all", "--selector", "c.s.never", "--outcome", "cancelled", "--reason", "opening time"];
    let report = good(&store, &again);
    assert_eq!((&report["matched"], &report["done"]), (&3.into(), &3.into()), "{report}");
    let open = good(&store, &["execution", "list", "--open"]);
    let mut of: Vec<String> = open["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["execution"]["retry_of"].as_str().unwrap().to_owned())
        .collect();
    of.sort();
    assert_eq!(of, ids);
    // Once more repeats nothing twice.
    assert_eq!(good(&store, &again)["matched"], 0);
    let none = good(&store, &["execution", "cancel-all", "--selector", "c.s.echo", "--reason", "nothing runs"]);
    assert_eq!(none["matched"], 0);
}

#[test]
fn those_that_may_have_run_are_told_and_left_unless_somebody_takes_that_upon_himself() {
    let store = Store::new();
    let _hub = store.serve();
    let ids = begin(&store, "c.s.long", 2);
    // Both run, so that nobody knows what they came to.
    while good(&store, &["execution", "list", "--state", "running"])["items"].as_array().unwrap().len() < 2 {}
    good(&store, &["execution", "cancel-all", "--selector", "c.s.long", "--reason", "wrong folder"]);
    for id in &ids {
        store.run(&["execution", "outcome", id, "--wait", "20s"]);
    }
    let again = ["execution", "retry-all", "--selector", "c.s.long", "--reason", "checked by hand"];
    let report = good(&store, &again);
    let mut refused: Vec<&str> =
        report["not_done"].as_array().unwrap().iter().map(|one| one["execution"].as_str().unwrap()).collect();
    refused.sort_unstable();
    assert_eq!(
        (&report["matched"], &report["done"], refused),
        (&2.into(), &0.into(), ids.iter().map(String::as_str).collect())
    );
    let shown = text(&store.run(&again).stdout);
    assert!(ids.iter().all(|id| shown.contains(id.as_str())) && shown.contains("may have run"), "{shown}");
    let report = good(&store, &[&again[..], &["--confirm-may-have-run"]].concat());
    assert_eq!(
        (&report["matched"], &report["done"], &report["not_done"]),
        (&2.into(), &2.into(), &Value::Array(Vec::new()))
    );
}
