//! Step 4: three programs that misbehave, each a failed outcome with its conclusion, beside one that completes.

use std::fs;
use std::time::{Duration, Instant};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::hub::Hub;
use crate::failure::Outcome;
use crate::report::say;

const PROGRAMS: &[(&str, &str)] = &[
    ("trouble.programs.never-ends", "never ends"),
    ("trouble.programs.floods", "prints a gigabyte"),
    ("trouble.programs.exits-three", "exits with 3"),
];
/// In the argument list of the child that never ends, and in no other.
const SLEEPER: &str = "1000003";

/// Tells it.
///
/// # Errors
/// A command that cannot be typed at all; what it answers goes into the table.
pub fn tell(hub: &Hub, told: &mut Told) -> Outcome<()> {
    hub.show(&["component", "add", "trouble"])?;
    let mut ids = Vec::new();
    for (selector, what) in PROGRAMS {
        let words = ["run", selector, "--input", "{}", "--no-wait", "--key", what];
        hub.show(&words)?;
        ids.push((*what, hub.json(&words)?.execution_id()));
    }
    let words = ["run", "trouble.programs.healthy", "--input", r#"{"a":40,"b":2}"#, "--key", "beside"];
    let typed = hub.show(&words)?;
    let healthy = hub.json(&words)?;
    let right = typed.status == Some(0) && healthy.view().and_then(|view| view.number("/output/sum")) == Some(42);
    told.so("4 a healthy one beside them", "completed, 40 + 2 = 42", right);
    let mut codes = Vec::new();
    for (what, id) in &ids {
        let settled = settled(hub, id)?;
        hub.show(&["execution", "outcome", id])?;
        let conclusion = settled.at("/outcome/failed/conclusion");
        let code = conclusion.as_ref().map(|it| it.text("/code")).unwrap_or_default();
        let message = conclusion.map(|it| it.text("/message")).unwrap_or_else(|| settled.outcome_word());
        told.so(
            format!("4 one that {what}"),
            format!("failed: {} [{code}]", message.chars().take(60).collect::<String>()),
            code.len() == 12,
        );
        codes.push(code);
    }
    hub.show(&["execution", "list", "--selector", "trouble.programs"])?;
    codes.sort();
    codes.dedup();
    let left = still_running();
    say(format!("\n(processes of the one that never ends that are still there: {left})"));
    told.so(
        "4 three failures, three meanings",
        format!("{} codes, {left} processes left", codes.len()),
        codes.len() == 3 && left == 0,
    );
    Ok(())
}

/// Waits until an execution is settled and returns it.
pub(super) fn settled(hub: &Hub, id: &str) -> Outcome<Answer> {
    let begin = Instant::now();
    loop {
        let answer = hub.json(&["execution", "show", id])?;
        let execution = answer.view().and_then(|view| view.at("/execution")).unwrap_or(answer);
        if execution.text("/phase") == "settled" || begin.elapsed() > Duration::from_secs(30) {
            return Ok(execution);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn still_running() -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_it = |line: Vec<u8>| {
        let line = String::from_utf8_lossy(&line).into_owned();
        line.split('\0').any(|word| word == SLEEPER)
    };
    processes.filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(has_it)).count()
}
