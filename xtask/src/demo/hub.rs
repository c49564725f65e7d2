//! The private hub of the demo, and the command line as a user types it against it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::demo::answer::Answer;
use crate::demo::lines::assigned;
use crate::failure::{Failure, Outcome, Place};
use crate::report::say;
use crate::shell;

/// How long a hub may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// How long one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(120);
/// Most lines and columns that the demo shows of an answer.
const LINES_MAX: usize = 14;
const COLUMNS_MAX: usize = 116;

/// A hub that runs in the background, and the folder that its commands are typed in.
pub struct Hub {
    binary: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
    /// Where it listens for HTTP.
    listen: String,
    /// What the lines of a shell find in their environment.
    variables: BTreeMap<String, String>,
}

/// How a command ended.
pub struct Typed {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: String,
}

impl Hub {
    /// Starts `enact serve` and waits until it answers.
    ///
    /// # Errors
    /// It does not start or does not answer in time; the end of its log is in the text.
    pub fn start(binary: &Path, folder: &Path) -> Outcome<Self> {
        let mut hub = Self {
            binary: binary.to_path_buf(),
            folder: folder.to_path_buf(),
            child: None,
            listen: "127.0.0.1:0".to_owned(),
            variables: BTreeMap::new(),
        };
        hub.serve()?;
        Ok(hub)
    }

    /// Lets the next `enact serve` listen on a port that stays the same; lines of a shell know it as `$hub`.
    pub fn listen_on(&mut self, port: u16) {
        self.listen = format!("127.0.0.1:{port}");
        say(format!("\n$ export ENACT_HTTP_LISTEN={0} hub=http://{0}", self.listen));
        self.variables.insert("hub".to_owned(), format!("http://{}", self.listen));
    }

    /// Types a line of the README into a shell and returns its answer: what a line like `name="$(…)"` keeps, the lines that follow
    /// find in that variable.
    ///
    /// # Errors
    /// It ends with another status than 0; what it said is in the text.
    pub fn shell(&mut self, line: &str) -> Outcome<String> {
        say(format!("\n$ {line}"));
        let answer = match assigned(line) {
            Some(name) => {
                let kept = self.shell_quietly(&format!("set -e\n{line}\nprintf %s \"${name}\""))?;
                self.variables.insert(name.to_owned(), kept.clone());
                kept
            }
            None => self.shell_quietly(line)?,
        };
        say(shortened(&answer));
        Ok(answer)
    }

    /// Types a line into a shell without showing it.
    ///
    /// # Errors
    /// As [`Hub::shell`].
    pub fn shell_quietly(&self, line: &str) -> Outcome<String> {
        shell::text(&mut self.shell_command(line))
    }

    /// Sets a variable of the lines that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Says what a variable is set to.
    pub fn show_set(&mut self, name: &str, value: &str) {
        say(format!("\n$ export {name}={}", shell::quoted(value)));
        self.set(name, value);
    }

    /// Returns the shell that a line is typed into, in the demo's folder and with its variables.
    pub fn shell_command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.current_dir(&self.folder).args(["-c", line]).envs(&self.variables).stdin(Stdio::null());
        command
    }

    /// Starts `enact serve` again.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub fn serve(&mut self) -> Outcome<()> {
        say("\n$ enact serve &");
        let path = self.folder.join("hub.log");
        let before = fs::metadata(&path).map_or(0, |log| log.len());
        let log = fs::File::options().create(true).append(true).open(&path).doing(|| "open hub.log".to_owned())?;
        let mut command = self.command(&["serve"]);
        command.stdout(log.try_clone().doing(|| "share hub.log".to_owned())?).stderr(log);
        let child = command.spawn().doing(|| "start `enact serve`".to_owned())?;
        let pid = child.id();
        self.child = Some(child);
        let begin = Instant::now();
        loop {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(Failure::to(format!("start the hub: it ended with {status}\n{}", self.log_tail(before))));
            }
            // Only when it says so itself: without a hub the command line would open the store in process.
            if self.log_since(before).contains("listens on") {
                break;
            }
            if begin.elapsed() > START_MAX {
                return Err(Failure::to(format!("hear from the hub that it serves\n{}", self.log_tail(before))));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.json(&["status"])?;
        let seen = status.number("/pid");
        if seen != Some(u64::from(pid)) {
            return Err(Failure::to(format!("reach the hub with pid {pid}: {seen:?} answered")));
        }
        say(format!("    (pid {pid}, ready after {} ms)", begin.elapsed().as_millis()));
        Ok(())
    }

    /// Returns the pid of the hub.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Kills the hub with SIGKILL, by its pid, and waits until it is gone.
    ///
    /// # Errors
    /// It could not be signalled.
    pub fn kill_9(&mut self) -> Outcome<()> {
        say(format!("$ kill -9 {}", self.pid()));
        if let Some(mut child) = self.child.take() {
            child.kill().doing(|| "kill the hub".to_owned())?;
            child.wait().doing(|| "wait for the hub".to_owned())?;
        }
        Ok(())
    }

    /// Ends the hub as an operator would, with SIGTERM.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self) -> Outcome<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        say(format!("\n$ kill {}", child.id()));
        shell::signal("TERM", &child.id().to_string());
        let begin = Instant::now();
        while child.try_wait().doing(|| "wait for the hub".to_owned())?.is_none() {
            if begin.elapsed() > START_MAX {
                child.kill().doing(|| "kill the hub".to_owned())?;
                return Err(Failure::to("end the hub with SIGTERM: it went on for 30 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Types a command, shows it with the beginning of its answer, and returns how it ended.
    ///
    /// # Errors
    /// It cannot be started, or takes far too long.
    pub fn show(&self, words: &[&str]) -> Outcome<Typed> {
        say(typed_line(words));
        let ended = self.type_quietly(words)?;
        say(shortened(&ended.stdout));
        if ended.status != Some(0) {
            say(format!(
                "    (exit status {})",
                ended.status.map_or_else(|| "none".to_owned(), |code| code.to_string())
            ));
        }
        Ok(ended)
    }

    /// Types a command without showing it; what it says on standard error follows its output.
    ///
    /// # Errors
    /// As [`Hub::show`].
    pub fn type_quietly(&self, words: &[&str]) -> Outcome<Typed> {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", &COMMAND_MAX.as_secs().to_string()]).arg(&self.binary).args(words);
        let output =
            shell::output(command.current_dir(&self.folder).env_remove("ENACT_CONFIG").env_remove("ENACT_STORE"))?;
        let mut stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        stdout.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Typed { status: output.status.code(), stdout })
    }

    /// Types a command with `--json` and returns the answer.
    ///
    /// # Errors
    /// What it answers is no JSON.
    pub fn json(&self, words: &[&str]) -> Outcome<Answer> {
        let mut command = self.command(words);
        let output = shell::output(command.arg("--json"))?;
        Answer::parse(&output.stdout).ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            Failure::to(format!("read the answer of `enact {}`: {}\n{said}", words.join(" "), output.status))
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).args(words).stdin(Stdio::null());
        command.env_remove("ENACT_CONFIG").env_remove("ENACT_STORE").env("ENACT_HTTP_LISTEN", &self.listen);
        command
    }

    fn log_since(&self, before: u64) -> String {
        let bytes = fs::read(self.folder.join("hub.log")).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(before as usize..).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self, before: u64) -> String {
        let log = self.log_since(before);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Hub {
    /// A demo that breaks off leaves no hub behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

/// Writes a command as a user would type it.
pub fn typed_line(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell::quoted(word)).collect();
    format!("\n$ enact {}", words.join(" "))
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let mut shown: Vec<String> = lines.iter().take(LINES_MAX).map(|line| format!("    {}", cut(line))).collect();
    if lines.len() > LINES_MAX {
        shown.push(format!("    … {} more lines", lines.len() - LINES_MAX));
    }
    shown.join("\n")
}

fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS_MAX {
        return line.to_owned();
    }
    line.chars().take(COLUMNS_MAX - 1).chain(['…']).collect()
}
