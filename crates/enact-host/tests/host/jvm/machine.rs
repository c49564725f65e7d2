//! A JVM at the other end of a socket, and the classes that tests put into it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take on a busy machine; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(60);

const FRAME_MAX: usize = 16 * 1024 * 1024;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn prebuilt() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/jar/enact-jvm.jar")
}

/// Returns whether a program is in the path, and counts the test as skipped if it is not.
fn here(test: &str, program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|f| f.join(program).is_file());
    if !found {
        println!("skipped 1: {test}, because there is no {program} in the path");
        if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
            let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
            writeln!(list, "{test}\tthere is no {program} in the path").unwrap();
        }
    }
    found
}

/// Makes something once for these sources, whichever test asks first.
fn made(name: &str, sources: &[PathBuf], make: impl FnOnce(&Path)) -> PathBuf {
    let mut all = Vec::new();
    for source in sources {
        all.extend(std::fs::read(source).unwrap());
    }
    let mut digest = String::new();
    for byte in &enact_model::digest::Digest::of(&all).to_string().into_bytes() {
        if byte.is_ascii_alphanumeric() {
            write!(digest, "{}", char::from(*byte)).unwrap();
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{digest}"));
    // One compiler at a time: the other tests wait for what it makes.
    let lock = std::fs::File::create(target.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !target.exists() {
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        make(fresh.path());
        std::fs::rename(fresh.keep(), &target).unwrap();
    }
    target
}

fn sources(folder: &str, extension: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    all.sort();
    assert!(!all.is_empty(), "{folder} has no sources");
    all
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the compiled classes of `jvm/test`, or nothing where there is no compiler.
pub fn java_classes(test: &str) -> Option<PathBuf> {
    if !here(test, "javac") {
        return None;
    }
    let mut all = sources("jvm/test/sample", "java");
    all.extend(sources("jvm/test/unit", "java"));
    Some(made("java", &all, |target| {
        run(Command::new("javac")
            .args(["-parameters", "-nowarn", "-cp"])
            .arg(prebuilt())
            .arg("-d")
            .arg(target)
            .args(&all));
    }))
}

/// Compiles one source into a folder of its own.
pub fn compiled(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(name);
    std::fs::write(&source, text).unwrap();
    run(Command::new("javac").args(["-nowarn", "-d"]).arg(folder.path()).arg(&source));
    folder
}

/// Returns the jar of `examples/jar-java`.
pub fn example_jar(test: &str) -> Option<PathBuf> {
    if !here(test, "javac") || !here(test, "jar") {
        return None;
    }
    let script = root().join("examples/jar-java/build.sh");
    let all = sources("examples/jar-java/src/com/acme", "java");
    let folder = made("greeting", &all, |target| run(Command::new("sh").arg(&script).arg(target.join("greeting.jar"))));
    Some(folder.join("greeting.jar"))
}

/// Returns the assembly of `examples/jar-scala-pricing` and the compiled classes of `jvm/test/scala`.
///
/// Another version of Scala than Debian's is tested by a `scalac` of it in the path and `SCALA_LIBRARY`, its library.
pub fn scala_classes(test: &str) -> Option<[PathBuf; 2]> {
    if !here(test, "scalac") || !here(test, "jar") {
        return None;
    }
    let library = std::env::var("SCALA_LIBRARY").unwrap_or_default();
    let version = Path::new(&library).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let example = root().join("examples/jar-scala-pricing");
    let mut all = sources("examples/jar-scala-pricing/src/com/acme", "scala");
    all.push(example.join("build.sh"));
    let assembly = made(&format!("pricing-{version}"), &all, |target| {
        run(Command::new("sh").arg(example.join("build.sh")).arg(target.join("pricing-assembly.jar")));
    });
    let tests = sources("jvm/test/scala", "scala");
    let classes = made(&format!("scala-{version}"), &tests, |target| {
        run(Command::new("scalac").arg("-nowarn").arg("-d").arg(target).args(&tests));
    });
    Some([assembly.join("pricing-assembly.jar"), classes])
}

/// A JVM that was started and is ready.
pub struct Machine {
    child: Child,
    wire: UnixStream,
    last: u64,
    pub operations: Vec<String>,
    pub without_context: Vec<String>,
    pub refused: Value,
    pub ready_after: Duration,
}

impl Machine {
    /// Starts a JVM and says `init`; an `init_error` comes back as its message.
    pub fn start(config: &Value, options: &[&str]) -> Result<Self, String> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(LIMIT)).unwrap();
        let begun = Instant::now();
        let mut path = prebuilt().into_os_string();
        let options: Vec<&str> = options
            .iter()
            .copied()
            .filter(|option| match option.strip_prefix("also:") {
                Some(more) => {
                    path.push(":");
                    path.push(more);
                    false
                }
                None => true,
            })
            .collect();
        let child = Command::new("java")
            .args(["-Xmx256m", "-Xss512k"])
            .args((17..24).contains(&crate::jars::release()).then_some("-Djava.security.manager=allow"))
            .args(options)
            .arg("-cp")
            .arg(path)
            .arg("dev.enact.jvm.Main")
            .env("ENACT_INSTANCE", "12-7")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut machine = Self {
            child,
            wire: ours,
            last: 0,
            operations: Vec::new(),
            without_context: Vec::new(),
            refused: Value::Null,
            ready_after: LIMIT,
        };
        let hello = machine.receive();
        assert_eq!((&hello["type"], &hello["protocol"], &hello["nonce"]), (&json!("hello"), &json!(1), &json!("12-7")));
        machine.send(&json!({"type": "init", "component": "sample", "version": "1.0.0", "config": config,
            "frame_max_bytes": FRAME_MAX, "calls_in_flight": 16, "budget_ms": 30_000}));
        let ready = machine.receive();
        if ready["type"] == "init_error" {
            return Err(ready["message"].as_str().unwrap().to_owned());
        }
        machine.operations = serde_json::from_value(ready["operations"].clone()).unwrap();
        machine.without_context = serde_json::from_value(ready["without_context"].clone()).unwrap();
        machine.refused = ready["refused"].clone();
        machine.ready_after = begun.elapsed();
        Ok(machine)
    }

    pub fn send(&mut self, frame: &Value) {
        self.send_bytes(&serde_json::to_vec(frame).unwrap());
    }

    pub fn send_bytes(&mut self, body: &[u8]) {
        let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(body);
        self.wire.write_all(&bytes).unwrap();
    }

    pub fn receive(&mut self) -> Value {
        serde_json::from_slice(&self.receive_bytes().expect("a frame")).unwrap()
    }

    fn receive_bytes(&mut self) -> std::io::Result<Vec<u8>> {
        let mut header = [0; 4];
        self.wire.read_exact(&mut header)?;
        let length = u32::from_be_bytes(header) as usize;
        assert!(length <= FRAME_MAX, "a frame of {length} bytes");
        let mut body = vec![0; length];
        self.wire.read_exact(&mut body)?;
        Ok(body)
    }

    /// Sends a call and returns its id.
    pub fn begin(&mut self, operation: &str, argument: &Value) -> u64 {
        self.begin_with(operation, argument, &json!({}))
    }

    /// Sends a call with further fields.
    pub fn begin_with(&mut self, operation: &str, argument: &Value, more: &Value) -> u64 {
        self.last += 1;
        let (service, operation) = operation.rsplit_once('.').unwrap();
        let mut frame = json!({"type": "call", "id": self.last, "service": service, "operation": operation,
            "argument": argument, "context": {"execution_id": "exe_1", "created_at": 5}, "budget_ms": 5000, "trace": "", "files": {}});
        for (name, value) in more.as_object().unwrap() {
            frame[name] = value.clone();
        }
        self.send(&frame);
        self.last
    }

    /// Calls and waits for the answer.
    pub fn call(&mut self, operation: &str, argument: &Value) -> Value {
        let id = self.begin(operation, argument);
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Calls and returns the output.
    #[track_caller]
    pub fn output(&mut self, operation: &str, argument: &Value) -> Value {
        let answer = self.call(operation, argument);
        assert_eq!(answer["type"], "ok", "{operation} {argument}: {answer}");
        answer["output"].clone()
    }

    /// Calls and returns the failure, which has this code.
    #[track_caller]
    pub fn failure(&mut self, operation: &str, argument: &Value, code: &str) -> Value {
        let answer = self.call(operation, argument);
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!(code)),
            "{operation} {argument}: {answer}"
        );
        answer
    }

    /// Closes our end of the wire and waits until the JVM has ended.
    pub fn close(mut self) -> ExitStatus {
        self.wire.shutdown(std::net::Shutdown::Both).unwrap();
        self.ended()
    }

    /// Waits until the JVM has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "the JVM does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns whether nothing more comes.
    pub fn is_closed(&mut self) -> bool {
        self.receive_bytes().is_err()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
