//! What `packaging/` says: systemd takes the unit, every command, variable, key and path in it is there, and a hub that is started as
//! the unit and as the image say serves, reads its configuration again and ends as they say.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Parser as _;
use enact_cli::cli::Cli;
use enact_cli::config::settings::KEYS;
use enact_cli::config::settle::settle;
use enact_cli::config::source::SourceFile;
use enact_cli::config::{Settings, Sources};

use super::fake::text;
use super::skip::skip;

const BINARY: &str = "/usr/local/bin/enact";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn packaged(name: &str) -> String {
    std::fs::read_to_string(root().join("packaging").join(name)).unwrap()
}

/// Returns what the unit says under a key, every time that it does.
fn unit(key: &str) -> Vec<String> {
    let text = packaged("enact.service");
    let values = text.lines().filter_map(|line| line.split_once('=').filter(|(name, _)| *name == key));
    values.map(|(_, value)| value.to_owned()).collect()
}

fn one(key: &str) -> String {
    let [value] = &unit(key)[..] else { panic!("the unit says {key} not once") };
    value.clone()
}

/// Returns what follows an instruction of the recipe, which may go over several lines.
fn recipe(instruction: &str) -> Vec<String> {
    let text = packaged("Containerfile").replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
    lines.map(|rest| rest.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Reads the words of an instruction in its JSON form, the last one of the recipe.
fn words(instruction: &str) -> Vec<String> {
    let line = recipe(instruction).pop().unwrap();
    let (_, array) = line.split_once('[').unwrap();
    serde_json::from_str(&format!("[{array}")).unwrap()
}

fn variables(assignments: &[String]) -> BTreeMap<String, String> {
    let all = assignments.iter().flat_map(|line| line.split(' '));
    all.map(|word| word.split_once('=').unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn parses(words: &[String]) {
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{words:?}: {error}");
    }
}

/// Returns the settings of a service whose file and environment are these.
fn settings(file: &str, env: BTreeMap<String, String>) -> Settings {
    let file = Some(SourceFile { path: "/etc/enact/enact.yaml".into(), text: file.to_owned() });
    let sources = Sources { env, file, folder: "/etc/enact".into(), user: "enact".to_owned(), ..Sources::default() };
    settle(&sources).unwrap_or_else(|faults| panic!("{faults}")).settings
}

#[test]
fn systemd_takes_the_unit_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enact.service");
    // Where the binary of this test is, as if it was installed.
    std::fs::write(&path, packaged("enact.service").replace(BINARY, env!("CARGO_BIN_EXE_enact"))).unwrap();
    let Ok(ran) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() else {
        return skip("systemd-analyze is not here");
    };
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}{}", text(&ran.stdout), text(&ran.stderr));
}

#[test]
fn every_command_and_every_file_that_packaging_names_is_there() {
    let (all, mut found) = (enact_cli::cli::definition(), Vec::new());
    for name in ["enact.service", "Containerfile", "enact.yaml"] {
        let text = packaged(name);
        for line in text.lines().filter(|line| !line.contains("cargo build")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for (at, word) in words.iter().enumerate() {
                let program = word.trim_start_matches('`').rsplit(['/', '=']).next() == Some("enact");
                let below = words.get(at + 1).map(|next| next.trim_end_matches('`'));
                let known = |next: &str| {
                    let mut options = all.get_arguments().filter_map(clap::Arg::get_long);
                    all.find_subcommand(next).is_some() || options.any(|option| next == format!("--{option}"))
                };
                if program && below.is_some_and(known) {
                    let rest = words[at + 1..].join(" ");
                    let command = rest.split(['`', ';', '&', '|']).next().unwrap();
                    found.push(format!("enact {}", command.trim()));
                }
            }
        }
        let names = text.split(|c: char| c.is_whitespace() || "`'\"()[];".contains(c));
        for file in names.filter(|word| word.starts_with("packaging/") || word.starts_with("docs/")) {
            assert!(root().join(file.trim_end_matches('.')).exists(), "{name} names {file}");
        }
    }
    for command in &found {
        parses(&command.split(' ').map(str::to_owned).collect::<Vec<_>>());
    }
    for named in ["enact serve --quiet", "enact token create ops --role admin", "enact --store /var/lib/enact doctor"] {
        assert!(found.iter().any(|command| command == named), "{named} is not found in {found:?}");
    }
    parses(&[words("ENTRYPOINT"), words("CMD")].concat());
    parses(&words("HEALTHCHECK"));
}

#[test]
fn every_variable_and_every_key_of_the_packaged_configuration_is_one_and_holds() {
    for (name, value) in variables(&[unit("Environment"), recipe("ENV")].concat()) {
        let key = KEYS.iter().find(|key| key.env_name() == name).unwrap_or_else(|| panic!("{name} sets no key"));
        assert!((key.check)(&value).is_ok(), "{name}={value}");
    }
    let file = packaged("enact.yaml");
    let settled = settings(&file, variables(&unit("Environment")));
    assert_eq!(settled.store, PathBuf::from("/var/lib").join(one("StateDirectory")));
    assert_eq!(one("WorkingDirectory"), format!("/etc/{}", one("ConfigurationDirectory")));
    // What is commented out holds as well once it is not.
    let bare = |line: &str| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let shown = rest.strip_prefix("# ").filter(|rest| {
            let (key, _) = rest.trim_start().split_once(':').unwrap_or_default();
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        shown.map_or_else(|| line.to_owned(), |rest| format!("{indent}{rest}"))
    };
    let whole: String = file.lines().map(|line| bare(line) + "\n").collect();
    assert_ne!(whole, file);
    assert!(settings(&whole, BTreeMap::new()).sinks.len() == 2, "{whole}");
    // Who kills waits longer than what runs has to finish.
    let grace_ms = settled.shutdown_grace.0;
    let (_, after) =
        packaged("Containerfile").split_once("--stop-timeout ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for seconds in [one("TimeoutStopSec").trim_end_matches('s'), after.split(' ').next().unwrap()] {
        assert!(seconds.parse::<u64>().unwrap() * 1_000 > grace_ms, "{seconds} s are not more than {grace_ms} ms");
    }
}

#[test]
fn the_image_is_built_on_the_debian_that_it_runs_on() {
    let [build, run] = &recipe("FROM")[..] else { panic!("two stages were expected") };
    let (build, stage) = build.split_once(" AS ").unwrap();
    let suite = run.strip_prefix("debian:").and_then(|tag| tag.strip_suffix("-slim")).unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert_eq!(build, format!("rust:{version}-slim-{suite}"), "the Rust of Cargo.toml on the Debian of the image");
    let copies = recipe("COPY");
    let [source, binary] = &copies[..] else { panic!("{copies:?}") };
    let folder = recipe("WORKDIR").pop().unwrap();
    assert_eq!(source, ". .");
    assert_eq!(*binary, format!("--from={stage} {folder}/target/release/enact {BINARY}"));
    assert!(recipe("RUN")[0].ends_with("--locked --package enact --bin enact"), "{:?}", recipe("RUN"));
    let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "target"), "gigabytes would be sent to the builder");
}

/// A hub that was started as somebody else says, in a folder that stands for the root of the machine.
struct Service {
    root: tempfile::TempDir,
    env: BTreeMap<String, String>,
    child: Child,
    url: String,
}

impl Service {
    fn start(args: &[String], mut env: BTreeMap<String, String>, listen: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| format!("{}{path}", root.path().display());
        for folder in ["/etc/enact", "/var/lib/enact"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("/etc/enact/enact.yaml"), packaged("enact.yaml")).unwrap();
        for value in env.values_mut().filter(|value| value.starts_with('/')) {
            *value = at(value);
        }
        env.insert("HOME".to_owned(), at("/var/lib/enact"));
        env.insert("ENACT_HTTP_LISTEN".to_owned(), listen.to_owned());
        env.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
        let log = std::fs::File::create(at("/log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(args).env_clear().envs(&env).current_dir(at("/etc/enact"));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line:?}"));
        let url = url.to_owned();
        Self { root, env, child, url }
    }
    fn at(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}{path}", self.root.path().display()))
    }
    /// Runs the binary beside it, as a health check does.
    fn ask(&self, args: &[String]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(args).env_clear().envs(&self.env).current_dir(self.at("/etc/enact")).output().unwrap()
    }
    fn log(&self) -> String {
        let mut log = String::new();
        std::fs::File::open(self.at("/log")).unwrap().read_to_string(&mut log).unwrap();
        log
    }
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid]).status().unwrap().success());
    }
    /// Waits until the log has a line with these words.
    fn logged(&self, words: &str) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.log().contains(words) {
            assert!(std::time::Instant::now() < end, "{words:?} is not in {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_that_is_started_as_the_unit_says_serves_reloads_and_ends() {
    let start: Vec<String> = one("ExecStart").split(' ').skip(1).map(str::to_owned).collect();
    assert!(one("ExecStart").starts_with(BINARY));
    let mut service = Service::start(&start, variables(&unit("Environment")), "127.0.0.1:0");
    let asked = service.ask(&["status".to_owned(), "--json".to_owned()]);
    let status: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(status["pid"], service.child.id(), "the store of the unit is the one that is served: {status}");
    let reload = one("ExecReload");
    let (program, args) = reload.split_once(' ').unwrap();
    assert_eq!((program, args), ("/bin/kill", "-HUP $MAINPID"));
    std::fs::write(service.at("/etc/enact/enact.yaml"), packaged("enact.yaml") + "log: { level: debug }\n").unwrap();
    service.signal("HUP");
    service.logged("the configuration was read again");
    service.signal(one("KillSignal").trim_start_matches("SIG"));
    assert!(service.child.wait().unwrap().success(), "{}", service.log());
    for line in service.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["fields"].is_object(), "{line}");
    }
    // Everything but the store is read-only to the unit.
    let written: Vec<_> =
        std::fs::read_dir(service.at("/etc/enact")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, ["enact.yaml"]);
    assert!(unit("ReadWritePaths").is_empty() && one("ProtectSystem") == "strict");
}

#[test]
fn a_hub_that_is_started_as_the_image_says_is_healthy_wants_a_token_and_ends() {
    let env = variables(&recipe("ENV"));
    let (address, port) = env["ENACT_HTTP_LISTEN"].rsplit_once(':').map(|(a, p)| (a.to_owned(), p.to_owned())).unwrap();
    assert_eq!(recipe("EXPOSE"), [port]);
    assert_eq!(recipe("VOLUME"), [env["ENACT_STORE"].clone()]);
    let args = [words("ENTRYPOINT"), words("CMD")].concat();
    let mut service = Service::start(&args[1..], env, &format!("{address}:0"));
    let healthy = service.ask(&words("HEALTHCHECK")[1..]);
    assert!(healthy.status.success(), "{}", text(&healthy.stderr));
    // Off loopback nobody is anonymous.
    let client =
        ["client", "--url", &service.url.replace("0.0.0.0", "127.0.0.1"), "execution", "list"].map(str::to_owned);
    let refused = service.ask(&client);
    assert!(!refused.status.success() && text(&refused.stderr).contains("token"), "{}", text(&refused.stderr));
    let created = "token create ops --role admin --json".split(' ').map(str::to_owned).collect::<Vec<_>>();
    let created: serde_json::Value = serde_json::from_slice(&service.ask(&created).stdout).unwrap();
    std::fs::write(service.at("/token"), created["secret"].as_str().unwrap()).unwrap();
    let token = format!("file:{}", service.at("/token").display());
    let with_token = [&client[..3], &["--token".to_owned(), token][..], &client[3..]].concat();
    let listed = service.ask(&with_token);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    service.signal(recipe("STOPSIGNAL").pop().unwrap().trim_start_matches("SIG"));
    assert!(service.child.wait().unwrap().success(), "{}", service.log());
}
