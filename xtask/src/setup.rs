//! What the machine must have beside Rust: what is here, what is missing, and how it gets here.
//!
//! Missing things come from Debian's packages, after saying what and asking. No system service is touched: while
//! packages are being installed a policy file forbids that any service is started, and it is taken away afterwards.

use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, Place};
use crate::options::Options;
use crate::report::{say, table};
use crate::shell;

/// One thing that demo or tests need beside Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A Java runtime, for the unmodified fat JAR.
    Java,
    /// A Java compiler, for the Java side of the jar host.
    Javac,
    /// A Scala compiler, for the Scala example.
    Scalac,
    /// Python 3, for the reference worker.
    Python,
    /// pip, to fetch the fixtures by package name.
    Pip,
    /// A Redis server, for the tests of its sink.
    Redis,
    /// A NATS server, for the tests of its sink.
    Nats,
    /// curl, for what is asked over HTTP.
    Curl,
    /// OpenSSL, for what another implementation finds at a door with TLS.
    Openssl,
    /// A browser, for a page that watches a stream; only with `--full`.
    Chromium,
}

impl Need {
    /// Everything but a browser, which is large.
    pub const ALL: &'static [Self] = &[
        Self::Java,
        Self::Javac,
        Self::Scalac,
        Self::Python,
        Self::Redis,
        Self::Nats,
        Self::Curl,
        Self::Openssl,
        Self::Pip,
    ];

    /// Everything but what fetches fixtures and packages.
    pub const WITHOUT_PIP: &'static [Self] =
        &[Self::Java, Self::Javac, Self::Scalac, Self::Python, Self::Redis, Self::Nats, Self::Curl, Self::Openssl];

    /// Returns what it is for.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Java => "runs the fat JAR of the demo, as it is",
            Self::Javac => "rebuilds the Java side of the jar host, and compiles its tests",
            Self::Scalac => "builds the Scala example and the tests on Scala's types",
            Self::Python => "runs the reference worker of the examples",
            Self::Pip => "fetches the JAR, the PDFs and the readers of messages by package name",
            Self::Redis => "is what the Redis sink is tested on, and the demo's events go to",
            Self::Curl => "asks the hub over HTTP in the demo and in the README",
            Self::Openssl => "looks at the doors and clients of TLS from outside",
            Self::Nats => "is what the NATS sink is tested on",
            Self::Chromium => "watches a stream from a page of another origin",
        }
    }

    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Java => &["default-jre-headless"],
            Self::Javac => &["default-jdk-headless"],
            Self::Scalac => &["scala"],
            Self::Python => &["python3"],
            Self::Pip => &["python3-pip"],
            Self::Redis => &["redis-server"],
            Self::Nats => &["nats-server"],
            Self::Curl => &["curl"],
            Self::Openssl => &["openssl"],
            Self::Chromium => &["chromium"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Javac => "javac",
            Self::Scalac => "scalac",
            Self::Python => "python3",
            Self::Pip => "pip",
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
            Self::Curl => "curl",
            Self::Openssl => "openssl",
            Self::Chromium => "chromium",
        }
    }

    /// Returns how it is run here, if it is here.
    fn look(self) -> Option<String> {
        let first_line = |command: &mut Command| {
            let output = shell::output(command).ok().filter(|output| output.status.success())?;
            let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
            Some(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned())
        };
        match self {
            Self::Java => first_line(Command::new("java").arg("-version")),
            Self::Javac => first_line(Command::new("javac").arg("-version")),
            Self::Scalac => first_line(Command::new("scalac").arg("-version")),
            Self::Python => first_line(Command::new("python3").arg("--version")),
            Self::Redis => first_line(Command::new("redis-server").arg("--version")),
            Self::Curl => first_line(Command::new("curl").arg("--version")),
            Self::Openssl => first_line(Command::new("openssl").arg("version")),
            Self::Chromium => first_line(Command::new("chromium").arg("--version")),
            Self::Nats => first_line(Command::new("nats-server").arg("--version")),
            Self::Pip => first_line(Command::new("python3").args(["-m", "pip", "--version"])).or_else(|| {
                let can = shell::works(Command::new("python3").args(["-c", "import venv, ensurepip"]));
                can.then(|| "from a private venv".to_owned())
            }),
        }
    }
}

/// What of the needs is here by now.
#[derive(Debug, Default, Clone)]
pub struct Here {
    present: Vec<Need>,
    why_not: String,
}

impl Here {
    /// Returns whether a need is met.
    pub fn has(&self, need: Need) -> bool {
        self.present.contains(&need)
    }
    /// Says why something is still missing.
    pub fn why_not(&self, need: Need) -> String {
        format!("{} is not here ({}): {}", need.name(), need.purpose(), self.why_not)
    }
}

/// Looks for what is needed, says what it will install, asks, and installs it.
///
/// What cannot be installed is no failure, an installation that breaks neither: the caller skips what depends on it and counts that.
pub fn ensure(options: &Options, needs: &[Need]) -> Here {
    let look = || needs.iter().map(|need| (*need, need.look())).collect::<Vec<_>>();
    let found = look();
    print(&found);
    let missing: Vec<Need> = found.iter().filter(|(_, how)| how.is_none()).map(|(need, _)| *need).collect();
    if missing.is_empty() {
        return Here { present: needs.to_vec(), why_not: String::new() };
    }
    let mut packages: Vec<&str> = missing.iter().flat_map(|need| need.packages()).copied().collect();
    packages.dedup();
    let why_not = match way(options, &packages) {
        Ok(way) => match install(&way, &packages) {
            Ok(()) => "its package was installed and it still does not answer".to_owned(),
            Err(failure) => failure.to_string(),
        },
        Err(why_not) => why_not,
    };
    let found = look();
    let missing: Vec<&str> = found.iter().filter(|(_, how)| how.is_none()).map(|(need, _)| need.name()).collect();
    if missing.is_empty() {
        print(&found);
    } else {
        let missing = missing.join(", ");
        say(format!("\nstill missing: {missing}; what needs it is skipped and counted.\n  {why_not}"));
    }
    let present = found.iter().filter(|(_, how)| how.is_some()).map(|(need, _)| *need).collect();
    Here { present, why_not }
}

fn print(found: &[(Need, Option<String>)]) {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(need, how)| {
            let state = how.clone().unwrap_or_else(|| format!("missing, Debian package {}", need.packages().join(" ")));
            vec![need.name().to_owned(), need.purpose().to_owned(), state]
        })
        .collect();
    say(table(&["needed", "because it", "here"], &rows));
}

/// How packages are installed on this machine: as root, or through sudo without a password.
struct Way {
    before: Vec<String>,
}

impl Way {
    fn command(&self, program: &str) -> Command {
        let mut words = self.before.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command.args(words);
        command
    }
}

fn way(options: &Options, packages: &[&str]) -> Result<Way, String> {
    let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if options.no_install {
        return Err(format!("--no-install was given; `{line}` would bring it"));
    }
    if !shell::works(Command::new("apt-get").arg("--version")) {
        return Err("this machine has no apt-get; install it with the means of this system".to_owned());
    }
    let root = shell::text(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let before = if root {
        Vec::new()
    } else if shell::works(Command::new("sudo").args(["-n", "true"])) {
        vec!["sudo".to_owned(), "-n".to_owned()]
    } else {
        return Err(format!("this user may not install packages; let an administrator run `{line}`"));
    };
    say(format!("\nto be installed from Debian's packages: {} (starts no service)", packages.join(", ")));
    if !options.yes && !agreed() {
        return Err(format!("it was not agreed to; `{line}` would bring it, or --yes"));
    }
    Ok(Way { before })
}

fn agreed() -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return false;
    }
    print!("install them now? [y/N] ");
    let mut answer = String::new();
    let asked = std::io::stdout().flush().is_ok() && stdin.lock().read_line(&mut answer).is_ok();
    asked && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn install(way: &Way, packages: &[&str]) -> Outcome<()> {
    let _policy = NoServices::begin(way);
    let log = shell::root().join("target/setup.log");
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
    }
    let update = ["update", "-q"].map(str::to_owned).to_vec();
    let mut install = ["install", "-y", "-q", "--no-install-recommends"].map(str::to_owned).to_vec();
    install.extend(packages.iter().map(|name| (*name).to_owned()));
    for words in [update, install] {
        say(format!("$ apt-get {}", words.join(" ")));
        let mut command = way.command("env");
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(&words);
        let output = shell::output(&mut command)?;
        let mut said = output.stdout;
        said.extend_from_slice(&output.stderr);
        fs::write(&log, &said).doing(|| format!("write {}", log.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&said);
            let tail: Vec<&str> = said.lines().rev().take(8).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(Failure::to(format!(
                "install packages: apt-get ended with {}\n{}",
                output.status,
                tail.join("\n")
            ))
            .hint(format!("all of it is in {}; --no-install goes on without", log.display())));
        }
    }
    Ok(())
}

/// Forbids, as long as it lives, that the installation of a package starts a service. A policy that is there already
/// is the administrator's and stays.
struct NoServices<'a> {
    ours: Option<(&'a Way, PathBuf)>,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
const MARK: &str = "# made by enact's `cargo xtask` while it installs packages; may be deleted";

impl<'a> NoServices<'a> {
    fn begin(way: &'a Way) -> Self {
        let policy = Path::new(POLICY);
        // One with our mark is left over from an installation that was killed.
        if policy.exists() && !fs::read_to_string(policy).is_ok_and(|text| text.contains(MARK)) {
            return Self { ours: None };
        }
        let ours = shell::root().join("target/policy-rc.d");
        let made = fs::write(&ours, format!("#!/bin/sh\n{MARK}\nexit 101\n")).is_ok()
            && fs::set_permissions(&ours, fs::Permissions::from_mode(0o755)).is_ok()
            && shell::works(way.command("cp").arg(&ours).arg(policy));
        Self { ours: made.then(|| (way, policy.to_path_buf())) }
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some((way, policy)) = &self.ours {
            let _gone = shell::works(way.command("rm").arg("-f").arg(policy));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_installing_a_missing_thing_names_the_line_that_brings_it() {
        let options = Options { no_install: true, ..Options::default() };
        let why = way(&options, &["default-jre-headless"]).err().unwrap();
        assert!(why.contains("apt-get install --no-install-recommends default-jre-headless"), "{why}");
    }

    #[test]
    fn every_need_says_what_it_is_for_and_what_brings_it() {
        for need in Need::ALL {
            assert!(!need.purpose().is_empty() && !need.packages().is_empty());
        }
    }
}
