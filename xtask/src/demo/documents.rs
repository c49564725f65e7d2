//! Steps 1 to 3: a fat JAR as a component, a PDF as a reference, its tables as an artifact derived from it.

use std::fs;
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::hub::Hub;
use crate::failure::{Failure, Outcome, Place};
use crate::fixtures::Fixtures;
use crate::report::{Stages, say};
use crate::shell;

/// A document that was taken in.
struct Ingested {
    name: String,
    reference: String,
}

/// Tells them.
///
/// # Errors
/// A command that cannot be typed at all; what it answers goes into the table.
pub fn tell(stages: &mut Stages, hub: &Hub, folder: &Path, fixtures: &Fixtures, told: &mut Told) -> Outcome<()> {
    stages.run("1. a fat JAR that somebody else wrote, as a component", |_| component(hub, fixtures, told))?;
    let ingested = stages.run("2. a PDF becomes a reference", |_| ingest(hub, fixtures, told))?;
    stages.run("3. its tables become an artifact derived from it", |_| analyze(hub, folder, &ingested, told))
}

fn component(hub: &Hub, fixtures: &Fixtures, told: &mut Told) -> Outcome<()> {
    say(format!("content/tabula.jar is from {}", fixtures.origin));
    let added = hub.show(&["component", "add", "content"])?;
    hub.show(&["component", "describe", "content"])?;
    let jar = fs::read(&fixtures.jar).doing(|| "read the JAR".to_owned())?;
    let seen = format!("{} MB of somebody else's code, 0 lines changed", jar.len() / 1_000_000);
    told.so("1 a fat JAR as a component", seen, added.status == Some(0));
    Ok(())
}

fn ingest(hub: &Hub, fixtures: &Fixtures, told: &mut Told) -> Outcome<Vec<Ingested>> {
    let mut ingested = Vec::new();
    for document in &fixtures.documents {
        let name = document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let input = format!(r#"{{"path":"{name}"}}"#);
        let key = format!("ingest-{name}");
        let words = ["intent", "submit", "ingest_file", "--input", &input, "--key", &key, "--wait", "30s"];
        hub.show(&words)?;
        // The same key: the same execution, so that asking again for the JSON runs nothing.
        let answer = hub.json(&words)?;
        let output =
            answer.view().and_then(|view| view.at("/output")).ok_or_else(|| no_output(&answer, "ingest_file"))?;
        let bytes = fs::read(document).doing(|| format!("read {name}"))?;
        let right = output.text("/digest").ends_with(&sha256(&bytes))
            && output.number("/size") == Some(bytes.len() as u64)
            && output.text("/media_type") == "application/pdf";
        let seen = format!("{} bytes, {}", bytes.len(), short(&output.text("/digest")));
        told.so(format!("2 {name} is a reference"), seen, right && answer.compact().len() < 16_384);
        ingested.push(Ingested { name, reference: output.compact() });
    }
    Ok(ingested)
}

fn analyze(hub: &Hub, folder: &Path, ingested: &[Ingested], told: &mut Told) -> Outcome<()> {
    let mut last = String::new();
    for document in ingested {
        let input = format!(r#"{{"document":{}}}"#, document.reference);
        let key = format!("analyze-{}", document.name);
        let words = ["intent", "submit", "analyze_content", "--input", &input, "--key", &key, "--wait", "60s"];
        hub.show(&words)?;
        let answer = hub.json(&words)?;
        let tables = answer
            .view()
            .and_then(|view| view.at("/output/tables"))
            .ok_or_else(|| no_output(&answer, "analyze_content"))?;
        let by_hand = by_hand(folder, &document.name)?;
        let found = Answer::parse(&by_hand).map(|all| all.list("")).unwrap_or_default();
        let rows: usize = found.iter().map(|table| table.list("/data").len()).sum();
        let same = tables.text("/digest").ends_with(&sha256(&by_hand));
        let what = format!("3 {}: {} table, {rows} rows", document.name, found.len());
        told.so(what, "the very bytes that the JAR prints by hand", same && rows > 0);
        last = tables.text("/id");
    }
    hub.show(&["artifact", "get", &last])?;
    hub.show(&["lineage", &last])?;
    let lineage = hub.json(&["lineage", &last])?;
    let from = lineage.list("/nodes").iter().map(|node| node.text("/1/name")).collect::<Vec<_>>();
    let pdf = ingested.last().map(|document| document.name.clone()).unwrap_or_default();
    let derived = from.contains(&pdf) && lineage.is_true("/complete");
    told.so("3 lineage of the tables", format!("derived from {pdf}"), derived);
    events(hub, folder, ingested, told)
}

fn events(hub: &Hub, folder: &Path, ingested: &[Ingested], told: &mut Told) -> Outcome<()> {
    hub.show(&["outbox", "list"])?;
    say("\n$ cat events.jsonl");
    let path = folder.join("events.jsonl");
    let begin = std::time::Instant::now();
    // The relay delivers after the commit, by itself; it is given a moment.
    let lines = loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<Answer> = text.lines().filter_map(|line| Answer::parse(line.as_bytes())).collect();
        if lines.len() >= ingested.len() || begin.elapsed().as_secs() >= 5 {
            break lines;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    for line in &lines {
        say(format!("    {}…", line.compact().chars().take(115).collect::<String>()));
    }
    let delivered = |document: &Ingested| {
        let id =
            Answer::parse(document.reference.as_bytes()).map(|reference| reference.text("/id")).unwrap_or_default();
        let of_it = |line: &&Answer| line.text("/type") == "content.analyzed" && line.text("/data/document") == id;
        lines.iter().filter(of_it).count() == 1
    };
    let right = ingested.iter().all(delivered) && lines.len() == ingested.len();
    told.so("3 content.analyzed, promised in the same commit", format!("{} lines in events.jsonl", lines.len()), right);
    Ok(())
}

/// What the JAR prints when a user runs it in a terminal.
fn by_hand(folder: &Path, name: &str) -> Outcome<Vec<u8>> {
    let content = folder.join("content");
    let mut java = Command::new("java");
    java.current_dir(&content).args(["-jar", "tabula.jar", "-f", "JSON", "-p", "all"]).arg(format!("documents/{name}"));
    shell::output(&mut java).map(|output| output.stdout)
}

fn no_output(answer: &Answer, what: &str) -> Failure {
    Failure::to(format!("find the output of {what} in {}", answer.compact().chars().take(600).collect::<String>()))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(digest: &str) -> String {
    format!("{}…", digest.chars().take(19).collect::<String>())
}
