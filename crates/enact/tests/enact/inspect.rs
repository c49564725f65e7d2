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

pub fn skip(test: &str, reason: &str) {
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

const AWKWARD: &str = "package com.acme;\nimport java.util.*;\npublic class Awkward extends java.io.InputStream {\n  \
    public int read() { return 0; }\n  public static <T extends Comparable<T>> boolean sorted(T[] of) { return true; }\n  \
    public static boolean sorted(int[] of) { return true; }\n  \
    public static <E extends Enum<E>> int enums(Map<E, String> of) { return 0; }\n  \
    public static int classes(Map<Class<?>, String> of) { return 0; }\n  \
    public static int waits(java.util.concurrent.Future<String> of) { return 0; }\n  \
    public static class Null { public int no() { return 0; } public static int yes() { return 0; } }\n  \
    public static class Top { public static void drop(ClassLoader of) {} public int pick(String text) { return 0; } }\n  \
    public static class Below extends Top { public void drop() {} public int pick(int[] of) { return 0; } }\n}\n";

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
        self.jar_of(name, "Quote", JAVA)
    }
    fn jar_of(&self, name: &str, class: &str, text: &str) -> PathBuf {
        let source = self.0.path().join(format!("{class}.java"));
        std::fs::write(&source, text).unwrap();
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
fn what_is_printed_of_awkward_names_bounds_and_overloads_passes_check() {
    if !has_javac("enact::inspect::what_is_printed_of_awkward_names_bounds_and_overloads_passes_check") {
        return;
    }
    let bench = Bench::new();
    bench.jar_of("awkward.jar", "Awkward", AWKWARD);
    let printed = bench.inspect_and_check(&["awkward.jar"]);
    for part in
        ["\n  \"null\":\n", "    \"no\":\n", "    \"yes\":\n", "method: pick, params: [", "method: read, params: [] }"]
    {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    for left_out in ["method: drop, params: [] }", "method: waits", "method: classes", "method: enums"] {
        assert!(!printed.contains(left_out), "{left_out}\n{printed}");
    }
}

#[test]
fn what_is_printed_of_the_libraries_of_this_machine_passes_check() {
    let test = "enact::inspect::what_is_printed_of_the_libraries_of_this_machine_passes_check";
    if !has_javac(test) {
        return;
    }
    for name in ["jcl-over-slf4j.jar", "commons-lang3.jar", "commons-io.jar", "guava.jar"] {
        let library = Path::new("/usr/share/java").join(name);
        if !library.is_file() {
            skip(test, &format!("{} is not installed", library.display()));
            continue;
        }
        let bench = Bench::new();
        std::fs::copy(library, bench.0.path().join(name)).unwrap();
        bench.inspect_and_check(&[name, "--limit", "1000"]);
    }
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
    assert!(told.contains("System.exit is the outcome of its call") && told.contains("com.acme.Quote.main"), "{told}");
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
