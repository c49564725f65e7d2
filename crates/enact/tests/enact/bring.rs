//! Jars as a user brings them: what is missing in a descriptor is told by the check, and what inspect prints is called.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::fake::text;
use super::inspect::{has_javac, skip};
use super::jar::{jvms, run, serve};

/// A class with parameters that the class file does not tell enough about: one whose elements Scala's compiler erased, and
/// an interface.
const UNSAID: &str = "package sample; public class Unsaid { public interface Shape { double area(); } \
    public static class Square implements Shape { public double side; public double area() { return side * side; } } \
    public static double area(Shape shape) { return shape.area(); } }";
const ERASED: &str = "package sample; public class Erased { \
    public static int sum(scala.collection.immutable.List<Object> values) { int sum = 0; \
    for (scala.collection.Iterator<Object> i = values.iterator(); i.hasNext();) sum += (Integer) i.next(); return sum; } }";

#[test]
fn a_hint_that_is_missing_is_a_fault_of_the_check_and_stands_beside_the_others() {
    let test = "enact::bring::a_hint_that_is_missing_is_a_fault_of_the_check_and_stands_beside_the_others";
    if !has_javac(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let library = std::env::var("SCALA_LIBRARY").unwrap_or_else(|_| "/usr/share/java/scala-library.jar".to_owned());
    let scala = Path::new(&library).is_file();
    std::fs::write(folder.join("Unsaid.java"), UNSAID).unwrap();
    let mut operations = vec![("area", "Unsaid", "shape", "Square", r#"{"shape": {"side": 3}}"#, "9.0")];
    let mut sources = vec!["Unsaid.java"];
    let mut paths = "unsaid.jar".to_owned();
    if scala {
        std::fs::write(folder.join("Erased.java"), ERASED).unwrap();
        std::fs::copy(&library, folder.join("library.jar")).unwrap();
        operations.push(("sum", "Erased", "values", "List[Int]", r#"{"values": [1, 2]}"#, "3"));
        sources.push("Erased.java");
        paths.push_str(", library.jar");
    } else {
        skip(test, "there is no library of Scala on this machine, so what its compiler erases was left out");
    }
    let javac = ["--release", "8", "-nowarn", "-Xlint:-options", "-cp", "library.jar", "-d", "unsaid"];
    for (program, args) in
        [("javac", [&javac[..], &sources].concat()), ("jar", vec!["cf", "unsaid.jar", "-C", "unsaid", "."])]
    {
        let made = Command::new(program).current_dir(folder).args(args).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let describe = |hinted: bool| {
        let mut all = format!("component: unsaid\nversion: 1.0.0\njar: {{ paths: [{paths}] }}\nservices:\n  s:\n");
        for (operation, class, parameter, hint, ..) in &operations {
            let hint = if hinted { format!(", type: \"{hint}\"") } else { String::new() };
            let params = format!("[{{ name: {parameter}{hint} }}]");
            let call = format!("{{ class: sample.{class}, method: {operation}, params: {params} }}");
            all.push_str(&format!("    {operation}: {{ kind: query, call: {call} }}\n"));
        }
        std::fs::write(folder.join("component.yaml"), all).unwrap();
    };
    describe(false);
    let checked = run(folder, &["component", "check", ".", "-q"]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(10), "{said}");
    assert!(said.contains("s.area: shape: sample.Unsaid$Shape is abstract") && said.contains("by a hint"), "{said}");
    if scala {
        assert!(said.contains("s.sum: values: ") && said.contains("such as type: \"List[Int]\""), "{said}");
    }
    describe(true);
    for command in ["check", "add"] {
        let done = run(folder, &["component", command, "."]);
        assert_eq!(done.status.code(), Some(0), "{command}: {}", text(&done.stderr));
    }
    for (operation, .., input, output) in &operations {
        let ran = run(folder, &["run", &format!("unsaid.s.{operation}"), "--input", input]);
        assert_eq!((text(&ran.stdout).trim(), ran.status.code()), (*output, Some(0)), "{}", text(&ran.stderr));
    }
}

#[test]
fn a_fat_jar_that_somebody_else_made_is_called_warm_by_its_api_after_a_line_of_editing() {
    let test = "enact::bring::a_fat_jar_that_somebody_else_made_is_called_warm_by_its_api_after_a_line_of_editing";
    let Some(fixtures) = std::env::var_os("ENACT_TEST_FIXTURES") else {
        return skip(test, "the fixtures were not fetched");
    };
    if !has_javac(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["tabula-1.0.5-jar-with-dependencies.jar", "campaign_donors.pdf", "12s0324.pdf"] {
        std::fs::copy(Path::new(&fixtures).join(name), folder.join(name)).unwrap();
    }
    let inspected = run(folder, &["component", "inspect", "tabula-1.0.5-jar-with-dependencies.jar", "-q"]);
    assert_eq!(inspected.status.code(), Some(0), "{}", text(&inspected.stderr));
    // What a user decides of it: this operation changes nothing.
    let printed = text(&inspected.stdout);
    let edited =
        printed.replace("    parse-pages-option:\n      kind: command", "    parse-pages-option:\n      kind: query");
    let changed = printed.lines().zip(edited.lines()).filter(|(before, after)| before != after).count();
    assert_eq!((changed, printed.lines().count()), (1, edited.lines().count()));
    std::fs::write(folder.join("component.yaml"), edited).unwrap();

    let mut hub = serve(folder);
    let added = run(folder, &["component", "add", "."]);
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    let call = |operation: &str, input: serde_json::Value| {
        run(folder, &["run", &format!("tabula.{operation}"), "--input", &input.to_string()])
    };
    let output = |operation: &str, input: serde_json::Value| {
        let ran = call(operation, input);
        assert_eq!(ran.status.code(), Some(0), "{operation}: {}", text(&ran.stderr));
        serde_json::from_slice::<serde_json::Value>(&ran.stdout).unwrap()
    };
    assert_eq!(output("utils.parse-pages-option", json!({"pagesSpec": "1-3,7"})), json!([1, 2, 3, 7]));
    let first = jvms(hub.id());
    assert_eq!(first.len(), 1, "one JVM answered, and stays");
    assert_eq!(output("utils.parse-pages-option", json!({"pagesSpec": "2,9"})), json!([2, 9]));
    let smoothed = json!({"data": [1, 2, 3, 4, 5], "kernelSize": 3});
    assert_eq!(output("projection-profile.smooth", smoothed), json!([0.0, 1.0, 1.0, 2.0, 3.0]));
    // Pages of real documents, drawn by what the jar brings along to read them.
    for document in ["campaign_donors", "12s0324"] {
        let mut input = json!({
            "pdfPath": folder.join(document).with_extension("pdf"), "pageNumber": 0,
            "outPath": folder.join(document).with_extension("jpg"),
            "area": {"top": 100, "left": 50, "bottom": 400, "right": 500},
        });
        let what = "TextChunks Spreadsheets Rulings Intersections Columns Characters Area Cells UnprocessedRulings \
                    ProjectionProfile ClippingPaths DetectedTables";
        for what in what.split_whitespace() {
            input[format!("draw{what}")] = json!(what == "TextChunks");
        }
        assert_eq!(output("debug.render-page", input), json!(null));
        let drawn = std::fs::read(folder.join(document).with_extension("jpg")).unwrap();
        assert!(drawn.starts_with(b"\xff\xd8\xff") && drawn.len() > 10_000, "{document}: {} bytes", drawn.len());
    }
    let refused = call("utils.parse-pages-option", json!({"pagesSpec": "nonsense"}));
    assert!(text(&refused.stderr).contains("org.apache.commons.cli.ParseException"), "{}", text(&refused.stderr));
    assert_ne!(refused.status.code(), Some(0));
    assert_eq!(jvms(hub.id()), first, "all of it was done by the first JVM");
    hub.kill().unwrap();
    hub.wait().unwrap();
}
