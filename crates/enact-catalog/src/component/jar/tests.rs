//! Tests of the shape `jar`: what is read, and every fault with its place and a way out.

use enact_model::descriptor::{Component, JavaCall, JavaMain, Operation, Shape, Stdout};
use enact_model::json::Json;

use super::*;
use crate::component::files::MemoryFiles;
use crate::component::read_component;
use crate::describe::describe;
use crate::fault::DescriptorFault;

fn files() -> MemoryFiles {
    MemoryFiles::default()
        .file("pricing.jar", b"jar 11", false)
        .file("lib/scala.jar", b"jar 8", false)
        .file("resources.jar", b"jar empty", false)
        .file("boot.jar", b"jar nested", false)
        .file("text.jar", b"hello", false)
}

const PRICING: &str = r#"
component: pricing
version: 1.4.0
jar:
  paths: [pricing.jar, ./lib/scala.jar]
  memory: 64MiB
  metaspace: 96MiB
  threads: 200
  instances: 4
  warm: 2
  recycle: { calls: 100000, age: 24h, memory: 1GiB }
  options: ["-Dname=value"]
  env: { TZ: UTC }
  config: { currency: EUR }
  main: com.acme.Tool
services:
  quote:
    total:
      kind: query
      call: { class: com.acme.Quote, method: total, params: [{ name: basket, type: "List[Item]" }, day], returns_type: "List[Money]" }
    plain: { kind: query, call: { class: "com.acme.Quote$Inner", method: $plus } }
    run: { kind: command }
    tool: { kind: command, call: { run: com.acme.Other, success: [0, 3] } }
    tables:
      kind: query
      call: { run: com.acme.Tables, args: ["-f", { file: /document }] }
      produces: [{ artifact: tables.json, from: stdout, media_type: application/json }]
"#;

fn good(text: &str) -> Component {
    read_component(text, "component.yaml", &files()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn shape_of(component: &Component) -> &JarShape {
    let Shape::Jar(shape) = &component.shape else { panic!("{:?}", component.shape) };
    shape
}

fn operation<'a>(component: &'a Component, name: &str) -> &'a Operation {
    component.operation(&"quote".parse().unwrap(), &name.parse().unwrap()).unwrap()
}

fn faults(text: &str) -> Vec<DescriptorFault> {
    read_component(text, "component.yaml", &files()).unwrap_err()
}

fn with(jar: &str, call: &str) -> String {
    format!(
        "component: c\nversion: 1.0.0\njar: {jar}\nservices:\n  s:\n    o:\n      kind: query\n      call: {call}\n"
    )
}

const CALL: &str = "{ class: a.B, method: c }";

/// The one fault of a descriptor, with its way out.
fn fault(jar: &str, call: &str) -> String {
    let found = faults(&with(jar, call));
    assert_eq!(found.len(), 1, "{found:#?}");
    let one = &found[0];
    assert!(one.line == 3 || one.line == 8, "{one}");
    format!("{}:{} {} [{}]", one.line, one.column, one.message, one.hint.as_deref().unwrap_or(""))
}

#[test]
fn a_whole_jar_becomes_a_component_and_survives_its_stored_form() {
    let component = good(PRICING);
    let shape = shape_of(&component);
    assert_eq!(shape.paths, ["pricing.jar", "lib/scala.jar"], "the order of the class path is kept");
    assert_eq!((shape.needs_java, shape.wants().to_string().as_str()), (11, "Java 11 or newer"));
    assert_eq!((shape.memory_bytes, shape.metaspace_bytes, shape.threads), (64 << 20, 96 << 20, 200));
    assert_eq!((shape.instances, shape.warm, shape.calls_in_flight, shape.start_timeout_ms), (4, 2, 16, 30_000));
    assert_eq!(shape.idle_ms, 5 * 60_000);
    assert_eq!((shape.recycle.calls, shape.recycle.age_ms), (Some(100_000), Some(86_400_000)));
    let again: Component = Json::of(&component).to().unwrap();
    assert_eq!(again, component);
    let Some(JavaCall::Method(total)) = &operation(&component, "total").call.java else { panic!() };
    assert_eq!((total.class.as_str(), total.returns.as_deref()), ("com.acme.Quote", Some("List[Money]")));
    assert_eq!(total.params.as_ref().unwrap().len(), 2);
    let Some(JavaCall::Method(plain)) = &operation(&component, "plain").call.java else { panic!() };
    assert_eq!(plain.params, None, "without names reflection tells");
}

#[test]
fn a_main_class_takes_what_it_is_asked_unless_its_arguments_are_templates() {
    let component = good(PRICING);
    let run = |name: &str| match operation(&component, name).call.java.clone() {
        Some(JavaCall::Run(main)) => (main, operation(&component, name).call.clone()),
        other => panic!("{other:?}"),
    };
    let (main, call) = run("run");
    assert_eq!(main, JavaMain { class: "com.acme.Tool".to_owned(), as_asked: true });
    assert_eq!((call.stdout, call.success), (Stdout::Text, vec![0]));
    let (main, call) = run("tool");
    assert_eq!((main.class.as_str(), main.as_asked, call.success), ("com.acme.Other", true, vec![0, 3]));
    let (main, call) = run("tables");
    assert_eq!((main.as_asked, call.args.len(), call.stdout), (false, 2, Stdout::Ignore));
}

#[test]
fn it_is_described_with_its_java_and_what_it_calls() {
    let description = describe(&good(PRICING));
    assert_eq!((description.shape, description.java.as_deref()), ("jar", Some("Java 11 or newer")));
    assert_eq!(description.command, ["java", "-cp", "pricing.jar:lib/scala.jar"]);
    let calls: Vec<_> = description.operations.iter().map(|o| o.calls.clone().unwrap()).collect();
    assert!(calls.contains(&"com.acme.Quote.total(basket: List[Item], day)".to_owned()), "{calls:?}");
    assert!(calls.contains(&"com.acme.Tool.main(String[])".to_owned()), "{calls:?}");
}

#[test]
fn a_requirement_of_java_has_three_forms() {
    let range = |text| java_range(text).map(|range| (range.least, range.most));
    assert_eq!(range(">=11"), Some((11, None)));
    assert_eq!(range("17"), Some((17, Some(17))));
    assert_eq!(range("11..17"), Some((11, Some(17))));
    for text in ["", "1.8", "17..11", ">=", "seventeen", "177", "0", ">=11,<17"] {
        assert_eq!(range(text), None, "{text}");
    }
    let component = good(&with("{ path: pricing.jar, java: 17 }", CALL));
    assert_eq!(shape_of(&component).wants().to_string(), "Java 17");
}

#[test]
fn components_share_a_jvm_by_its_name() {
    let jvm = |text: &str| {
        let component = good(&with(&format!("{{ path: pricing.jar, jvm: {text} }}"), CALL));
        (shape_of(&component).jvm.as_ref().map(ToString::to_string), describe(&component).java.unwrap())
    };
    assert_eq!(jvm("own"), (None, "Java 11 or newer".to_owned()));
    let shared = (Some("legacy-apps".to_owned()), "Java 11 or newer, in the JVM legacy-apps that it shares".to_owned());
    assert_eq!(jvm("legacyApps"), shared);
}

#[test]
fn every_fault_of_a_jar_has_its_place_and_a_way_out() {
    let mut wrong = Vec::new();
    for (jar, expected) in [
        ("{}", "3:6 `path` of the jar is missing [name the archive"),
        ("{ path: gone.jar }", "3:14 the archive `gone.jar` does not exist"),
        ("{ path: ../pricing.jar }", "3:14 the archive `../pricing.jar` lies outside"),
        ("{ path: text.jar }", "3:14 the archive `text.jar` is not a jar: it has no directory [name a jar"),
        ("{ path: boot.jar }", "3:14 `boot.jar` keeps its classes in archives inside of itself"),
        ("{ path: resources.jar }", "3:6 there is no class in resources.jar"),
        ("{ paths: [] }", "3:15 `paths` is empty"),
        ("{ paths: [pricing.jar, pricing.jar] }", "3:29 the archive `pricing.jar` is named twice"),
        ("{ path: pricing.jar, paths: [pricing.jar] }", "3:27 `paths` stands beside `path`"),
        ("{ path: pricing.jar, java: 1.8 }", "3:33 `java`: `1.8` names no releases of Java [write \">=11\""),
        ("{ path: pricing.jar, memory: 1 }", "3:35 `memory`: `1` is not a size"),
        ("{ path: pricing.jar, threads: 3 }", "3:36 `threads` is `3`, which is not between 64 and 65536"),
        ("{ path: pricing.jar, warm: 2 }", "3:33 `warm` is 2, more than the 1 of `instances`"),
        ("{ path: pricing.jar, recycle: {} }", "3:36 `recycle` is empty"),
        ("{ path: pricing.jar, recycle: { cals: 1 } }", "3:38 recycle has no key `cals` [did you mean calls?]"),
        ("{ path: pricing.jar, options: [-Xmx1g] }", "3:37 the option `-Xmx1g` is the hub's own [say `memory`]"),
        ("{ path: pricing.jar, options: [x] }", "3:37 `x` is not an option of the JVM"),
        ("{ path: pricing.jar, jvm: a b }", "3:32 `jvm`: `a b` is no name [say `own`"),
        ("{ path: pricing.jar, main: a b }", "3:33 `main`: `a b` is not the name of a class"),
        ("{ path: pricing.jar, mode: worker }", "3:27 jar has no key `mode`"),
    ] {
        let call = if jar.contains("main:") { "{ class: a.B, method: c }" } else { CALL };
        let found = fault(jar, call);
        if !found.starts_with(expected) {
            wrong.push(format!("{jar}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_fault_of_its_calls_has_its_place_and_a_way_out() {
    let mut wrong = Vec::new();
    for (call, expected) in [
        ("{ class: a.B }", "8:13 `method` of the call is missing"),
        ("{ class: a-b., method: c }", "8:22 `class`: `a-b.` is not the name of a class"),
        ("{ class: a.B, method: 'c()' }", "8:35 `method`: `c()` is not the name of a method"),
        ("{ class: a.B, method: c, params: x }", "8:46 `params` must be a list"),
        ("{ class: a.B, method: c, params: [x, x] }", "8:50 the parameter `x` is named twice"),
        ("{ class: a.B, method: c, params: [{ type: int }] }", "8:47 `name` of the parameter is missing"),
        ("{ class: a.B, method: c, params: [{ name: x, typ: int }] }", "8:58 a parameter has no key `typ`"),
        ("{ class: a.B, method: c, stdout: text }", "8:38 `stdout` means nothing with a method"),
        ("{ run: a.B, method: c }", "8:25 `method` means nothing with `run`"),
        ("{ run: a.B, success: [300] }", "8:35 `300` is not an exit status"),
        ("{ run: a.B, command: [x] }", "8:25 call has no key `command`"),
        ("{ operation: x, class: a.B, method: c }", "8:15 call has no key `operation`"),
    ] {
        let found = fault("{ path: pricing.jar }", call);
        if !found.starts_with(expected) {
            wrong.push(format!("{call}: {found}"));
        }
    }
    let missing =
        faults("component: c\nversion: 1.0.0\njar: { path: pricing.jar }\nservices: { s: { o: { kind: query } } }\n");
    assert!(missing[0].message.contains("`call` is missing"), "{missing:#?}");
    let produces =
        faults(&format!("{}      produces: [{{ artifact: a, from: stdout }}]\n", with("{ path: pricing.jar }", CALL)));
    assert_eq!(produces[0].message, "`produces` means nothing with a method of a class");
}

#[test]
fn a_descriptor_tells_which_archives_it_names() {
    assert!(names_archive(PRICING, "pricing.jar") && names_archive(PRICING, "lib/scala.jar"));
    assert!(names_archive("jar: { path: ./a.jar }", "a.jar"));
    for text in ["", "jar: { path: b.jar }", "process: { files: [a.jar] }", "jar: [", "jar: a.jar"] {
        assert!(!names_archive(text, "a.jar"), "{text}");
    }
}
