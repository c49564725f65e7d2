//! The shape under test that runs in a JVM: jars made of the Java sources beside the tests, and a host for them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use enact_host::conformance::{HostUnderTest, Probe, Target};
use enact_host::contract::Host;
use enact_host::jar::{JarConfig, JarHost, JavaPlaces};
use enact_model::descriptor::{Component, JarShape, JavaCall, JavaMain, JavaMethod, JavaParam, Shape, Stdin, Stdout};
use enact_model::digest::Digest;
use enact_model::json::Json;

use crate::shapes::{Bench, alive};

/// Returns why nothing can be compiled here, and lists the test as skipped.
pub fn without_java(test: &str) -> bool {
    let told = std::env::var("ENACT_TEST_JAVA").ok();
    let here = Command::new("javac").arg("-version").output().is_ok_and(|output| output.status.success());
    let reason = match told.as_deref() {
        Some("0") => "there is no Java on this machine",
        Some(_) => return false,
        None if here => return false,
        None => "there is no javac on this machine",
    };
    skip(test, reason);
    true
}

/// Lists a test as skipped.
pub fn skip(test: &str, reason: &str) {
    println!("skipped  {test}: {reason}");
    if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}\t{reason}").unwrap();
    }
}

/// Compiles sources into a jar for a release of Java; `newest` makes classes of a release that is newer than this
/// machine's compiler.
pub fn compile(sources: &[(&str, &str)], release: &str) -> Vec<u8> {
    compile_with(sources, release, &[])
}

/// The same with further options of the compiler.
pub fn compile_with(sources: &[(&str, &str)], release: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut javac = Command::new("javac");
    javac.current_dir(folder.path()).args(["--release", "8", "-nowarn", "-Xlint:-options", "-d", "classes"]);
    javac.args(options);
    for (name, text) in sources {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        javac.arg(name);
    }
    assert!(javac.output().unwrap().status.success());
    if release == "newest" {
        for (name, _) in sources {
            let class = folder.path().join("classes").join(name).with_extension("class");
            let mut bytes = fs::read(&class).unwrap();
            bytes[7] = 69;
            fs::write(&class, bytes).unwrap();
        }
    }
    let made = Command::new("jar").current_dir(folder.path()).args(["cf", "made.jar", "-C", "classes", "."]).output();
    assert!(made.unwrap().status.success());
    fs::read(folder.path().join("made.jar")).unwrap()
}

/// Returns a folder with `probes.jar` and `agent.jar`, made once of their sources.
pub fn jars() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java");
    let probes = fs::read(sources.join("Probes.java")).unwrap();
    let agent = fs::read(sources.join("Agent.java")).unwrap();
    let digest = Digest::of(&[probes, agent].concat()).to_string().replace(':', "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(digest);
    if folder.is_dir() {
        return folder;
    }
    let making = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).current_dir(making.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for (source, classes) in [("Probes", "probes"), ("Agent", "agent")] {
        let path = sources.join(format!("{source}.java")).display().to_string();
        run("javac", &["--release", "8", "-nowarn", "-Xlint:-options", "-d", classes, &path]);
    }
    fs::remove_file(making.path().join("probes/Absent.class")).unwrap();
    fs::write(making.path().join("manifest"), "Premain-Class: Agent\n").unwrap();
    run("jar", &["cf", "probes.jar", "-C", "probes", "."]);
    run("jar", &["cfm", "agent.jar", "manifest", "-C", "agent", "."]);
    // Another process may have been quicker.
    if let Err(error) = fs::rename(making.path(), &folder) {
        assert!(folder.is_dir(), "{error}");
    }
    folder
}

/// Where runtimes are on this machine.
pub fn places() -> JavaPlaces {
    JavaPlaces {
        home: None,
        path: std::env::var_os("PATH").unwrap(),
        folders: vec![PathBuf::from("/usr/lib/jvm")],
        ..JavaPlaces::default()
    }
}

/// Returns the release of the Java that the tests run on.
pub fn release() -> u32 {
    places().find().found.first().map_or(0, |java| java.release)
}

/// Returns whether that Java lets an exit be held back: until 23 there is a security manager.
pub fn holds_exits() -> bool {
    release() < 24
}

/// Returns whether an exit is held back here, and lists the test as skipped where it is not.
pub fn without_exits_held(test: &str) -> bool {
    let held = holds_exits();
    if !held {
        skip(test, "from Java 24 on nothing holds an exit back");
    }
    !held
}

/// A jar host in a folder of its own.
pub struct Jars {
    pub host: Arc<JarHost>,
    pub bench: Bench,
    pub folder: PathBuf,
}

impl Jars {
    pub fn new(archives: bool) -> Self {
        Self::with(|config| config.archives = archives)
    }

    pub fn with(change: impl Fn(&mut JarConfig)) -> Self {
        let made = Self::bare(change);
        made.bench.artifacts.put(&fs::read(jars().join("probes.jar")).unwrap());
        Self { folder: jars(), ..made }
    }

    /// A host without anything that would have to be compiled.
    pub fn bare(change: impl Fn(&mut JarConfig)) -> Self {
        let bench = Bench::new();
        let mut config = JarConfig { folder: bench.folder.path().join("java"), java: places(), archives: false };
        change(&mut config);
        let host = Arc::new(JarHost::beside(&bench.host, config).unwrap());
        Self { host, bench, folder: PathBuf::new() }
    }

    /// A component with every probe as an operation of its own.
    pub fn component(&self, name: &str, change: impl Fn(&mut JarShape)) -> Target {
        let digest = Digest::of(&fs::read(self.folder.join("probes.jar")).unwrap_or_default());
        let mut shape = shape(BTreeMap::from([("probes.jar".to_owned(), digest)]));
        change(&mut shape);
        let target = Target::of(name, shape, OPERATIONS, "echo");
        let mut made = (*target.component).clone();
        for (name, operation) in made.services.get_mut(&target.service).unwrap() {
            operation.call.stdin = Stdin::Empty;
            operation.call.java = Some(match name.as_str() {
                "run" => {
                    operation.call.stdout = Stdout::Text;
                    JavaCall::Run(JavaMain { class: "Probes".to_owned(), as_asked: true })
                }
                name => method("Probes", &camel(name)),
            });
        }
        with_digest(made, target)
    }

    pub fn starts(&self, how: &str) -> impl Fn(&mut JarShape) + use<> {
        let option = format!("-javaagent:{}={how}", self.folder.join("agent.jar").display());
        move |shape| shape.options.push(option.clone())
    }
}

/// The component of a target, changed.
pub fn with_digest(component: Component, target: Target) -> Target {
    let digest = Digest::of(Json::of(&component).as_str().as_bytes());
    Target { component: Arc::new(component), digest, ..target }
}

/// Changes the component of a target.
pub fn changed(target: &Target, change: impl Fn(&mut Component)) -> Target {
    let mut component = (*target.component).clone();
    change(&mut component);
    with_digest(component, target.clone())
}

pub fn method(class: &str, method: &str) -> JavaCall {
    // Without a type the probe's own is taken.
    let params: Option<Vec<JavaParam>> = None;
    JavaCall::Method(JavaMethod { class: class.to_owned(), method: method.to_owned(), params, returns: None })
}

fn shape(files: BTreeMap<String, Digest>) -> JarShape {
    let text = serde_json::json!({ "paths": files.keys().collect::<Vec<_>>(), "files": files,
        "memory_bytes": 320 << 20, "metaspace_bytes": 48 << 20, "calls_in_flight": 4 });
    serde_json::from_value(text).unwrap()
}

pub fn shape_of(component: &mut Component) -> &mut JarShape {
    let Shape::Jar(shape) = &mut component.shape else { unreachable!("it is a jar") };
    shape
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

const OPERATIONS: &[&str] = &[
    "echo",
    "sleep",
    "typed-failure",
    "bad-argument",
    "loop",
    "cooperative",
    "exit",
    "halt",
    "segfault",
    "kill",
    "exhaust",
    "classes",
    "overflow",
    "flood",
    "big-reply",
    "header",
    "garbage",
    "half",
    "two-replies",
    "stray-reply",
    "late-reply",
    "deep",
    "bad-effects",
    "ask",
    "threads",
    "close-wire",
    "hook",
    "leave-child",
    "broken",
    "missing",
    "nan",
    "cycle",
    "large",
    "run",
];

/// A supervised JVM that another component shares, which has been called.
pub struct Shared(Jar);

impl Shared {
    pub async fn with_company() -> Self {
        let jars = Jars::new(false);
        let companion = jars.component("companion", |shape| shape.jvm = Some("shared".parse().unwrap()));
        let companion = crate::jar::started(&jars, companion).await;
        crate::jar::output(&crate::jar::call(&jars, &companion, serde_json::json!(1)).await);
        Self(Jar(jars))
    }
}

impl HostUnderTest for Shared {
    fn name(&self) -> &'static str {
        "jar in a shared JVM"
    }
    fn host(&self) -> Arc<dyn Host> {
        self.0.host()
    }
    fn target(&self, probe: Probe) -> Result<Target, &'static str> {
        let target = self.0.target(probe)?;
        // What does not start is in another one: the suite wants to see that its circuit opens.
        let starts = matches!(probe, Probe::FailingStart | Probe::SilentStart | Probe::SlowStart);
        let jvm = if starts { target.component.name.clone() } else { "shared".parse().unwrap() };
        Ok(changed(&target, |component| shape_of(component).jvm = Some(jvm.clone())))
    }
    fn neighbour(&self) -> Target {
        self.0.neighbour()
    }
    fn is_alive(&self, instance: &str) -> bool {
        self.0.is_alive(instance)
    }
    fn holds_exits(&self) -> bool {
        self.0.holds_exits()
    }
    fn refusal(&self) -> &'static str {
        self.0.refusal()
    }
}

/// A supervised JVM.
pub struct Jar(pub Jars);

impl HostUnderTest for Jar {
    fn name(&self) -> &'static str {
        "jar"
    }
    fn host(&self) -> Arc<dyn Host> {
        self.0.host.clone()
    }
    fn target(&self, probe: Probe) -> Result<Target, &'static str> {
        let plain = self.0.component("pricing", |_| {});
        Ok(match probe {
            Probe::Unknown => return Err("a JVM that does not know an operation does not become ready"),
            Probe::SlowStart => self.0.component("slow", self.0.starts("slow")),
            Probe::FailingStart => self.0.component("failing", self.0.starts("dies")),
            Probe::SilentStart => {
                let silent = self.0.starts("silent");
                self.0.component("silent", |shape| {
                    silent(shape);
                    shape.start_timeout_ms = 500;
                })
            }
            Probe::RefusedStart => {
                let target = self.0.component("refusing", |_| {});
                changed(&target, |component| {
                    let operations = component.services.get_mut(&target.service).unwrap();
                    operations.get_mut(&target.operation).unwrap().call.java = Some(method("Gone", "echo"));
                })
            }
            Probe::Echo => plain,
            Probe::Sleep => plain.at("sleep"),
            Probe::TypedFailure => plain.at("typed-failure"),
            Probe::BadArgument => plain.at("bad-argument"),
            Probe::Loop | Probe::Deaf => plain.at("loop"),
            Probe::Cooperative => plain.at("cooperative"),
            Probe::Exit | Probe::GuardedExit => plain.at("exit"),
            Probe::Abort => plain.at("segfault"),
            Probe::Kill => plain.at("kill"),
            Probe::Exhaust => plain.at("exhaust"),
            Probe::Flood => plain.at("flood"),
            Probe::BigReply => plain.at("big-reply"),
            Probe::Header => plain.at("header"),
            Probe::Garbage => plain.at("garbage"),
            Probe::Half => plain.at("half"),
            Probe::TwoReplies => plain.at("two-replies"),
            Probe::StrayReply => plain.at("stray-reply"),
            Probe::LateReply => plain.at("late-reply"),
            Probe::Deep => plain.at("deep"),
            Probe::BadEffects => plain.at("bad-effects"),
            Probe::Ask => plain.at("ask"),
        })
    }
    fn neighbour(&self) -> Target {
        self.0.component("neighbour", |_| {})
    }
    fn is_alive(&self, instance: &str) -> bool {
        alive(instance)
    }
    /// Where it cannot hold them it lets the calls beside the culprit finish.
    fn holds_exits(&self) -> bool {
        true
    }
    fn refusal(&self) -> &'static str {
        "Gone"
    }
}
