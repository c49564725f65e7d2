//! Step 6: a Scala assembly that is kept warm, and a JVM that breaks in every way beside one that does not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::hub::{Hub, typed_line};
use crate::demo::trouble::settled;
use crate::failure::{Failure, Outcome, Place};
use crate::report::say;
use crate::shell;

const CALLS: usize = 1_000;
const BASKET: &str =
    r#"{"basket":{"items":[{"sku":"tea","price":2.5,"count":2},{"sku":"cup","price":7.95}],"coupon":"TEN"}}"#;
const GREETING: &str = r#"{"name":"Ada","times":2}"#;
/// How long the archive of the classes may take to be made.
const ARCHIVE_MAX: Duration = Duration::from_secs(60);

/// What the component is asked to do to its JVM.
const TROUBLE: &[(&str, &str, &str)] = &[
    ("pricing.trouble.exhaust", "{}", "fills the heap"),
    ("pricing.trouble.exit", r#"{"status":3}"#, "calls System.exit(3)"),
    ("pricing.trouble.overflow", r#"{"depth":0}"#, "calls itself for ever"),
    ("pricing.trouble.spin", r#"{"turns":0}"#, "never ends"),
    ("pricing.trouble.segfault", r#"{"address":0}"#, "writes to address 0"),
];

/// Builds the two examples into the demo's folder.
///
/// # Errors
/// The compilers are here and fail.
pub fn build(folder: &Path) -> Outcome<()> {
    for (example, jar) in [("jar-scala-pricing", "pricing-assembly.jar"), ("jar-java", "greeting.jar")] {
        let script = shell::root().join("examples").join(example).join("build.sh");
        say(format!("$ sh examples/{example}/build.sh"));
        shell::run(Command::new("sh").arg(script).arg(folder.join(example).join(jar)))?;
    }
    Ok(())
}

/// Tells it.
///
/// # Errors
/// A command that cannot be typed at all; what it answers goes into the table.
pub fn tell(hub: &mut Hub, folder: &Path, told: &mut Told) -> Outcome<()> {
    hub.show(&["component", "add", "jar-scala-pricing"])?;
    hub.show(&["component", "add", "jar-java"])?;
    let run = ["run", "pricing.quote.total", "--input", BASKET];
    hub.show(&run)?;
    let output = hub.json(&run)?.view().and_then(|view| view.at("/output"));
    let right = output.as_ref().is_some_and(|output| output.text("/currency") == "EUR");
    let seen = output.map_or_else(|| "nothing".to_owned(), |output| output.compact());
    told.so("6 a Scala 2.11 assembly, called as it is", seen, right);
    let calls = CALLS.to_string();
    let bench = ["bench", "pricing.quote.total", "--input", BASKET, "--calls", &calls, "--in-flight", "1"];
    hub.show(&bench)?;
    let rows = hub.json(&bench)?.list("");
    let [_, half, most] = rows.as_slice() else {
        return Err(Failure::to(format!("call it {CALLS} times: the answer has {} rows", rows.len())));
    };
    let (half, most) = (half.at("/value"), most.at("/value"));
    let measured = half.is_some() && most.is_some();
    let ms = |value: Option<Answer>| value.map_or_else(|| "?".to_owned(), |value| format!("{} ms", value.compact()));
    let seen = format!("each durable; half under {}, 99 of 100 under {}", ms(half), ms(most));
    told.so(format!("6 {CALLS} calls, warm"), seen, measured);
    let (first, archived) = cold_starts(hub, &folder.join("store"))?;
    told.so("6 a first cold start, and a call", format!("{} ms", first.as_millis()), true);
    told.so("6 a cold start from its archive, and a call", format!("{} ms", archived.as_millis()), true);
    trouble(hub, told)
}

/// Starts the hub twice, without the archives of classes and with them; returns how long the first call takes each time.
fn cold_starts(hub: &mut Hub, store: &Path) -> Outcome<(Duration, Duration)> {
    wait_for_archives(store)?;
    let call = |hub: &mut Hub, archives: bool| {
        hub.stop()?;
        for archive in archives_in(store).into_iter().filter(|_| !archives) {
            std::fs::remove_file(&archive).doing(|| format!("remove {}", archive.display()))?;
        }
        hub.serve()?;
        let begin = Instant::now();
        hub.show(&["run", "pricing.quote.total", "--input", BASKET])?;
        Ok(begin.elapsed())
    };
    say("\nthe archive of its classes is taken away, as before its very first start:");
    let first = call(hub, false)?;
    wait_for_archives(store)?;
    Ok((first, call(hub, true)?))
}

fn wait_for_archives(store: &Path) -> Outcome<()> {
    let begin = Instant::now();
    while archives_in(store).is_empty() {
        if begin.elapsed() > ARCHIVE_MAX {
            return Err(Failure::to("find an archive of the classes, a minute after the first start"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Returns the archives of classes below a folder.
fn archives_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let of = |path: PathBuf| match path.extension() {
        Some(ending) if ending == "jsa" => vec![path],
        _ => archives_in(&path),
    };
    entries.flat_map(of).collect()
}

fn trouble(hub: &Hub, told: &mut Told) -> Outcome<()> {
    let beside = ["bench", "greeting.say.hello", "--input", GREETING, "--time", "15s", "--in-flight", "2"];
    say("\nbeside what follows, another component is called all the time:");
    say(typed_line(&beside));
    let (healthy, ended) = std::thread::scope(|scope| {
        let healthy = scope.spawn(|| hub.json(&beside));
        let ended: Outcome<Vec<_>> = TROUBLE
            .iter()
            .map(|(selector, input, what)| {
                let words = ["run", selector, "--input", input, "--no-wait", "--key", what];
                say(typed_line(&words));
                let id = hub.json(&words)?.execution_id();
                let settled = settled(hub, &id)?;
                hub.show(&["execution", "outcome", &id])?;
                Ok((*what, settled))
            })
            .collect();
        (healthy.join(), ended)
    });
    let mut codes = BTreeSet::new();
    for (what, settled) in ended? {
        let conclusion = settled.at("/outcome/failed/conclusion");
        let code = conclusion.as_ref().map(|it| it.text("/code")).unwrap_or_default();
        let message = conclusion.map(|it| it.text("/message")).unwrap_or_else(|| settled.outcome_word());
        let seen = format!("failed: {} [{code}]", message.chars().take(60).collect::<String>());
        let own = code.len() == 12 && codes.insert(code);
        told.so(format!("6 one that {what}"), seen, own);
    }
    let calls = healthy.map_err(|_| Failure::to("hear from the component beside them"))??.list("");
    let rate = calls.first().and_then(|row| row.at("/value")).map(|value| value.compact());
    told.so(
        "6 a healthy component beside them",
        format!("every call answered, {} a second", rate.clone().unwrap_or_else(|| "none".to_owned())),
        rate.is_some(),
    );
    hub.show(&["run", "pricing.quote.total", "--input", BASKET])?;
    Ok(())
}
