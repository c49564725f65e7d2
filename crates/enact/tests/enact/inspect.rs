//! `enact component inspect` as it is typed: what it prints is a descriptor that `check` takes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::fake::{enact, text};

const JAVA: &str = "package com.acme;\npublic class Quote {\n  public enum Size { SMALL, LARGE }\n  \
    public static long total(java.util.List<String> items, java.util.Map<String, Integer> rates) { return 0; }\n  \
    public static int sum(int... numbers) { return 0; }\n  public static int sum(String text) { return 0; }\n  \
    public static int sum() { return 0; }\n  \
    public static <T> T same(T it) { return it; }\n  public java.util.Optional<Size> find(Size size) { return null; }\n  \
    public static void main(String[] args) { System.exit(3); }\n}\n";

fn skip(test: &str, reason: &str) {
    println!("skipped  {test}: {reason}");
    if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}\t{reason}").unwrap();
    }
}

pub fn has_javac(test: &str) -> bool {
    let told_not = std::env::var("ENACT_TEST_JAVA").is_ok_and(|told| told == "0");
    let here = !told_not && Command::new("javac").arg("-version").output().is_ok_and(|it| it.status.success());
    if !here {
        skip(test, "there is no javac on this machine");
    }
    here
}

/// A folder in which jars and their descriptors stand.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn run(&self, args: &[&str]) -> Output {
        let mut command = enact(&self.0.path().join("store"), args);
        command.current_dir(self.0.path()).env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap()
    }
    fn jar(&self, name: &str) -> PathBuf {
        let source = self.0.path().join("Quote.java");
        std::fs::write(&source, JAVA).unwrap();
        let classes = self.0.path().join("classes");
        let run = |command: &mut Command| assert!(command.status().unwrap().success());
        run(Command::new("javac").args(["-g", "--release", "11", "-d"]).arg(&classes).arg(&source));
        let jar = self.0.path().join(name);
        run(Command::new("jar").arg("--create").arg("--file").arg(&jar).arg("-C").arg(&classes).arg("."));
        jar
    }
    /// Inspects jars, checks what was printed, and returns it.
    fn inspect_and_check(&self, args: &[&str]) -> String {
        let mut all = vec!["component", "inspect"];
        all.extend(args);
        let inspected = self.run(&all);
        assert_eq!(inspected.status.code(), Some(0), "{}", text(&inspected.stderr));
        std::fs::write(self.0.path().join("component.yaml"), &inspected.stdout).unwrap();
        let checked = self.run(&["component", "check", "component.yaml"]);
        let printed = text(&inspected.stdout);
        assert_eq!(checked.status.code(), Some(0), "{}\n{printed}", text(&checked.stderr));
        printed
    }
}

#[test]
fn what_inspect_prints_passes_check() {
    if !has_javac("enact::inspect::what_inspect_prints_passes_check") {
        return;
    }
    let bench = Bench::new();
    bench.jar("quote-1.4.jar");
    let printed = bench.inspect_and_check(&["quote-1.4.jar"]);
    for part in [
        "component: quote\nversion: 1.4.0\n",
        "kind: command",
        "run: com.acme.Quote",
        "sum-int-array",
        "sum-string",
        "    sum:",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    let printed =
        bench.inspect_and_check(&["quote-1.4.jar", "--kind", "query", "--method", "total", "--class", "Quote"]);
    assert!(printed.contains("kind: query") && !printed.contains("sum"), "{printed}");
    let printed = bench.inspect_and_check(&["quote-1.4.jar", "--limit", "2"]);
    assert!(printed.contains("# 5 more operations were found beside these 2."), "{printed}");
}

#[test]
fn what_is_printed_of_the_collections_of_scala_passes_check() {
    let test = "enact::inspect::what_is_printed_of_the_collections_of_scala_passes_check";
    let library =
        std::env::var_os("SCALA_LIBRARY").map_or_else(|| "/usr/share/java/scala-library.jar".into(), PathBuf::from);
    if !library.is_file() {
        return skip(test, "there is no library of Scala on this machine");
    }
    if !has_javac(test) {
        return;
    }
    let bench = Bench::new();
    std::fs::copy(library, bench.0.path().join("scala-library.jar")).unwrap();
    let all = ["scala-library.jar", "--package", "scala.collection", "--limit", "1000"];
    let printed = bench.inspect_and_check(&all);
    assert!(printed.matches("kind: command").count() > 500, "{printed}");
}

#[test]
fn warnings_stand_on_standard_error_and_every_fact_in_json() {
    if !has_javac("enact::inspect::warnings_stand_on_standard_error_and_every_fact_in_json") {
        return;
    }
    let bench = Bench::new();
    bench.jar("quote.jar");
    let told = text(&bench.run(&["component", "inspect", "quote.jar"]).stderr);
    assert!(told.contains("System.exit ends the whole JVM") && told.contains("com.acme.Quote.main"), "{told}");
    let quiet = bench.run(&["component", "inspect", "quote.jar", "--quiet"]);
    assert_eq!((text(&quiet.stderr).as_str(), quiet.status.code()), ("", Some(0)));
    let json = bench.run(&["component", "inspect", "quote.jar", "--json"]);
    let facts: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(facts["exits"][0]["method"], "main");
    assert_eq!(facts["java"]["whole"], 11);
    assert_eq!(facts["operations"].as_array().unwrap().len(), 6);
    assert!(facts["descriptor"].as_str().unwrap().contains("component: quote"));
}

#[test]
fn what_cannot_be_inspected_is_to_be_fixed_by_the_caller() {
    let bench = Bench::new();
    std::fs::write(bench.0.path().join("text.jar"), "hello").unwrap();
    for (args, part) in [
        (vec!["text.jar"], "it is not a zip file, and so not a jar"),
        (vec!["none.jar"], "No such file"),
        (vec!["."], "it is a folder"),
    ] {
        let mut all = vec!["component", "inspect"];
        all.extend(args);
        let refused = bench.run(&all);
        assert!(text(&refused.stderr).contains(part), "{}", text(&refused.stderr));
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(10), 0));
    }
    assert_eq!(bench.run(&["component", "inspect"]).status.code(), Some(2));
    assert!(!bench.0.path().join("store").exists(), "nothing is opened for it");
}

#[test]
fn the_whole_api_of_a_fat_jar_that_somebody_else_made_passes_check() {
    let test = "enact::inspect::the_whole_api_of_a_fat_jar_that_somebody_else_made_passes_check";
    let Some(folder) = std::env::var_os("ENACT_TEST_FIXTURES") else {
        return skip(test, "the fixtures were not fetched");
    };
    if !has_javac(test) {
        return;
    }
    let bench = Bench::new();
    let name = "tabula-1.0.5-jar-with-dependencies.jar";
    std::fs::copy(Path::new(&folder).join(name), bench.0.path().join(name)).unwrap();
    let printed = bench.inspect_and_check(&[name, "--limit", "300"]);
    assert!(
        printed.contains("method: parsePagesOption") && !printed.contains(" more operations were found"),
        "{printed}"
    );
}
