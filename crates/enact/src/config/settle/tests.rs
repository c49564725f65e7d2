//! Tests of the whole: layers, origins, faults.

use super::*;
use crate::config::source::SourceFile;

fn sources(text: &str) -> Sources {
    Sources {
        env: [("HOME".to_owned(), "/home/ada".to_owned())].into(),
        file: (!text.is_empty()).then(|| SourceFile { path: "/etc/e/enact.yaml".into(), text: text.to_owned() }),
        folder: "/work".into(),
        user: "ada".into(),
        ..Sources::default()
    }
}

fn faults(sources: &Sources) -> Vec<String> {
    let faults = settle(sources).unwrap_err().0;
    faults.iter().map(|f| format!("{f} | {}", f.hint.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn every_default_is_a_value_of_its_key() {
    let sheet = settle(&sources("")).unwrap();
    assert!(sheet.entries.iter().all(|entry| entry.origin == Origin::Default && entry.value != Value::Null));
    assert_eq!(sheet.settings.store, Path::new("/home/ada/.local/state/enact"));
    assert_eq!(sheet.settings.actor.0, "cli:ada");
    assert_eq!(sheet.settings.history_keep.0, None);
    let audit = &sheet.settings.sinks[&"audit".parse().unwrap()];
    assert_eq!(*audit, SinkSetup::File("/home/ada/.local/state/enact/events.jsonl".into()));
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let mut from = sources("store: ./data\nlimits: { running: 3, open_executions: 5 }\nlog:\n  level: warn\n");
    from.env.insert("ENACT_LIMITS_RUNNING".into(), "4".into());
    from.env.insert("ENACT_STORE".into(), "env".into());
    from.flags.insert("store", "flag".into());
    let sheet = settle(&from).unwrap();
    let row = |key: &str| {
        let entry = sheet.entries.iter().find(|entry| entry.key == key).unwrap();
        (entry.text.clone(), entry.origin.to_string())
    };
    assert_eq!(row("store"), ("/work/flag".into(), "flag --store".into()));
    assert_eq!(row("limits.running"), ("4".into(), "env ENACT_LIMITS_RUNNING".into()));
    assert_eq!(row("limits.open_executions"), ("5".into(), "/etc/e/enact.yaml:2:40".into()));
    assert_eq!(row("log.level"), ("warn".into(), "/etc/e/enact.yaml:4:10".into()));
}

#[test]
fn a_relative_path_begins_where_it_was_written() {
    let mut from = sources("store: ./data\nsinks: { audit: { file: a.jsonl } }\n");
    from.env.insert("ENACT_SINKS_COPY_TWO_FILE".into(), "b.jsonl".into());
    let settings = settle(&from).unwrap().settings;
    assert_eq!(settings.store, Path::new("/etc/e/data"));
    assert_eq!(settings.sinks[&"audit".parse().unwrap()], SinkSetup::File("/etc/e/a.jsonl".into()));
    assert_eq!(settings.sinks[&"copy-two".parse().unwrap()], SinkSetup::File("/work/b.jsonl".into()));
}

#[test]
fn every_path_of_a_list_begins_where_it_was_written() {
    let mut from = sources("java: { homes: [jdks, ../x, /opt/java] }\n");
    let homes = |from: &Sources| settle(from).unwrap().settings.java_homes.0;
    assert_eq!(homes(&from), [Path::new("/etc/e/jdks"), Path::new("/etc/e/../x"), Path::new("/opt/java")]);
    from.env.insert("ENACT_JAVA_HOMES".into(), "a, /b".into());
    assert_eq!(homes(&from), [Path::new("/work/a"), Path::new("/b")]);
    from.env.insert("ENACT_JAVA_HOMES".into(), String::new());
    assert!(homes(&from).is_empty());
}

#[test]
fn every_fault_of_every_source_is_reported_at_once_with_its_line() {
    let text = "limts:\n  running: 3\nlog:\n  level: loud\n  levle: info\nlimits:\n  queued_bytes: 12\n  running: 0\n\
                history: { keep: for-ever }\nsinks:\n  Audit Log: { file: x }\n  copy: { path: y }\noutbox: { default_sinks: [adit] }\n";
    let mut from = sources(text);
    from.env.insert("ENACT_LOG_FROMAT".into(), "json".into());
    from.env.insert("ENACT_SHUTDOWN_GRACE".into(), "soon".into());
    let found = faults(&from);
    let begins = [
        "/etc/e/enact.yaml:1:1: limts: no key has this name | did you mean limits?",
        "/etc/e/enact.yaml:4:10: log.level: `loud` is not one of them",
        "/etc/e/enact.yaml:5:3: log.levle: no key has this name | did you mean log.level?",
        "/etc/e/enact.yaml:7:17: limits.queued_bytes: `12` is not a size | write a size",
        "/etc/e/enact.yaml:8:12: limits.running: `0` would let nothing through",
        "/etc/e/enact.yaml:9:18: history.keep: `for-ever` is not a duration",
        "/etc/e/enact.yaml:11:3: sinks.Audit Log: this is no name of a sink",
        "/etc/e/enact.yaml:12:11: sinks.copy.path: no key has this name",
        "/etc/e/enact.yaml:13:26: outbox.default_sinks: no sink is named `adit`",
        "env ENACT_LOG_FROMAT: no key has this name | did you mean ENACT_LOG_FORMAT?",
        "env ENACT_SHUTDOWN_GRACE: shutdown.grace: `soon` is not a duration",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (fault, begin) in found.iter().zip(begins) {
        assert!(fault.starts_with(begin), "{fault}\n{begin}");
    }
}

#[test]
fn a_fault_that_another_source_covers_is_still_reported() {
    let mut from = sources("limits: { running: many }\n");
    from.env.insert("ENACT_LIMITS_RUNNING".into(), "4".into());
    assert_eq!(faults(&from).len(), 1);
}

#[test]
fn a_variable_that_is_somebody_elses_is_left_alone() {
    let mut from = sources("");
    for name in ["ENACT_SERVICE_HOST", "ENACT_PORT_7700_TCP_PROTO", "ENACT_DEMO_FOLDER"] {
        from.env.insert(name.into(), "x".into());
    }
    assert!(settle(&from).is_ok());
}

#[test]
fn a_file_that_is_no_yaml_or_says_nothing_is_told_apart() {
    assert!(settle(&sources("# nothing yet\n\n")).is_ok());
    assert!(faults(&sources("store: [\n"))[0].contains("this is not YAML"));
    assert!(faults(&sources("- a\n"))[0].contains("a mapping was expected"));
    assert!(faults(&sources("store: a\nstore: b\n"))[0].contains("stands twice"));
}

#[test]
fn without_a_home_there_is_no_default_store() {
    let mut from = sources("");
    from.env.clear();
    assert!(faults(&from)[0].contains("neither XDG_STATE_HOME nor HOME is set"));
    from.flags.insert("store", "x".into());
    assert!(settle(&from).is_ok());
}

/// The page ends with the table; `UPDATE_DOCS` writes it anew.
#[test]
fn the_configuration_page_has_the_table_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let table = crate::config::reference::table();
    let mut page = std::fs::read_to_string(path).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let begin = page.find("| key |").unwrap();
        page.replace_range(begin.., &table);
        std::fs::write(path, &page).unwrap();
    }
    assert!(
        page.ends_with(&table),
        "docs/configuration.md is old; `UPDATE_DOCS=1 cargo nextest run -p enact` writes it"
    );
}

#[test]
fn every_kind_of_sink_is_read_and_shown_with_its_secrets_only_by_name() {
    let text = "sinks:\n  hook: { webhook: \"https://a.example/in\", secret: [env:NEW, file:old.key], timeout: 3s }\n  \
                stream: { redis: \"redis://localhost:7000/2\", stream: \"{tenant}:events\", password: env:WORD, max_length: 1000 }\n  \
                bus: { nats: \"nats://localhost\", subject: \"enact.{type}\", token: file:/run/token }\n\
                outbox: { default_sinks: [hook] }\n";
    let mut from = sources(text);
    from.env.insert("ENACT_SINKS_STREAM_MAX_LENGTH".into(), "2000".into());
    let sheet = settle(&from).unwrap();
    let shown = |key: &str| {
        let entry = sheet.entries.iter().find(|entry| entry.key == key).unwrap_or_else(|| panic!("{key}"));
        (entry.text.clone(), entry.value.clone(), entry.origin.to_string())
    };
    assert_eq!(shown("sinks.hook.secret").0, "env:NEW,file:old.key");
    assert_eq!(shown("sinks.hook.timeout"), ("3s".into(), 3_000.into(), "/etc/e/enact.yaml:2:86".into()));
    assert_eq!(
        shown("sinks.stream.max_length"),
        ("2000".into(), 2_000.into(), "env ENACT_SINKS_STREAM_MAX_LENGTH".into())
    );
    let SinkSetup::Webhook(hook) = &sheet.settings.sinks[&"hook".parse().unwrap()] else { panic!() };
    assert_eq!(hook.secrets[1].to_string(), "file:/etc/e/old.key");
    assert_eq!(sheet.settings.sinks.len(), 3);
}

#[test]
fn every_fault_of_a_sink_is_reported_and_no_secret_is_repeated() {
    let text = "sinks:\n  a: { webhook: \"https://u:hunter2@a.example\" }\n  b: { webhook: \"http://169.254.169.254/\" }\n  \
                c: { redis: \"redis://x\", password: hunter2 }\n  d: { secret: env:A }\n  e: { file: x, nats: \"nats://x\" }\n  \
                f: { nats: \"nats://x\", subject: \"a.*\", max_length: 3 }\n  g: { nats: \"nats://x\", username: u }\n  h: { redis: \"redis://x\", ca: a.pem, username: u }\n\
                outbox: { default_sinks: [] }\n";
    let found = faults(&sources(text));
    let begins = [
        "/etc/e/enact.yaml:2:17: sinks.a.webhook: what stands there has credentials in it",
        "/etc/e/enact.yaml:3:17: sinks.b.webhook: what stands there is link-local",
        "/etc/e/enact.yaml:4:38: sinks.c.password: what stands there does not say where the secret is | write env:NAME, file:PATH or secret:NAME",
        "/etc/e/enact.yaml:5:16: sinks.d: it does not say where its messages go | add file, webhook, redis or nats",
        "/etc/e/enact.yaml:6:14: sinks.e: it goes to file and nats at once",
        "/etc/e/enact.yaml:7:35: sinks.f.subject: what stands there is no subject",
        "/etc/e/enact.yaml:7:54: sinks.f.max_length: no nats sink has this",
        "/etc/e/enact.yaml:8:14: sinks.g: it says in more than one way who asks, or in half of one",
        "/etc/e/enact.yaml:9:32: sinks.h.ca: the address speaks no TLS | write rediss://",
        "/etc/e/enact.yaml:9:49: sinks.h.username: it has no password | name where it is",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (fault, begin) in found.iter().zip(begins) {
        assert!(fault.starts_with(begin) && !fault.contains("hunter2"), "{fault}\n{begin}");
    }
}

#[test]
fn a_secret_that_stands_where_its_place_should_be_is_never_repeated() {
    assert!(SECRET_KEYS.iter().all(|name| KEYS.iter().any(|key| key.name == *name)));
    for (text, env) in [
        ("client: { token: hunter2 }\n", ("ENACT_CLIENT_TOKEN", "hunter2")),
        ("secrets: { handlers: [db=hunter2] }\n", ("ENACT_SECRETS_HANDLERS", "hunter2")),
        ("telemetry: { otlp: { headers: [authorization=hunter2] } }\n", ("ENACT_TELEMETRY_OTLP_HEADERS", "a=hunter2")),
        ("client: { url: 'https://ada:hunter2@example.org' }\n", ("ENACT_CLIENT_URL", "https://ada:hunter2@a.org")),
    ] {
        let mut from = sources(text);
        from.env.insert(env.0.to_owned(), env.1.to_owned());
        let told = faults(&from);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|fault| !fault.contains("hunter2")), "{told:?}");
    }
}

#[test]
fn a_certificate_without_a_key_is_told_where_the_certificate_is_named_and_so_is_a_key_without_one() {
    let told = faults(&sources("http:\n  tls: { certificate: ./a.pem }\n"));
    assert!(
        told.len() == 1
            && told[0].starts_with("/etc/e/enact.yaml:2:23: http.tls.certificate: the certificate has no key"),
        "{told:?}"
    );
    let told = faults(&sources("http:\n  tls: { key: ./a.pem }\n"));
    assert!(
        told.len() == 1 && told[0].starts_with("/etc/e/enact.yaml:2:15: http.tls.key: the key has no certificate"),
        "{told:?}"
    );
}
