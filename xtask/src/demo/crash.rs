//! Step 5: `kill -9` of the hub in the middle of a hundred executions, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::hub::{Hub, typed_line};
use crate::failure::{Failure, Outcome};
use crate::report::say;

const INTENTS: usize = 100;
/// The hub is killed once so many intents were acknowledged: the first ones are settled by then, some run, some wait.
const KILLED_AFTER: usize = 60;
const SUBMITTERS: usize = 4;
/// How long all of them may take after the restart.
const SETTLED_MAX: Duration = Duration::from_secs(60);

/// Tells it.
///
/// # Errors
/// A command that cannot be typed at all, or the hub does not start again; the rest goes into the table.
pub fn tell(hub: &mut Hub, folder: &Path, told: &mut Told) -> Outcome<()> {
    let ledger = folder.join("ledger.txt");
    let ledger = ledger.to_string_lossy().into_owned();
    say("half of them run at most once (append_line), half may be run again with the same token (put_line);");
    say("each program appends a line to ledger.txt, so that one sees from outside what really ran.");
    let words = words(&ledger, 1);
    say(typed_line(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    say("    … and 99 more, from four terminals at once");
    let before = submit(hub, &ledger, KILLED_AFTER)?;
    let settled_before = executions(hub)?.values().filter(|execution| execution.text("/phase") == "settled").count();
    hub.kill_9()?;
    say(format!("    ({} intents were acknowledged by then, {settled_before} of them settled)", before.len()));
    hub.serve()?;
    say("the same hundred again, with the same keys: what was acknowledged is not run anew");
    let after = submit(hub, &ledger, INTENTS)?;
    let ids: BTreeSet<&String> = after.values().collect();
    let kept = before.iter().filter(|(key, id)| after.get(*key) == Some(*id)).count();
    told.so(
        "5 killed in the middle",
        format!("{settled_before} of {} were settled", before.len()),
        settled_before < before.len(),
    );
    told.so(
        "5 acknowledged before kill -9",
        format!("{kept} of {} kept their execution", before.len()),
        kept == before.len(),
    );
    let all = wait_for_all(hub, &ids)?;
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for id in &ids {
        let execution = all.get(*id);
        *words.entry(execution.map_or_else(|| "lost".to_owned(), Answer::outcome_word)).or_default() += 1;
    }
    let seen = words.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ");
    let settled = ids.len() == INTENTS && words.keys().all(|word| word == "completed" || word == "failed");
    told.so("5 a hundred intents, one outcome each", seen, settled);
    hub.show(&["execution", "list"])?;
    ledger_agrees(&ledger, &after, &all, told);
    let typed = hub.show(&["wal", "replay", "--verify"])?;
    let report = hub.json(&["wal", "replay", "--verify"])?;
    let faults = report.list("/faults").len();
    let (records, rows) = (report.number("/records"), report.number("/rows"));
    let agrees = typed.status == Some(0) && faults == 0 && rows.is_some_and(|rows| rows > 0);
    let seen = format!("{} records make {} rows, {faults} differ", records.unwrap_or(0), rows.unwrap_or(0));
    told.so("5 the log replays to the tables", seen, agrees);
    hub.show(&["doctor"])?;
    Ok(())
}

fn key(number: usize) -> String {
    format!("line-{number:03}")
}

fn words(ledger: &str, number: usize) -> Vec<String> {
    let intent_type = if number.is_multiple_of(2) { "put_line" } else { "append_line" };
    let key = key(number);
    let input = format!(r#"{{"ledger":"{ledger}","line":"{key}"}}"#);
    ["intent", "submit", intent_type, "--input", &input, "--key", &key].map(str::to_owned).to_vec()
}

/// Submits intents from several threads until so many are acknowledged, and returns their executions by key.
fn submit(hub: &Hub, ledger: &str, enough: usize) -> Outcome<BTreeMap<String, String>> {
    let acknowledged: Mutex<BTreeMap<String, String>> = Mutex::default();
    let fault: Mutex<Option<Failure>> = Mutex::default();
    let next = AtomicUsize::new(1);
    let over = AtomicBool::new(false);
    let worker = || {
        while !over.load(Ordering::SeqCst) {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number > INTENTS {
                break;
            }
            let words = words(ledger, number);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match hub.json(&words) {
                Ok(answer) => {
                    let id = answer.execution_id();
                    let Ok(mut list) = acknowledged.lock() else { break };
                    if !id.is_empty() {
                        list.insert(key(number), id);
                    }
                    if list.len() >= enough {
                        over.store(true, Ordering::SeqCst);
                    }
                }
                Err(failure) => {
                    over.store(true, Ordering::SeqCst);
                    if let Ok(mut fault) = fault.lock() {
                        *fault = Some(failure);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SUBMITTERS {
            scope.spawn(worker);
        }
    });
    if let Ok(Some(failure)) = fault.into_inner() {
        return Err(failure);
    }
    acknowledged.into_inner().map_err(|_| Failure::to("submit a hundred intents: a thread broke off"))
}

/// Lists the executions of the component, by id.
fn executions(hub: &Hub) -> Outcome<BTreeMap<String, Answer>> {
    let answer = hub.json(&["execution", "list", "--selector", "trouble.ledger", "--limit", "1000"])?;
    let items = answer.list("/items");
    Ok(items
        .iter()
        .filter_map(|view| view.at("/execution"))
        .map(|execution| (execution.text("/id"), execution))
        .collect())
}

fn wait_for_all(hub: &Hub, ids: &BTreeSet<&String>) -> Outcome<BTreeMap<String, Answer>> {
    let begin = Instant::now();
    loop {
        let all = executions(hub)?;
        let settled = |id: &&String| all.get(*id).is_some_and(|execution| execution.text("/phase") == "settled");
        if ids.iter().all(settled) || begin.elapsed() > SETTLED_MAX {
            return Ok(all);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Compares the outcomes with what the programs themselves wrote down.
fn ledger_agrees(ledger: &str, ids: &BTreeMap<String, String>, all: &BTreeMap<String, Answer>, told: &mut Told) {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        *runs.entry(line).or_default() += 1;
    }
    let (mut twice, mut without_run, mut unfinished) = (0, 0, 0);
    for (number, key) in (1..=INTENTS).map(|number| (number, key(number))) {
        let count = runs.get(key.as_str()).copied().unwrap_or(0);
        let word = ids.get(&key).and_then(|id| all.get(id)).map(Answer::outcome_word).unwrap_or_default();
        let may_run_again = number.is_multiple_of(2);
        twice += usize::from(!may_run_again && count > 1);
        without_run += usize::from(word == "completed" && count == 0);
        unfinished += usize::from(may_run_again && word != "completed");
    }
    let doubtful = ids.values().filter_map(|id| all.get(id)).filter(|it| it.outcome_word() == "failed");
    let (mut in_doubt, mut other) = (0, 0);
    for execution in doubtful {
        if execution.is_true("/outcome/failed/conclusion/may_have_run") { in_doubt += 1 } else { other += 1 }
    }
    told.so(
        "5 at most once, seen from outside",
        format!("{twice} ran twice, {in_doubt} in doubt and said so"),
        twice == 0 && other == 0,
    );
    let seen = format!("{} lines in ledger.txt, {without_run} completed without a run", text.lines().count());
    told.so("5 no success without a run", seen, without_run == 0);
    told.so("5 what may run again was finished", format!("{unfinished} of 50 were not"), unfinished == 0);
}
