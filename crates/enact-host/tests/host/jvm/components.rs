//! The execution context, and several components in one JVM.

use serde_json::json;

use super::machine::{Machine, compiled, example_jar, java_classes, prebuilt};
use super::{config, entry, refused};

#[test]
fn a_component_reads_its_state_and_answers_with_effects() {
    let Some(classes) = java_classes("context and effects") else { return };
    let mut operations = json!({
        "e.count": entry("sample.Effects", "count", &[("key", ""), ("context", "")]),
        "e.named": entry("sample.Effects", "count", &[("key", "")]),
        "e.describe": entry("sample.Effects", "describe", &[("about", "enact.context")]),
        "e.instances": entry("sample.Effects", "instances", &[]),
    });
    operations["e.count"]["effects"] = true.into();
    operations["e.named"]["effects"] = true.into();
    let mut machine = Machine::start(&config(&classes, &operations), &[]).unwrap();
    assert_eq!(machine.without_context, ["e.instances"]);
    for (operation, held) in [("e.count", json!(null)), ("e.named", json!(4))] {
        let call = machine.begin(operation, &json!({"key": "visits"}));
        for version in [false, true] {
            let asked = machine.receive();
            let request = asked["request"].clone();
            let expected =
                json!({"type": "state_get", "request": request, "call": call, "scope": "session", "key": "visits"});
            assert_eq!(asked, expected, "{version}");
            machine.send(&json!({"type": "context_ok", "request": request, "value": held, "version": 3}));
        }
        let answer = machine.receive();
        let count = held.as_i64().unwrap_or(0) + 1;
        let change = json!({"scope": "session", "set": "visits", "value": count, "if_version": 3});
        assert_eq!(answer["output"], json!({"output": {"count": count}, "state": [change]}), "{answer}");
    }
    let call = machine.begin("e.count", &json!({"key": "visits"}));
    let request = machine.receive()["request"].clone();
    machine.send(&json!({"type": "context_error", "request": request, "code": "refused", "message": "not yours"}));
    let answer = machine.receive();
    assert_eq!((&answer["id"], &answer["code"]), (&json!(call), &json!("failed")));
    assert!(answer["message"].as_str().unwrap().contains("state_get was refused: not yours"), "{answer}");

    let more = json!({"files": {"/document": "/tmp/scratch/a.pdf"}, "scratch": "/tmp/scratch"});
    machine.begin_with("e.describe", &json!({}), &more);
    assert_eq!(machine.receive(), json!({"type": "log", "message": "looking around"}));
    let asked = machine.receive();
    assert_eq!((&asked["type"], &asked["reference"]), (&json!("reference_get"), &json!("ref_1")));
    machine.send(&json!({"type": "context_ok", "request": asked["request"], "value": {"name": "a.pdf"}}));
    let expected = json!(["exe_1", {"/document": "/tmp/scratch/a.pdf"}, "/tmp/scratch", {"currency": "EUR"}, 5, {"name": "a.pdf"}]);
    assert_eq!(machine.receive()["output"], expected);
    assert_eq!(machine.output("e.instances", &json!({})), 1);
    assert_eq!(machine.output("e.instances", &json!({})), 2);
    // A cancel reaches a call that waits for its context.
    let call = machine.begin("e.count", &json!({"key": "visits"}));
    assert_eq!(machine.receive()["type"], "state_get");
    machine.send(&json!({"type": "cancel", "id": call, "reason": "cancel"}));
    assert_eq!(machine.receive()["code"], "cancelled");
}

#[test]
fn the_example_in_java_greets_and_counts_visits() {
    let Some(example) = example_jar("the example in Java") else { return };
    let mut operations = json!({
        "say.hello": entry("com.acme.Greeting", "hello", &[("name", "String"), ("times", "int")]),
        "say.visit": entry("com.acme.Greeting", "visit", &[("context", "enact.context")]),
    });
    operations["say.visit"]["effects"] = true.into();
    let mut machine = Machine::start(&config(&example, &operations), &[]).unwrap();
    let greeting = machine.output("say.hello", &json!({"name": "Ada", "times": 2}));
    assert_eq!(greeting, "Hello Ada! Hello Ada!");
    machine.begin("say.visit", &json!({}));
    for _ in 0..2 {
        let request = machine.receive()["request"].clone();
        machine.send(&json!({"type": "context_ok", "request": request, "value": 2, "version": 1}));
    }
    let change = json!({"scope": "session", "set": "visits", "value": 3, "if_version": 1});
    assert_eq!(machine.receive()["output"], json!({"output": {"visits": 3}, "state": [change]}));
}

const VERSION: &str = "package sample; public class Version { public static final String NAME = \"NUMBER\";
    public static String name() { return NAME; } }";

#[test]
fn two_components_in_one_jvm_have_their_own_versions_of_a_class() {
    let Some(classes) = java_classes("components that share a JVM") else { return };
    let (one, two) = (
        compiled("Version.java", &VERSION.replace("NUMBER", "1")),
        compiled("Version.java", &VERSION.replace("NUMBER", "2")),
    );
    let component = |folder: &std::path::Path| {
        let operations =
            json!({"v.name": entry("sample.Version", "name", &[]), "v.loader": entry("sample.Effects", "loader", &[])});
        json!({"classpath": [folder, classes], "operations": operations, "config": null})
    };
    let config = json!({"components": {"one": component(one.path()), "two": component(two.path())}});
    // The second version on the class path of the JVM would win if the parent were asked first.
    let also = format!("also:{}", two.path().display());
    let mut machine = Machine::start(&config, &[&also]).unwrap();
    machine.operations.sort();
    assert_eq!(machine.operations, ["one/v.loader", "one/v.name", "two/v.loader", "two/v.name"]);
    machine.without_context.sort();
    assert_eq!(machine.without_context, machine.operations);
    for (component, number) in [("one", "1"), ("two", "2")] {
        assert_eq!(machine.output(&format!("{component}/v.name"), &json!({})), number);
        assert_eq!(machine.output(&format!("{component}/v.loader"), &json!({})), number);
    }
}

#[test]
fn one_of_several_that_cannot_be_made_is_refused_and_the_others_are_called() {
    let Some(classes) = java_classes("a component that is refused") else { return };
    let component = |class: &str| json!({"classpath": [classes], "operations": {"v.m": entry(class, "loader", &[])}});
    let config =
        json!({"components": {"good@1.0.0": component("sample.Effects"), "bad@2.0.0": component("com.acme.Gone")}});
    let mut machine = Machine::start(&config, &[]).unwrap();
    assert_eq!(machine.operations, ["good@1.0.0/v.m"]);
    let why = "bad@2.0.0/v.m: there is no class com.acme.Gone on the class path";
    assert_eq!(machine.refused, json!({"bad@2.0.0": why}));
    let failure = machine.failure("bad@2.0.0/v.m", &json!({}), "unknown_operation");
    assert_eq!((&failure["exception"], &failure["message"]), (&json!("InitFailed"), &json!(why)));
    let failure = machine.failure("ugly@1.0.0/v.m", &json!({}), "unknown_operation");
    assert_eq!(failure["exception"], json!(null));
}

#[test]
fn a_component_alone_is_loaded_from_the_class_path_of_the_jvm() {
    let Some(classes) = java_classes("a component alone") else { return };
    let operations = json!({"v.loader": entry("sample.Effects", "loader", &[])});
    let number = compiled("Version.java", &VERSION.replace("NUMBER", "1"));
    let alone = json!({"classpath": [number.path(), classes], "operations": operations});
    let also = format!("also:{}:{}", number.path().display(), classes.display());
    let mut machine = Machine::start(&alone, &[&also]).unwrap();
    assert_eq!(machine.output("v.loader", &json!({})), "1");
}

#[test]
fn a_jar_that_is_none_or_too_new_is_named() {
    let Some(classes) = java_classes("jars that are none") else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.jar");
    std::fs::write(&text, "this is no archive").unwrap();
    let operations = json!({"a.a": entry("sample.Newer", "name", &[]), "a.b": entry("com.acme.Gone", "b", &[])});
    std::fs::create_dir(folder.path().join("sample")).unwrap();
    let mut newer = std::fs::read(classes.join("sample/Types.class")).unwrap();
    newer[7] = 99;
    std::fs::write(folder.path().join("sample/Newer.class"), newer).unwrap();
    let config = json!({"classpath": [folder.path(), text, "/nowhere/a.jar"], "operations": operations});
    let why = Machine::start(&config, &[]).err().expect("a refusal");
    for part in ["a.a: needs Java 55, and this is Java ", "there is no /nowhere/a.jar", "text.jar is no jar: "] {
        assert!(why.contains(part), "{part:?} is not in:\n{why}");
    }
    assert!(prebuilt().is_file());
}

#[test]
fn what_is_wrong_with_a_component_is_told_in_a_message_of_bounded_length() {
    let Some(classes) = java_classes("what is wrong, told briefly") else { return };
    let mut operations = json!({});
    for number in 0..300 {
        let key = format!("e.o{number}");
        operations[&key] = entry(&format!("sample.Nowhere{number}"), "count", &[]);
    }
    let why = refused(classes.clone(), operations.clone());
    assert!(why.starts_with("e.o0: there is no class sample.Nowhere0 on the class path\n"), "{why}");
    let (said, more) = why.rsplit_once("\nand ").unwrap();
    let more: usize = more.strip_suffix(" more").unwrap().parse().unwrap();
    assert_eq!(said.lines().count() + more, 300);
    assert!((3_000..5_000).contains(&why.len()), "{}", why.len());
    // A jar that has vanished comes first: what is not found in it follows from that.
    let gone = classes.join("gone".repeat(50)).join("gone".repeat(60)).join("gone.jar");
    let why = refused(gone.clone(), operations);
    assert!(why.starts_with(&format!("there is no {}\n", gone.display())), "{why}");
    assert!(why.ends_with(" more") && why.len() < 5_000, "{}", why.len());
}
