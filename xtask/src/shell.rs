//! Running other programs: to the end, for their output, or with a limit on their time.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, Place};

/// Returns the root of the checkout that this task belongs to.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// Returns the cargo that runs this task, as somebody would call it who does not come from here: what this package is called
/// must not make the build scripts of others run again.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)).for_each(|(name, _)| {
        cargo.env_remove(name);
    });
    cargo
}

/// Writes a command as one would type it.
pub fn typed(command: &Command) -> String {
    let mut words = vec![short_program(command)];
    words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
    words.join(" ")
}

fn short_program(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}

/// Quotes a word for a shell, if it needs that.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Runs a program to its end; its output goes where ours goes.
///
/// # Errors
/// It cannot be started, or it ends with another status than 0.
pub fn run(command: &mut Command) -> Outcome<()> {
    let status = command.stdin(Stdio::null()).status().doing(|| format!("start `{}`", typed(command)))?;
    if status.success() { Ok(()) } else { Err(Failure::to(format!("run `{}`: {status}", typed(command)))) }
}

/// Runs a program to its end and returns what it wrote; its standard input is empty.
///
/// # Errors
/// It cannot be started.
pub fn output(command: &mut Command) -> Outcome<Output> {
    command.stdin(Stdio::null()).output().doing(|| format!("start `{}`", typed(command)))
}

/// Returns the standard output of a program that must succeed.
///
/// # Errors
/// It cannot be started, or it ends with another status than 0; its standard error is in the text.
pub fn text(command: &mut Command) -> Outcome<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::to(format!("run `{}`: {}\n{}", typed(command), output.status, said.trim_end())))
}

/// Returns whether a program is here and ends with status 0.
pub fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// How a program with a limit on its time ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
    /// What it wrote, both streams, at most 4 MiB each.
    pub output: String,
}

/// Runs a program in a process group of its own and kills the whole group when its time is over.
///
/// # Errors
/// It cannot be started.
pub fn run_within(command: &mut Command, limit: Duration) -> Outcome<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().doing(|| format!("start `{}`", typed(command)))?;
    let readers = [drain(child.stdout.take()), drain(child.stderr.take())];
    let begin = Instant::now();
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait().doing(|| "wait for a program".to_owned())? {
            break status;
        }
        if begin.elapsed() > limit {
            timed_out = true;
            signal("KILL", &format!("-{}", child.id()));
            break child.wait().doing(|| "wait for a program".to_owned())?;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let output = readers.into_iter().map(|reader| reader.join().unwrap_or_default()).collect();
    Ok(Ended { success: status.success() && !timed_out, timed_out, output })
}

fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    const KEPT_MAX_BYTES: usize = 4 << 20;
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 8192];
        if let Some(mut stream) = stream {
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if kept.len() < KEPT_MAX_BYTES {
                    kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// Sends a signal to a process, or with a leading `-` to a process group; a process that is gone is no fault.
pub fn signal(name: &str, pid: &str) {
    // The shell's own `kill`: a small machine may not have the program.
    let _gone = works(Command::new("sh").args(["-c", r#"kill -s "$1" -- "$2""#, "sh", name, pid]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_a_shell_would_split_or_expand_it() {
        assert_eq!(quoted("--input"), "--input");
        assert_eq!(quoted(r#"{"a":1}"#), r#"'{"a":1}'"#);
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_program_that_never_ends_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo begun; sleep 600 & wait"]);
        let ended = run_within(&mut command, Duration::from_millis(300)).unwrap();
        assert!(ended.timed_out && !ended.success);
        assert_eq!(ended.output, "begun\n");
    }
}
