//! What runtimes say when they are asked, kept for a while: one that hangs costs its time once and not at every call.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a runtime may take to say what it is.
const SAY_WAIT: Duration = Duration::from_secs(3);
/// How long it is believed that a runtime says nothing.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// How much of what it says is read, in bytes.
const SAID_MAX_BYTES: u64 = 64 * 1024;
/// Most programs whose answers are kept.
const KEPT_MAX: usize = 256;

/// What a runtime said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Its version.
    Version(String),
    /// Something else, or it could not be started.
    Nothing,
    /// Nothing within its time.
    Silent,
}

/// An answer, of a program as it was then.
struct Answer {
    changed: Option<SystemTime>,
    at: Instant,
    said: Said,
}

static ANSWERS: Mutex<BTreeMap<PathBuf, Answer>> = Mutex::new(BTreeMap::new());

/// Asks a runtime which it is, or knows it from before. Blocks for a few seconds at most.
pub(super) fn of(program: &Path) -> Said {
    let answers = || ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = std::fs::metadata(program).and_then(|about| about.modified()).ok();
    if let Some(known) = answers().get(program)
        && known.changed == changed
        && (matches!(known.said, Said::Version(_)) || known.at.elapsed() < SILENT_FOR)
    {
        return known.said.clone();
    }
    let said = ask(program);
    let mut answers = answers();
    if answers.len() >= KEPT_MAX {
        answers.clear();
    }
    answers.insert(program.to_owned(), Answer { changed, at: Instant::now(), said: said.clone() });
    said
}

/// Asks a runtime: `openjdk version "17.0.15" 2025-04-15`.
fn ask(program: &Path) -> Said {
    let mut command = Command::new(program);
    command.arg("-version").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // What it may have started ends with it.
    let Ok(mut child) = command.process_group(0).spawn() else { return Said::Nothing };
    let (tell, told) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.take(SAID_MAX_BYTES).read_to_end(&mut bytes);
            let _ = tell.send(bytes);
        });
    }
    let said = told.recv_timeout(SAY_WAIT);
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    match said {
        Ok(bytes) => of_answer(&String::from_utf8_lossy(&bytes)).map_or(Said::Nothing, Said::Version),
        Err(_) => Said::Silent,
    }
}

fn of_answer(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("version \"")?;
    rest.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_out_of_what_any_runtime_says() {
        assert_eq!(of_answer("openjdk version \"1.8.0_392\"\nOpenJDK").as_deref(), Some("1.8.0_392"));
        assert_eq!(of_answer("no such option"), None);
    }

    #[test]
    fn a_silent_one_is_asked_once_and_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("java");
        let write = |text: &str| {
            std::fs::write(&program, text).unwrap();
            let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&program, runs).unwrap();
        };
        let asked = folder.path().join("asked");
        write(&format!("#!/bin/sh\necho >> {}\nwhile :; do sleep 100; done\n", asked.display()));
        for _ in 0..3 {
            assert_eq!(of(&program), Said::Silent);
        }
        assert_eq!(std::fs::read(&asked).unwrap().len(), 1, "it was asked once");
        write("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n");
        assert_eq!(of(&program), Said::Version("21.0.1".into()));
    }
}
