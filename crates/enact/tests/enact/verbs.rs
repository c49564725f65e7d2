//! Every verb of the command line over HTTP beside the same verb over the socket of the hub. The verbs are those of the command
//! line itself, so that none that is added later is forgotten.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Far, on};
use super::fake::text;

/// What is asked, and beside what its answer is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// It changes nothing: the very same bytes on both ways, for people too.
    Same,
    /// It changes something, so each way has a subject of its own: the same but for ids, times and digests.
    Alike,
}
use Answer::{Alike, Same};

/// Every verb with what follows it; a word in braces stands for a subject that is made for it, `SIDE` for `near` or `far`.
const VERBS: &[(&str, Answer, &str)] = &[
    ("run", Alike, "far.s.echo --input {\"n\":1}"),
    ("run", Alike, "far.s.ecko"),
    ("run", Alike, "far.s.echo --input {} --deadline never"),
    ("run", Alike, "far.s.fails"),
    ("run", Alike, "far.s.never --wait 1ms"),
    ("intent submit", Alike, "far.s.echo --input {\"n\":1} --key k-SIDE --session s-SIDE --meta a=b --wait 20s"),
    ("intent submit", Alike, "far.s.echo --input {\"n\":2} --start-after 10m"),
    ("intent submit", Alike, "far.meta.tree"),
    ("intent submit", Alike, "far.s.echo --solution nowhere"),
    ("intent show", Same, "{intent}"),
    ("intent types", Same, ""),
    ("execution list", Same, "--outcome completed --limit 2"),
    ("execution show", Same, "{settled}"),
    ("execution watch", Same, "{settled}"),
    ("execution watch", Same, "{failed}"),
    ("execution records", Same, "{settled}"),
    ("execution audit", Same, "{cancelled}"),
    ("execution outcome", Same, "{settled}"),
    ("execution outcome", Same, "{failed}"),
    ("execution outcome", Same, "{held}"),
    ("execution cancel", Alike, "{held} --reason over"),
    ("execution cancel", Alike, "{settled}"),
    ("execution retry", Alike, "{failed} --reason again"),
    ("execution retry", Alike, "{held}"),
    ("execution cancel-all", Alike, "--session {held-session} --reason over"),
    ("execution retry-all", Alike, "--session {failed-session} --outcome failed --reason again"),
    ("execution pause", Alike, "{held}"),
    ("execution resume", Alike, "{paused}"),
    ("execution resume", Alike, "{held}"),
    ("component add", Alike, "{folder}"),
    ("component add", Alike, "nowhere"),
    ("component add", Alike, "bad"),
    ("component check", Same, "far"),
    ("component check", Same, "bad"),
    ("component list", Same, ""),
    ("component describe", Same, "far"),
    ("component describe", Same, "nobody"),
    ("component drain", Alike, "{component} 1.0.0"),
    ("component remove", Alike, "{drained} 1.0.0"),
    ("component remove", Alike, "{component} 1.0.0"),
    ("solution bind", Alike, "{solution}"),
    ("solution bind", Same, "nowhere.yaml"),
    ("solution bind", Same, "far/say.sh"),
    ("solution list", Same, ""),
    ("meta", Same, "tree"),
    ("meta", Same, "schema far --operation s.moon"),
    ("artifact put", Alike, "{file} --name walked.txt"),
    ("artifact put", Alike, "{file} --media-type text/csv"),
    ("artifact put", Same, "nowhere.txt"),
    ("artifact put", Same, "far"),
    ("artifact get", Same, "{reference}"),
    ("artifact get", Alike, "{reference} --output out-SIDE"),
    ("artifact get", Same, "{reference} --output bad/component.yaml"),
    ("artifact get", Same, "{reference} --output nowhere/x"),
    ("reference list", Same, "--limit 1"),
    ("reference show", Same, "{reference}"),
    ("lineage", Same, "{reference} --direction up --depth 3"),
    ("session open", Alike, "opened-SIDE --owner ada --ttl 8h"),
    ("session open", Alike, "{session}"),
    ("session show", Same, "default"),
    ("session show", Same, "{session}"),
    ("session upgrade", Alike, "{session} --owner ada"),
    ("session close", Alike, "{session} --reason over"),
    ("session list", Same, "--limit 2"),
    ("state get", Same, "{session} k"),
    ("state get", Same, "{session} moon"),
    ("state list", Same, "{session}"),
    ("state set", Alike, "{session} k [2.50] --if-version 1"),
    ("state set", Alike, "{session} k 2 --if-version 7"),
    ("state delete", Alike, "{session} k"),
    ("outbox list", Same, ""),
    ("outbox lag", Same, ""),
    ("outbox show", Same, "{message}"),
    ("outbox redeliver", Alike, "{message} --reason again"),
    ("outbox redeliver", Alike, "{message} --sink moon"),
    ("wal show", Same, "--limit 5"),
    ("wal show", Same, "--kind Settled --execution {settled}"),
    ("wal verify", Same, ""),
    ("wal verify", Same, "--expect-head 1:0000000000000000000000000000000000000000000000000000000000000000"),
    ("wal replay", Same, "--verify"),
    ("store verify", Same, ""),
    ("history drop", Alike, "--older-than 90d --reason tidy"),
    ("history drop", Same, "--older-than 90d --reason \u{a0}"),
    ("status", Same, ""),
    ("doctor", Alike, ""),
];

/// Verbs about the whole hub, which over HTTP take an administrator of tenant `default`.
const OF_THE_HUB: &[&str] = &[
    "component add",
    "component check",
    "component drain",
    "component remove",
    "solution bind",
    "outbox lag",
    "wal verify",
    "wal replay",
    "store",
    "history",
    "status",
    "doctor",
    "stop",
];

/// Verbs that are told apart here, and why.
const APART: &[(&str, &str)] = &[
    ("stop", "ends the hub: see the_verb_that_ends_a_hub_ends_it_on_either_way"),
    ("component inspect", "reads files of the machine where it is typed and asks no hub"),
    ("store backup", "names a folder of the hub's machine: see the tests of the store"),
    ("store restore", "puts a store where no hub is"),
];

/// Verbs that `enact client` has not, and why.
const NOT_ASKED: &[(&str, &str)] = &[
    ("serve", "is the hub"),
    ("client", "is the way itself"),
    ("token create", "who may come in is said on the hub's machine"),
    ("token list", "who may come in is said on the hub's machine"),
    ("token revoke", "who may come in is said on the hub's machine"),
    ("secret init", "the encrypted file is on the hub's machine"),
    ("secret set", "the encrypted file is on the hub's machine"),
    ("secret list", "the encrypted file is on the hub's machine"),
    ("secret remove", "the encrypted file is on the hub's machine"),
    ("config show", "is about the machine where it is typed"),
    ("config keys", "is about the machine where it is typed"),
    ("bench", "measures the machine where it is typed"),
    ("completions", "asks no hub"),
    ("docs", "asks no hub"),
];

/// Lists the verbs below a command, each with the words that lead to it.
fn verbs(command: &clap::Command, before: &str) -> BTreeSet<String> {
    let below = command.get_subcommands().flat_map(|next| {
        let path = format!("{before} {}", next.get_name()).trim().to_owned();
        if next.has_subcommands() && next.get_name() != "client" { verbs(next, &path) } else { BTreeSet::from([path]) }
    });
    below.collect()
}

fn named(list: &[(&str, &str)]) -> BTreeSet<String> {
    list.iter().map(|(verb, _)| (*verb).to_owned()).collect()
}

#[test]
fn every_verb_is_asked_on_both_ways_or_stands_in_a_list_with_its_reason() {
    let all = enact_cli::cli::definition();
    let client = all.find_subcommand("client").unwrap();
    let walked: BTreeSet<String> = VERBS.iter().map(|(verb, _, _)| (*verb).to_owned()).collect();
    let known: BTreeSet<String> = walked.union(&named(APART)).cloned().collect();
    assert_eq!(verbs(client, ""), known, "what `enact client` has, and what is asked here or told apart");
    let here: BTreeSet<String> = verbs(&all, "").difference(&verbs(client, "")).cloned().collect();
    assert_eq!(here, named(NOT_ASKED), "what `enact client` has not, and why");
}

const DESCRIPTOR: &str = "version: 1.0.0\nsummary: walked\nprocess: { command: [sh, ./say.sh], files: [say.sh] }\nservices:\n  s:\n    \
    say: { kind: query, call: { stdout: text } }\n";
const MORE: &str = "    echo: { kind: query, call: { command: [cat] }, input: { type: object, required: [n] } }\n    \
    fails: { kind: query, call: { command: [sh, -c, \"echo oh >&2; exit 3\"], stdin: empty } }\n    \
    never: { kind: query, call: { command: [sleep, \"1000012\"], stdin: empty } }\n    \
    keep:\n      kind: command\n      call: { command: [cat] }\n      \
    produces: [{ artifact: kept.json, from: stdout, media_type: application/json }]\n      emits: [{ type: far.kept }]\n";

/// A hub, and what the verbs are asked about.
struct Bed {
    far: Far,
    settled: String,
    intent: String,
    reference: String,
    message: String,
    made: Cell<u32>,
    /// Where the two ways differ.
    faults: RefCell<Vec<String>>,
}

impl Bed {
    fn open() -> Self {
        let far = Far::open();
        far.write("far/component.yaml", &format!("component: far\n{DESCRIPTOR}{MORE}"));
        far.write("far/say.sh", "echo hello\n");
        far.write(
            "bad/component.yaml",
            "component: bad\nversion: one\nprocess: { command: [./gone.sh], files: [gone.sh] }\n",
        );
        let none = String::new();
        let (settled, intent, reference, message) = (none.clone(), none.clone(), none.clone(), none);
        let mut bed = Self { far, settled, intent, reference, message, made: Cell::new(0), faults: RefCell::default() };
        bed.json(&["component", "add", "far"]);
        let kept = bed.json(&["run", "far.s.keep", "--input", "[1]"]);
        bed.settled = string(&kept["execution"]["id"]);
        bed.intent = string(&kept["execution"]["intent"]["intent_id"]);
        bed.reference = string(&bed.json(&["reference", "list"])["items"][0]["id"]);
        bed.message = string(&bed.json(&["outbox", "list"])["items"][0]["message"]["id"]);
        bed.quiet();
        bed
    }

    /// Asks over the socket, as the one whose token it is over HTTP, in the same folder.
    fn near(&self, args: &[&str]) -> Output {
        let all = [args, &["--tenant", "acme", "--actor", "token:ops"]].concat();
        on(self.far.store.path(), &all).current_dir(self.far.desk.path()).output().unwrap()
    }

    /// Asks over HTTP, with the token that the verb takes.
    fn over_http(&self, args: &[&str]) -> Output {
        let of_the_hub = OF_THE_HUB.iter().any(|verb| args.join(" ").starts_with(verb));
        if of_the_hub { self.far.run_as_root(args) } else { self.far.run(args) }
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.near(&[args, &["--json"]].concat());
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&ran.stderr)))
    }

    /// Waits until nothing is under way, so that the same question has the same answer.
    fn quiet(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let status = self.json(&["status"]);
            let pending = status["pending_messages"].as_u64().unwrap_or_else(|| panic!("{status}"));
            let running = self.json(&["execution", "list", "--state", "running"]);
            if pending == 0 && running["items"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(Instant::now() < end, "it never came to rest: {running} {status}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the tables are written behind: how far they lag is told, and goes on by itself.
    fn written_behind(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.json(&["status"])["behind"] != 0 {
            assert!(Instant::now() < end, "the tables are never written behind");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A name that nothing has yet.
    fn name(&self, side: &str) -> String {
        self.made.set(self.made.get() + 1);
        format!("n{}-{side}", self.made.get())
    }

    fn submitted(&self, args: &[&str]) -> String {
        let view = self.json(&[&["run"], args].concat());
        let id = view.pointer("/accepted/execution/execution/id").or_else(|| view.pointer("/execution/execution/id"));
        string(id.or_else(|| view.pointer("/execution/id")).unwrap_or_else(|| panic!("{args:?}: {view}")))
    }

    fn held(&self, session: &str) -> String {
        self.submitted(&[
            "far.s.echo",
            "--input",
            "{\"n\":1}",
            "--session",
            session,
            "--start-after",
            "10m",
            "--no-wait",
        ])
    }

    fn folder(&self, name: &str) -> String {
        self.far.write(&format!("{name}/component.yaml"), &format!("component: {name}\n{DESCRIPTOR}"));
        self.far.write(&format!("{name}/say.sh"), "echo hello\n");
        name.to_owned()
    }

    fn component(&self, name: &str) -> String {
        self.json(&["component", "add", &self.folder(name)]);
        name.to_owned()
    }

    /// Makes the subject that a word stands for.
    fn subject(&self, word: &str, side: &str) -> String {
        let name = self.name(side);
        match word {
            "settled" => self.settled.clone(),
            "intent" => self.intent.clone(),
            "reference" => self.reference.clone(),
            "message" => self.message.clone(),
            "failed" => self.submitted(&["far.s.fails"]),
            "held" => self.held("default"),
            "paused" | "cancelled" => {
                let (id, verb) = (self.held("default"), if word == "paused" { "pause" } else { "cancel" });
                self.json(&["execution", verb, &id]);
                id
            }
            "held-session" => {
                self.held(&name);
                name
            }
            "failed-session" => {
                self.submitted(&["far.s.fails", "--session", &name]);
                name
            }
            "folder" => self.folder(&name),
            "component" => self.component(&name),
            "drained" => {
                let name = self.component(&name);
                self.json(&["component", "drain", &name, "1.0.0"]);
                name
            }
            "solution" => {
                let text = format!("solution: {name}\ncomponents: {{ far: \">=1.0.0\" }}\n");
                self.far.write(&format!("{name}.yaml"), &text);
                format!("{name}.yaml")
            }
            "file" => {
                self.far.write(&format!("{name}.json"), &format!("[\"{name:>20}\"]"));
                format!("{name}.json")
            }
            "session" => {
                self.json(&["session", "open", &name]);
                self.json(&["state", "set", &name, "k", "1"]);
                name
            }
            other => panic!("{other} is no subject"),
        }
    }

    fn words(&self, verb: &str, after: &str, side: &str) -> Vec<String> {
        let word = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(subject)
                if subject.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !subject.is_empty() =>
            {
                self.subject(subject, side)
            }
            _ => word.replace("SIDE", side),
        };
        verb.split(' ').map(str::to_owned).chain(after.split(' ').filter(|word| !word.is_empty()).map(word)).collect()
    }

    /// Asks on both ways and holds the answers beside each other.
    fn compare(&self, answer: Answer, near: &[String], far: &[String], more: &[&str]) -> i32 {
        let words = |side: &[String]| -> Vec<String> {
            side.iter().cloned().chain(more.iter().map(|w| (*w).to_owned())).collect()
        };
        let (near, far) = (words(near), words(far));
        let over_socket = self.near(&near.iter().map(String::as_str).collect::<Vec<_>>());
        if answer == Alike {
            self.quiet_of(&near);
        }
        let over_http = self.over_http(&far.iter().map(String::as_str).collect::<Vec<_>>());
        if answer == Alike {
            self.quiet_of(&far);
        }
        let told = |ran: &Output| match answer {
            Same => (ran.status.code(), text(&ran.stdout), text(&ran.stderr)),
            Alike => (ran.status.code(), alike(&text(&ran.stdout)), alike(&text(&ran.stderr))),
        };
        let (over_socket, over_http) = (told(&over_socket), told(&over_http));
        if over_socket != over_http {
            self.faults
                .borrow_mut()
                .push(format!("{far:?}\n  over the socket: {over_socket:?}\n  over HTTP: {over_http:?}"));
        }
        over_http.0.unwrap()
    }

    /// Ends what was left running.
    fn quiet_of(&self, words: &[String]) {
        if words.iter().any(|word| word == "far.s.never") {
            self.json(&["execution", "cancel-all", "--selector", "far.s.never", "--reason", "over"]);
        }
        self.quiet();
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Returns an answer without what two askings must differ in: ids, times, digests, positions, and whose subject it is.
fn alike(answer: &str) -> String {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(answer).into_iter().collect();
    match documents {
        Ok(documents) if !documents.is_empty() => {
            documents.into_iter().map(|document| plain("", document).to_string()).collect::<Vec<_>>().join("\n")
        }
        _ => plain_text(answer),
    }
}

fn plain(key: &str, value: Value) -> Value {
    let counts = |key: &str| {
        let ends = [
            "due",
            "start_after",
            "_at",
            "lsn",
            "_ms",
            "time",
            "position",
            "records",
            "last",
            "rows",
            "head",
            "bytes",
            "settled",
            "id",
        ];
        ends.iter().any(|end| key.ends_with(end))
    };
    match value {
        Value::Number(_) if counts(key) => Value::from("N"),
        Value::String(text) => Value::from(plain_text(&text)),
        Value::Array(items) if key == "records" && items.iter().all(Value::is_number) => Value::from(items.len()),
        Value::Array(items) => items.into_iter().map(|item| plain(key, item)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (plain_text(&key), plain(&key, value))).collect()
        }
        other => other,
    }
}

fn plain_text(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let mut out = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(part) {
        out.push_str(&rest[..begin]);
        let end = rest[begin..].find(|c| !part(c)).map_or(rest.len(), |end| begin + end);
        out.push_str(&plain_word(&rest[begin..end]));
        rest = &rest[end..];
    }
    out + rest
}

fn plain_word(word: &str) -> String {
    let is_id = |prefix: &str| {
        word.len() == prefix.len() + 27 && word.starts_with(prefix) && word.as_bytes()[prefix.len()] == b'_'
    };
    if let Some(prefix) = ["exe", "int", "ref", "msg", "ses"].into_iter().find(|prefix| is_id(prefix)) {
        return format!("{prefix}_ID");
    }
    if let Some((before, _)) = word.split_once("sha256:") {
        return format!("{before}DIGEST");
    }
    if word.len() > 19 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T' {
        return "TIME".to_owned();
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return "N".to_owned();
    }
    // `n17-far.json`: the subject of one way.
    let named = word.strip_prefix('n').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    match named {
        Some(rest) if rest.starts_with("-near") || rest.starts_with("-far") => {
            format!("n-{}", rest.replacen("-near", "", 1).replacen("-far", "", 1))
        }
        _ => word.replace("-near", "-SIDE").replace("-far", "-SIDE"),
    }
}

/// Names what is nowhere, in place of what is.
fn nowhere(word: &str) -> Option<String> {
    let prefix = ["exe_", "int_", "ref_", "msg_"].into_iter().find(|prefix| word.starts_with(prefix))?;
    Some(format!("{prefix}{}", "0".repeat(26)))
}

#[test]
fn every_verb_has_the_same_answer_and_exit_status_over_http_and_over_the_socket() {
    let bed = Bed::open();
    let mut statuses = BTreeSet::new();
    for (verb, answer, after) in VERBS {
        let near = bed.words(verb, after, "near");
        let far = if *answer == Same { near.clone() } else { bed.words(verb, after, "far") };
        bed.quiet();
        if *verb == "status" {
            bed.written_behind();
        }
        statuses.insert(bed.compare(*answer, &near, &far, &["--json"]));
        if *answer == Same {
            bed.compare(Same, &near, &far, &[]);
        }
        let lost: Vec<String> = near.iter().map(|word| nowhere(word).unwrap_or_else(|| word.clone())).collect();
        if lost != near {
            assert_ne!(bed.compare(Same, &lost, &lost, &["--json"]), 0, "{lost:?}");
        }
    }
    let kept = |side: &str| {
        let path = bed.far.desk.path().join(format!("out-{side}"));
        (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().permissions().mode())
    };
    assert_eq!(kept("near"), kept("far"), "a file that was got");
    let faults = bed.faults.take();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Nothing is proven by answers that are all alike.
    assert!([0, 10, 12].iter().all(|status| statuses.contains(status)), "{statuses:?}");
}

#[test]
fn what_asks_no_hub_and_what_puts_a_store_back_say_so() {
    let bed = Bed::open();
    let inspect = ["component", "inspect", "nowhere.jar", "--json"];
    let (near, far) = (bed.near(&inspect), bed.far.run(&inspect));
    assert_eq!((near.status, text(&near.stdout)), (far.status, text(&far.stdout)));
    for words in [&["store", "restore", "copy"][..], &["store", "verify", "copy"]] {
        let refused = bed.far.run(words);
        assert_eq!(refused.status.code(), Some(10), "{words:?}");
        assert!(text(&refused.stderr).contains("without `client`"), "{}", text(&refused.stderr));
    }
}

#[test]
fn the_verb_that_ends_a_hub_ends_it_on_either_way() {
    let stop = ["stop", "--reason", "over", "--json"];
    let (mut near, mut far) = (Bed::open(), Bed::open());
    let (over_socket, over_http) = (near.near(&stop), far.over_http(&stop));
    assert_eq!((over_socket.status.code(), text(&over_socket.stdout)), (Some(0), text(&over_http.stdout)));
    assert_eq!(over_http.status.code(), Some(0));
    assert!(near.far.hub.wait().unwrap().success() && far.far.hub.wait().unwrap().success());
}
