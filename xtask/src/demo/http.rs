//! Step 7: the same over HTTP, from the curl lines of the README: documents, intents, functions, a failure, a stream that was cut.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::hub::Hub;
use crate::demo::lines::Lines;
use crate::failure::{Failure, Outcome, Place};
use crate::report::say;

/// How long the first event of a stream may take.
const FIRST_EVENT_MAX: Duration = Duration::from_secs(10);

/// The document that the lines name.
pub const DOCUMENT: &str = "campaign_donors.pdf";

/// Tells what documents do over HTTP; they were added as a component before.
///
/// # Errors
/// A line that cannot be typed at all, or an answer that is none; the rest goes into the table.
pub fn documents(hub: &mut Hub, lines: &Lines, document: &Path, told: &mut Told) -> Outcome<()> {
    let bytes = fs::read(document).doing(|| format!("read {DOCUMENT}"))?;
    let reference = answer(&last(hub, &lines.upload)?)?;
    let right = reference.text("/digest").ends_with(&sha256(&bytes)) && reference.number("/size").is_some();
    told.so(
        format!("7 {DOCUMENT} uploaded by POST /v1/artifacts"),
        reference.text("/digest").chars().take(19).collect::<String>(),
        right,
    );
    let settled = answer(&last(hub, &lines.analyze)?)?;
    let digest = settled.view().map(|view| view.text("/output/tables/digest")).unwrap_or_default();
    told.so("7 analyze_content by POST /v1/intents?wait=60s", short(&digest), digest.len() > 64);
    let [analyzed, tables, lineage] = three(hub, &lines.function)?;
    let again = answer(&analyzed)?.text("/tables/digest");
    told.so("7 the same by POST /rest/v1/content/files/analyze", short(&again), again == digest);
    let same = digest.ends_with(&sha256(tables.as_bytes()));
    told.so("7 its tables by GET /v1/artifacts/DIGEST", format!("{} bytes, digest as said", tables.len()), same);
    let lineage = answer(&lineage)?;
    let from: Vec<String> = lineage.list("/nodes").iter().map(|node| node.text("/1/name")).collect();
    let derived = from.iter().any(|name| name == DOCUMENT);
    told.so("7 their lineage by GET /v1/references/ID/lineage", format!("from {}", from.join(", ")), derived);
    Ok(())
}

/// Tells what a program that fails is over HTTP: an answer, as data.
///
/// # Errors
/// As [`documents`].
pub fn failure(hub: &mut Hub, lines: &Lines, told: &mut Told) -> Outcome<()> {
    let [problem, found] = two(hub, &lines.failure)?;
    let (problem, found) = (answer(&problem)?, answer(&found)?);
    let (code, execution) = (problem.text("/code"), problem.text("/execution_id"));
    let items = found.list("/items");
    let outcome = items.iter().find(|view| view.text("/execution/id") == execution).cloned();
    let same = outcome.is_some_and(|view| view.text("/execution/outcome/failed/conclusion/code") == code);
    let seen = format!("{} [{code}]", problem.text("/detail").chars().take(50).collect::<String>());
    told.so("7 a program that fails is an answer, and is found by its words", seen, code.len() == 12 && same);
    Ok(())
}

/// Tells how a stream goes on after its connection was cut.
///
/// # Errors
/// As [`documents`].
pub fn stream(hub: &mut Hub, lines: &Lines, folder: &Path, told: &mut Told) -> Outcome<()> {
    let [submit, follow] = lines.stream.as_slice() else {
        return Err(Failure::to("find two lines of `# stream:` in README.md"));
    };
    let execution = hub.shell(submit)?;
    let before = cut(hub, folder, follow)?;
    let seen = ids(&before).last().cloned().unwrap_or_default();
    say(format!("    … and its connection is cut after event {seen}, while the execution goes on"));
    hub.show_set("seen", &seen);
    let after = last(hub, &lines.resume)?;
    let records = hub.json(&["execution", "records", execution.trim()])?;
    let mut logged: Vec<String> =
        records.list("/items").iter().filter_map(|record| record.number("/lsn")).map(|lsn| lsn.to_string()).collect();
    logged.sort_by_key(|lsn| lsn.parse::<u64>().unwrap_or(0));
    let told_ids: Vec<String> = ids(&before).into_iter().chain(ids(&after)).collect();
    let right = !before.contains("event: settled") && after.contains("event: settled") && told_ids == logged;
    let seen = format!("{} events and then {}, none twice, none missing", ids(&before).len(), ids(&after).len());
    told.so("7 a stream that was cut goes on by Last-Event-ID", seen, right);
    Ok(())
}

/// Types the lines of a step and returns every answer.
fn typed(hub: &mut Hub, lines: &[String]) -> Outcome<Vec<String>> {
    lines.iter().map(|line| hub.shell(line)).collect()
}

/// Types the lines of a step and returns the last answer.
///
/// # Errors
/// A line that ends with another status than 0.
pub fn last(hub: &mut Hub, lines: &[String]) -> Outcome<String> {
    Ok(typed(hub, lines)?.pop().unwrap_or_default())
}

fn two(hub: &mut Hub, lines: &[String]) -> Outcome<[String; 2]> {
    typed(hub, lines)?.try_into().map_err(|_| Failure::to("find two lines of a step in README.md"))
}

fn three(hub: &mut Hub, lines: &[String]) -> Outcome<[String; 3]> {
    typed(hub, lines)?.try_into().map_err(|_| Failure::to("find three lines of a step in README.md"))
}

/// Follows a stream until its first events are there, then kills the one who follows; returns what it got.
fn cut(hub: &Hub, folder: &Path, line: &str) -> Outcome<String> {
    say(format!("\n$ {line} > stream.txt &"));
    let path = folder.join("stream.txt");
    let file = fs::File::create(&path).doing(|| "make stream.txt".to_owned())?;
    let mut command = hub.shell_command(&format!("exec {line}"));
    let follower = Follower(command.stdout(file).stderr(Stdio::null()).spawn().doing(|| "start curl".to_owned())?);
    let begin = Instant::now();
    // An event ends with an empty line.
    while !fs::read_to_string(&path).unwrap_or_default().contains("\n\n") {
        if begin.elapsed() > FIRST_EVENT_MAX {
            return Err(Failure::to(format!("see an event of the stream within {} s", FIRST_EVENT_MAX.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    say("$ kill -9 $!");
    drop(follower);
    let got = fs::read_to_string(&path).doing(|| "read stream.txt".to_owned())?;
    // Half an event is none: it comes again, as a browser would have it.
    Ok(got.rsplit_once("\n\n").map_or_else(String::new, |(whole, _)| format!("{whole}\n\n")))
}

/// Ends the one who follows a stream, by its pid.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn ids(events: &str) -> Vec<String> {
    events.lines().filter_map(|line| line.strip_prefix("id:")).map(|id| id.trim().to_owned()).collect()
}

/// Reads what curl printed.
pub fn answer(text: &str) -> Outcome<Answer> {
    Answer::parse(text.as_bytes())
        .ok_or_else(|| Failure::to(format!("read an answer of curl: {:?}", text.chars().take(300).collect::<String>())))
}

/// Whether curl is here and knows `--json` and `%header{…}`.
pub fn curl_works() -> bool {
    let version = crate::shell::text(Command::new("curl").arg("--version")).unwrap_or_default();
    let mut numbers = version.split([' ', '.']).skip(1).map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (7, 84)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(digest: &str) -> String {
    format!("tables {}…", digest.chars().take(19).collect::<String>())
}
