//! The Java side of the jar host, driven frame by frame: a real JVM at the other end of a socket.

mod components;
mod machine;
mod scala;
mod types;
mod vices;

use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{Machine, prebuilt};

/// Runs the assertions that are written in Java.
#[test]
fn conversions_hold_what_the_assertions_in_java_say() {
    let Some(classes) = machine::java_classes("the assertions in Java") else { return };
    let path = format!("{}:{}", prebuilt().display(), classes.display());
    let output = Command::new("java").args(["-cp", &path, "unit.Conversions"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
}

/// An entry of `init.config.operations`.
fn entry(class: &str, method: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let params: Vec<_> = params
        .iter()
        .map(|(name, hint)| match *hint {
            "" => serde_json::json!({"name": name}),
            hint => serde_json::json!({"name": name, "type": hint}),
        })
        .collect();
    let mut entry = serde_json::json!({"class": class, "method": method});
    if !params.is_empty() {
        entry["params"] = params.into();
    }
    entry
}

fn config(classes: &Path, operations: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"classpath": [classes], "operations": operations, "components": null, "config": {"currency": "EUR"}})
}

/// Returns why the operations cannot be resolved.
fn refused(classes: PathBuf, operations: serde_json::Value) -> String {
    match Machine::start(&config(&classes, &operations), &[]) {
        Ok(machine) => panic!("it is ready with {:?}", machine.operations),
        Err(why) => why,
    }
}
