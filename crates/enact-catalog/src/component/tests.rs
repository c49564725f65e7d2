//! Tests of the descriptor: what is read, and every fault with its place.

use enact_model::descriptor::{Argument, Pointer, ProcessMode, RetryOn, Stdin, Stdout};
use serde_json::json;

use super::files::MemoryFiles;
use super::*;

fn files() -> MemoryFiles {
    let basket = br##"{"$id": "https://acme.example/basket.json", "type": "object", "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"$ref": "parts/item.json"}}, "next": {"$ref": "#"}}}"##;
    let item = br##"{"$defs": {"sku": {"type": "string"}}, "properties": {"sku": {"$ref": "#/$defs/sku"},
        "basket": {"$ref": "../basket.json"}, "price": {"$ref": "money.yaml#/$defs/cents"}}}"##;
    MemoryFiles::default()
        .file("tabula.jar", b"jar", false)
        .file("tool.sh", b"#!/bin/sh", true)
        .file("plain.txt", b"text", false)
        .file("schemas/basket.json", basket, false)
        .file("schemas/parts/item.json", item, false)
        .file("schemas/parts/money.yaml", b"$defs:\n  cents:\n    type: integer\n", false)
        .file("schemas/broken.json", b"{\n  \"type\": }", false)
        .file("schemas/wrong.json", b"{\n  \"type\": \"text\"\n}", false)
        .with_folder("/package/documents")
}

impl MemoryFiles {
    fn with_folder(mut self, path: &str) -> Self {
        self.folders.push(path.into());
        self.programs = Some(["java", "python3", "/bin/sh", "true"].map(str::to_owned).to_vec());
        self
    }
}

fn faults(text: &str) -> Vec<DescriptorFault> {
    read_component(text, "component.yaml", &files()).unwrap_err()
}

fn good(text: &str) -> Component {
    read_component(text, "component.yaml", &files()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A component around the body of one operation, indented by six spaces.
fn around(body: &str) -> String {
    let body: String = body.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "component: c\nversion: 1.0.0\nprocess: {{ command: [true], roots: {{ documents: documents }} }}\nservices:\n  s:\n    op:\n{body}    other: {{ kind: query }}\n    once: {{ kind: command }}\n"
    )
}

fn operation(body: &str) -> enact_model::descriptor::Operation {
    good(&around(body)).operation(&"s".parse().unwrap(), &"op".parse().unwrap()).unwrap().clone()
}

/// The one fault of an operation, without its file.
fn fault(body: &str) -> String {
    let faults = faults(&around(body));
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let fault = &faults[0];
    assert!(fault.line >= 6 && fault.column >= 5, "{fault}");
    format!("{}:{} {} [{}]", fault.line, fault.column, fault.message, fault.hint.as_deref().unwrap_or(""))
}

const CONTENT: &str = r#"
component: content
version: 1.0.0
summary: Tables out of documents
process:
  command: [java, -jar, tabula.jar]
  files: [./tabula.jar]
  roots: { documents: ./documents }
  env: { LANG: C.UTF-8, DEBUG: 1 }
  memory: 256MiB
services:
  files:
    ingestFile:
      kind: command
      idempotent: true
      call: { command: [/bin/sh, -c, 'cat "$1"', sh], args: [{ root: documents, path: /path }] }
      input: { type: object, required: [path], properties: { path: { type: string } } }
      produces: [{ artifact: document.pdf, from: stdout, media_type: application/pdf }]
      result: /artifacts/0
      handles: [ingest_file]
    analyze:
      kind: query
      call: { args: ["-f", JSON, -p, { value: /pages }, { file: /document }, { out: result.json }], output_max: 1MiB, success: [0, 3] }
      produces: [{ artifact: tables.json, from: { file: result.json }, media_type: application/json, derived_from: /document }]
      emits: [{ type: content.analyzed, on: completed, key: /document/id, data: { tables: /artifacts/0 } }, content.seen]
      state: [{ scope: session, set: last_document, value: /document/id, ttl: 1h }, { scope: execution, delete: old }]
      timeout: 2m
      retry: { attempts: 5, backoff: 200ms..30s }
      concurrency: { limit: 8, key: /document/id }
"#;

#[test]
fn a_whole_descriptor_becomes_a_component() {
    let component = good(CONTENT);
    let Shape::Process(process) = &component.shape else { panic!("{:?}", component.shape) };
    assert_eq!(process.files.keys().collect::<Vec<_>>(), ["tabula.jar"]);
    assert_eq!(process.roots["documents"], std::path::Path::new("/package/documents"));
    assert_eq!(process.env["DEBUG"], "1");
    assert_eq!((process.mode, process.memory_bytes), (ProcessMode::Oneshot, Some(256 << 20)));
    let selectors: Vec<String> = component.operations().map(|(selector, _)| selector.to_string()).collect();
    assert_eq!(selectors, ["content.files.analyze", "content.files.ingest-file"]);
    let analyze = component.operation(&"files".parse().unwrap(), &"analyze".parse().unwrap()).unwrap();
    assert_eq!(analyze.call.args[3], Argument::Value(Pointer("/pages".into())));
    assert_eq!((analyze.call.stdin.clone(), analyze.call.stdout), (Stdin::Empty, Stdout::Ignore));
    assert_eq!((analyze.call.success.clone(), analyze.call.output_max_bytes), (vec![0, 3], Some(1 << 20)));
    assert_eq!((analyze.timeout_ms, analyze.state[0].ttl_ms), (120_000, Some(3_600_000)));
    let ingest = component.operation(&"files".parse().unwrap(), &"ingest-file".parse().unwrap()).unwrap();
    assert_eq!((ingest.call.stdout, ingest.timeout_ms), (Stdout::Ignore, 60_000));
    assert_eq!(ingest.handles[0].as_str(), "ingest-file");
}

#[test]
fn a_component_survives_its_stored_form_and_keeps_its_digest() {
    let component = good(CONTENT);
    let again: Component = Json::of(&component).to().unwrap();
    assert_eq!(again, component);
    assert_eq!(component_digest(&again), component_digest(&component));
    let other = files().file("tabula.jar", b"another jar", false);
    let other = read_component(CONTENT, "component.yaml", &other).unwrap();
    assert_ne!(component_digest(&other), component_digest(&component), "a changed file is another component");
}

#[test]
fn five_faults_at_once_are_all_reported_with_line_column_and_a_way_out() {
    let text = "component: pricing\nversion: 1.4\nprocess: { command: [jva] }\nservices:\n  quote:\n    total:\n      \
                kind: qurey\n      timeuot: 5s\n      retry: { attempts: many }\n";
    let found = faults(text);
    let places: Vec<(u32, u32)> = found.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(2, 10), (3, 22), (7, 13), (8, 7), (9, 26)], "{found:#?}");
    assert_eq!(found[2].hint.as_deref(), Some("did you mean query?"));
    assert_eq!(found[3].hint.as_deref(), Some("did you mean timeout?"));
    assert_eq!(found[4].to_string(), "component.yaml:9:26: `attempts` must be a whole number; it is `many` (a text)");
}

#[test]
fn fifteen_faults_at_once_are_all_reported() {
    let text = r#"component: 9lives
version: one
sumary: x
container: { path: x.jar }
process:
  command: [java, -jar, tabula.jar]
  memory: 0MiB
  roots: { documents: ./nowhere }
services:
  s:
    a:
      timeout: 0s
    b:
      kind: command
      retry: { attempts: 3 }
      compensate: s.bb
    createItem: { kind: query, handles: [x, x] }
    create_item: { kind: query }
    c:
      kind: query
      input: { $ref: https://example.com/x.json }
      call: { args: [{ root: documnts, path: path }] }
      emits: [{ type: c.done, data: { a: /artifacts/0 } }]
"#;
    let found = faults(text);
    let lines: Vec<u32> = found.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 17, 18, 21, 22, 22, 23], "{found:#?}");
    assert!(found.iter().all(|fault| fault.column > 0 && fault.file == "component.yaml"));
}

#[test]
fn a_shape_of_a_later_build_is_named_as_such_and_there_is_exactly_one() {
    for shape in ["container", "http", "grpc"] {
        let found = faults(&format!(
            "component: c\nversion: 1.0.0\n{shape}: {{}}\nservices: {{ s: {{ o: {{ kind: query }} }} }}\n"
        ));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (found[0].line, found[0].message.as_str()),
            (3, format!("the shape `{shape}` is not in this build yet").as_str())
        );
        assert_eq!(found[0].hint.as_deref(), Some("the shapes of this build are: process, jar"));
    }
    let none = faults("component: c\nversion: 1.0.0\nservices: { s: { o: { kind: query } } }\n");
    assert_eq!(none[0].message, "the shape is missing");
}

#[test]
fn two_spellings_of_one_name_are_one_name() {
    let text = "component: c\nversion: 1.0.0\nprocess: { command: [true] }\nservices:\n  s:\n    createItem: { kind: query }\n    create_item: { kind: query }\n";
    assert_eq!(
        faults(text)[0].to_string(),
        "component.yaml:7:5: `create_item` is the same operation name as `createItem` in line 6: both are `create-item`"
    );
}

#[test]
fn a_command_that_runs_at_most_once_is_not_retried_unless_not_reached() {
    assert!(fault("kind: command\nretry: { attempts: 3 }").starts_with("8:7 s.op runs at most once"));
    assert!(fault("kind: command\nretry: { attempts: 3, on: any }").contains("on: not_reached"));
    let retry = operation("kind: command\nretry: { attempts: 3, on: not_reached }").retry.unwrap();
    assert_eq!((retry.on, retry.backoff_min_ms, retry.backoff_max_ms), (RetryOn::NotReached, 200, 30_000));
    assert_eq!(operation("kind: command\nidempotent: true\nretry: { attempts: 3 }").retry.unwrap().on, RetryOn::Any);
}

#[test]
fn every_value_out_of_its_range_is_named() {
    for (body, expected) in [
        ("kind: query\ntimeout: 0s", "8:16 `timeout`: `0s` is shorter than a millisecond"),
        ("kind: query\ntimeout: 3y", "8:16 `timeout`: `3y` is longer than a year"),
        ("kind: query\ntimeout: 5", "8:16 `timeout`: `5` is not a duration"),
        ("kind: query\nretry: { attempts: 0 }", "`attempts` is `0`, which is not between 1 and 1000"),
        ("kind: query\nretry: { attempts: 2, backoff: 5s..1s }", "`5s..1s` ends before it begins"),
        ("kind: query\nconcurrency: { key: /a }", "`limit` of concurrency is missing"),
        ("kind: query\nserialize: yes", "`serialize` must be true or false"),
        ("kind: query\nserialize: true\nconcurrency: { limit: 2 }", "`serialize` stands beside `concurrency`"),
        ("kind: query\ncall: { output_max: 64 }", "`64` is not a size"),
        ("kind: query\ncall: { success: [256] }", "`256` is not an exit status"),
        ("kind: query\ncall: { stdin: jsno }", "did you mean json?"),
        ("kind: query\ncall: { stdin: { text: a } }", "a JSON pointer begins with /"),
        ("kind: query\ncall: { args: [{ value: /a, file: /b }] }", "an argument has exactly one form"),
        ("kind: query\ncall: { args: [{ out: ../x }] }", "`../x` is not the name of a file in the scratch folder"),
        ("kind: query\ncall: { operation: x }", "`operation` means nothing with `mode: oneshot`"),
        ("kind: query\nhandles: [s.9]", "is not a name for an intent type"),
        ("kind: query\nhandles: [c.s.other]", "is the selector of c.s.other already"),
        ("kind: query\nreturns: efects", "did you mean effects?"),
        ("kind: query\ncompensate: other", "`compensate` means nothing for a query"),
        ("kind: command\ncompensate: s.othr", "did you mean s.other?"),
        ("kind: command\ncompensate: op", "names itself"),
        ("kind: command\nreconcile: once", "which runs at most once itself"),
        ("kind: query\nproduces: [{ artifact: a/b, from: stdout }]", "holds a /"),
        ("kind: query\nproduces: [{ artifact: '{x}', from: stdout }]", "a JSON pointer begins with /"),
        (
            "kind: query\nproduces: [{ artifact: a, from: stdout }, { artifact: a, from: { file: b } }]",
            "two artifacts are called `a`",
        ),
        (
            "kind: query\nproduces: [{ artifact: a, from: stdout }, { artifact: b, from: stdout }]",
            "two artifacts take standard output",
        ),
        (
            "kind: query\nproduces: [{ artifact: a, from: { file: /etc/passwd } }]",
            "is not the name of a file in the scratch folder",
        ),
        ("kind: query\nproduces: [{ artifact: a, from: stdout, media_type: pdf }]", "`pdf` is not a media type"),
        ("kind: query\nproduces: [{ artifact: a, from: stdout, derived_from: /output }]", "only the input is"),
        ("kind: query\nresult: { a: [/b~x] }", "8:21 `result` holds a bad pointer"),
        ("kind: query\nemits: [a b]", "`a b` is not an event type"),
        ("kind: query\nemits: [{ type: a, on: failed, data: /output }]", "is not there yet or never will be"),
        ("kind: query\nemits: [{ type: a, data: /failure }]", "only there with `on: failed`"),
        ("kind: query\nstate: [{ set: a }]", "`value` of a state effect is missing"),
        ("kind: query\nstate: [{ delete: a, value: 1 }]", "`value` means nothing with `delete`"),
        ("kind: query\nstate: [{ value: 1 }]", "a state effect sets or deletes"),
        ("kind: query\nsecrets: { KEY: a b }", "`a b` is not a name for a secret: only letters"),
        ("kind: query\nsecrets: { A-B: key }", "`A-B` is not a name of a variable"),
        ("kind: query\nsecrets: { ENACT_HUB: key }", "`ENACT_HUB` is set by the hub"),
        ("kind: query\nsecrets: { KEY: [key] }", "`KEY` must be a text"),
        ("kind: query\nsecrets: [key]", "`secrets` must be a mapping"),
        ("kind: query\nreturns: effects\ncall: { stdout: text }", "needs `stdout: json`"),
    ] {
        let fault = fault(body);
        assert!(fault.contains(expected), "{body}: {fault}");
    }
}

#[test]
fn serialize_is_a_concurrency_of_one() {
    assert_eq!(operation("kind: query\nserialize: true").concurrency.unwrap().limit, 1);
    assert!(operation("kind: query\nserialize: false").concurrency.is_none());
}

#[test]
fn standard_input_is_json_without_arguments_and_empty_with_some() {
    assert_eq!(operation("kind: query").call.stdin, Stdin::Json);
    assert_eq!(operation("kind: query\ncall: { args: [] }").call.stdin, Stdin::Json);
    assert_eq!(operation("kind: query\ncall: { args: [x] }").call.stdin, Stdin::Empty);
    assert_eq!(operation("kind: query\ncall: { args: [x], stdin: json }").call.stdin, Stdin::Json);
}

#[test]
fn produces_takes_standard_output_away_unless_told_otherwise() {
    let stdout = |body: &str| operation(body).call.stdout;
    assert_eq!(stdout("kind: query\nproduces: [{ artifact: a, from: stdout }]"), Stdout::Ignore);
    assert_eq!(stdout("kind: query\nproduces: [{ artifact: a, from: { file: a } }]"), Stdout::Ignore);
    assert_eq!(
        stdout("kind: query\nresult: { n: /output/n }\nproduces: [{ artifact: a, from: { file: a } }]"),
        Stdout::Json
    );
    assert_eq!(stdout("kind: query\ncall: { stdout: text }\nproduces: [{ artifact: a, from: stdout }]"), Stdout::Text);
}

#[test]
fn a_pointer_that_the_schema_does_not_know_is_found_before_anything_runs() {
    let input =
        "kind: query\ninput: { type: object, properties: { document: { type: object, properties: { id: {} } } } }\n";
    let fault = |rest: &str| fault(&format!("{input}{rest}"));
    assert!(fault("call: { args: [{ file: /documnt }] }").ends_with("[did you mean document?]"));
    assert!(fault("emits: [{ type: a, key: /document/ident }]").contains("no property `ident`"));
    assert!(fault("concurrency: { limit: 1, key: /x }").contains("`/x` leads nowhere"));
    assert!(fault("state: [{ set: a, value: { b: /artifacts/0 } }]").contains("0 artifacts are produced"));
    operation(
        "kind: query\ninput: { type: object, properties: { a: {} }, allOf: [{}] }\nconcurrency: { limit: 1, key: /x }",
    );
}

#[test]
fn schema_files_are_bundled_so_that_nothing_else_is_needed() {
    let input = operation("kind: query\ninput: { $ref: schemas/basket.json }").input.unwrap().to_value();
    assert_eq!(input["type"], "object", "a lone $ref becomes the file itself");
    let text = input.to_string();
    assert!(text.matches("\"$ref\":\"").count() == 5 && text.matches("\"$ref\":\"#").count() == 5, "{text}");
    let validator = crate::schema::compile(&input).unwrap();
    assert!(
        validator
            .is_valid(&json!({"items": [{"sku": "a", "price": 5, "basket": {"items": []}}], "next": {"items": []}}))
    );
    for bad in [
        json!({}),
        json!({"items": [{"sku": 1}]}),
        json!({"items": [{"price": "x"}]}),
        json!({"items": [{"basket": {}}]}),
        json!({"items": [], "next": {}}),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
    let inside = operation(
        "kind: query\ninput: { type: object, properties: { b: { $ref: 'schemas/parts/money.yaml#/$defs/cents' } } }",
    );
    let validator = crate::schema::compile(&inside.input.unwrap().to_value()).unwrap();
    assert!(validator.is_valid(&json!({"b": 1})) && !validator.is_valid(&json!({"b": "x"})));
}

#[test]
fn a_faulty_schema_is_reported_where_it_stands_in_its_own_file_too() {
    for (schema, expected) in [
        ("{ $ref: schemas/wrong.json }", "schemas/wrong.json:2:3"),
        ("{ $ref: schemas/broken.json }", "schemas/broken.json:2:11"),
        ("{ $ref: schemas/gone.json }", "component.yaml:8:16"),
        ("{ $ref: ../../etc/passwd }", "component.yaml:8:16"),
        ("{ properties: { a: { $ref: https://example.com/a.json } } }", "component.yaml:8:35"),
        ("{ properties: { a: { $ref: 'file:///etc/passwd' } } }", "component.yaml:8:35"),
        ("{ properties: { a: { $ref: '#/$defs/b' } } }", "component.yaml:8:35"),
        ("{ properties: { a: { type: text } } }", "component.yaml:8:35"),
        ("{ properties: { a: { pattern: '(?=a)' } } }", "component.yaml:8:35"),
        ("{ properties: { a: { format: date-tme } } }", "component.yaml:8:35"),
        ("{ properties: { a: { $ref: '#/properties/a' } } }", "component.yaml:8:30"),
        ("{ $schema: 'https://example.com/mine' }", "component.yaml:8:16"),
        ("schemas/basket.json", "component.yaml:8:14"),
        ("[a]", "component.yaml:8:14"),
    ] {
        let found = faults(&around(&format!("kind: query\ninput: {schema}")));
        let first = found[0].to_string();
        assert!(first.starts_with(&format!("{expected}: ")), "{schema}: {found:#?}");
    }
    let both = faults(&around(
        "kind: query\ninput: { properties: { a: { pattern: '(' }, b: { format: x }, c: { type: 5 } } }",
    ));
    assert!(both.len() >= 3, "{both:#?}");
    operation(
        "kind: query\ninput: { properties: { default: { const: { $ref: x } }, $ref: {}, n: { format: int64 } } }",
    );
}

#[test]
fn a_program_and_its_files_must_be_there() {
    let fault = |process: &str| {
        let found = faults(&format!(
            "component: c\nversion: 1.0.0\nprocess: {process}\nservices: {{ s: {{ o: {{ kind: query }} }} }}\n"
        ));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].line == 3 && found[0].column >= 10, "{}", found[0]);
        format!("{} [{}]", found[0].message, found[0].hint.as_deref().unwrap_or(""))
    };
    assert_eq!(
        fault("{ command: [jva] }"),
        "the program `jva` does not exist in PATH [install it, or add it to `files`]"
    );
    assert!(fault("{ command: [/usr/bin/nothing] }").contains("`/usr/bin/nothing` does not exist"));
    assert!(fault("{ command: [./tool.sh] }").contains("add it: `files: [tool.sh]`"));
    assert!(fault("{ command: [./plain.txt], files: [plain.txt] }").contains("is not executable [chmod +x plain.txt"));
    assert!(fault("{ command: [tool.sh], files: [tool.sh] }").contains("[write ./tool.sh]"));
    assert!(fault("{ command: [java, -jar, tabula.jar] }").contains("add it: `files: [tabula.jar]`"));
    assert!(fault("{ command: [true], files: [gone.jar] }").contains("`gone.jar` does not exist"));
    assert!(fault("{ command: [true], files: [../secret] }").contains("outside of the folder"));
    assert!(fault("{ command: [true], files: [tool.sh, ./tool.sh] }").contains("named twice"));
    assert!(fault("{ command: [true], instances: 2 }").contains("say `mode: worker`"));
    assert!(fault("{ command: [true], memory: 4096 }").contains("is not a size"));
    assert!(fault("{ command: [true], roots: { d: ./gone } }").contains("no folder: /package/gone"));
    assert!(fault("{ }").contains("not every operation has one of its own"));
    assert!(fault("{ command: [] }").contains("`command` is empty"));
    assert!(fault("{ command: [true], idle: 1m }").contains("`idle` means nothing for a program that is run once"));
    assert!(fault("{ command: [true], mode: worker, idle: never }").contains("`idle`"));
    let component = good("component: c\nversion: 1.0.0\nprocess: { command: [tool/../tool.sh], files: [./tool.sh] }\nservices: { s: { o: { kind: query } } }\n".replace("tool/../", "./").as_str());
    let Shape::Process(process) = component.shape else { panic!("{:?}", component.shape) };
    assert_eq!(process.command, ["./tool.sh"]);
}

#[test]
fn a_worker_has_its_own_keys_and_none_of_the_others() {
    let text = "component: c\nversion: 1.0.0\nprocess: { command: [python3, ./tool.sh], files: [tool.sh], mode: worker, instances: 2, calls_in_flight: 4, start_timeout: 3s, idle: 90s, config: { a: 1 } }\nservices: { s: { o: { kind: query, call: { operation: do_it } } } }\n";
    let component = good(text);
    let Shape::Process(process) = &component.shape else { panic!("{:?}", component.shape) };
    assert_eq!(
        (process.mode, process.instances, process.calls_in_flight, process.start_timeout_ms, process.idle_ms),
        (ProcessMode::Worker, 2, 4, 3_000, 90_000)
    );
    assert_eq!(process.command, ["python3", "tool.sh"], "a packaged file is named as it is packaged");
    let found = faults(&text.replace("operation: do_it", "args: [x], stdout: text"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].message.contains("means nothing with `mode: worker`"));
}

#[test]
fn what_is_no_descriptor_at_all_is_one_clear_fault() {
    for text in ["", "hello", "[1]", "a: [", "component: c\n---\ncomponent: d\n"] {
        let found = faults(text);
        assert!(found.len() <= 2 && !found[0].message.is_empty(), "{text:?}: {found:#?}");
    }
    assert!(
        faults("component: c\nversion: 1.0.0\nprocess: { command: [true] }\nservices: {}\n")[0]
            .message
            .contains("no services")
    );
}

#[test]
fn a_slip_anywhere_is_never_a_panic_and_every_fault_has_a_place() {
    let schema = CONTENT.replace("timeout: 2m", "input: { $ref: schemas/basket.json }");
    let mut refused = 0;
    for text in [CONTENT, &schema] {
        for (at, _) in text.char_indices().step_by(13) {
            for slip in ["", "\t", "{", "]", ":", "'", "é", "\n", "&a ", "*a", "- "] {
                let broken = format!("{}{slip}{}", &text[..at], text.get(at + 1..).unwrap_or_default());
                if let Err(found) = read_component(&broken, "component.yaml", &files()) {
                    refused += 1;
                    assert!(!found.is_empty(), "{broken}");
                    assert!(found.iter().all(|f| f.line > 0 && f.column > 0 && !f.message.is_empty()), "{found:#?}");
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
