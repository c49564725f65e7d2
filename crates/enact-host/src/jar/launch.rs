//! How the JVMs of one component version are started: the Java, its options, the class path and what `init` carries.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use enact_model::descriptor::{Component, JarShape, JavaCall, JavaMain, Operation, Returns};
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind, Reached};
use serde_json::{Map, Value, json};

use super::archive::{Archive, Sharing};
use super::java::Java;
use super::{Base, shelf};
use crate::process::launch::{Feed, Kept, Launch, Words, templates};
use crate::process::package::scratch_fault;
use crate::process::prepare::Prepared;
use crate::process::version::Version;

/// The class that speaks the frames.
const MAIN: &str = "dev.enact.jvm.Main";
/// Heaps below this have a collector that costs a short start, in bytes; above it Java chooses.
const SMALL_BELOW_BYTES: u64 = 1 << 30;
/// The oldest release whose archives keep objects beside classes. Only G1 puts them into one, and only G1 takes them out of
/// it on Java 17; without them every start makes the modules and the texts of Java anew.
const G1_FROM: u32 = 17;
/// The releases in which an exit can be held back, but only if that is allowed at the start.
const GUARDED: std::ops::RangeInclusive<u32> = 12..=23;
/// A method is compiled for the first time after three times as many calls as Java would have it: what is called less often
/// costs more to compile than to interpret, and that was an eighth of a short start. Loops, and the better compiler, are as ever.
const LATER_COMPILED: [&str; 3] =
    ["-XX:Tier3InvocationThreshold=600", "-XX:Tier3MinInvocationThreshold=300", "-XX:Tier3CompileThreshold=6000"];
/// How often what the compilers and the collector have freed goes back to the system, in milliseconds.
const TRIM_EVERY: &str = "-XX:TrimNativeHeapInterval=30000";
/// Has exits held back only from the second call on.
const GUARDED_LATE: &str = "-Denact.exits.held=later";
/// So long, in bytes with the end of the text, Linux takes no argument any more.
const ARGUMENT_MAX_BYTES: usize = 128 * 1024;
/// Most arguments that a call brings along.
const ARGS_MAX: usize = 4096;

/// The JVMs of one component version.
pub(super) struct Jvm {
    base: Arc<Base>,
    shape: JarShape,
    java: Java,
    class_path: Vec<PathBuf>,
    kept: Option<Kept>,
    archive: Option<Arc<Archive>>,
    /// A call has asked for an exit, so that the next ones are held back from the first call on.
    exits: AtomicBool,
}

impl Jvm {
    /// Chooses the Java and brings the class path here. Blocks.
    pub fn new(base: Arc<Base>, shape: JarShape, component: &Component) -> Result<Self, Fault> {
        let java = choose(&base, &shape, component)?;
        let class_path = shelf::class_path(&base, &shape)?;
        let config = is_kept(component).then(|| init(&shape, component, &class_path));
        Ok(Self::with(base, shape, java, class_path, config))
    }

    /// The same for several components, each of which has its class path in the configuration. Blocks.
    pub fn joint(base: Arc<Base>, shape: JarShape, component: &Component, config: Json) -> Result<Self, Fault> {
        let java = choose(&base, &shape, component)?;
        Ok(Self::with(base, shape, java, Vec::new(), Some(config)))
    }

    fn with(base: Arc<Base>, shape: JarShape, java: Java, class_path: Vec<PathBuf>, config: Option<Json>) -> Self {
        let kept = config.map(|config| Kept {
            instances_max: shape.instances.max(1),
            warm: shape.warm,
            stay: shape.warm,
            idle: Duration::from_millis(shape.idle_ms),
            calls_max: shape.calls_in_flight.max(1),
            start_timeout_ms: shape.start_timeout_ms,
            config: Some(config),
            recycle: shape.recycle,
            threads_max: Some(shape.threads),
        });
        let mut jvm = Self { base, shape, java, class_path, kept, archive: None, exits: AtomicBool::new(false) };
        if let Some(archives) = &jvm.base.archives {
            jvm.archive = archives.of(&jvm.java, jvm.lasting(), jvm.joined()).map(Arc::new);
        }
        jvm
    }

    pub fn shape(&self) -> &JarShape {
        &self.shape
    }

    pub fn class_path(&self) -> &[PathBuf] {
        &self.class_path
    }

    /// Brings the class path of a component here, as far as somebody has deleted or altered it. Blocks.
    pub fn bring(&self, shape: &JarShape) -> Result<(), Fault> {
        shelf::class_path(&self.base, shape).map(drop)
    }

    /// The options that an archive of classes depends on.
    fn lasting(&self) -> Vec<OsString> {
        let mut options: Vec<OsString> = Vec::new();
        let collector = |option: &String| option.starts_with("-XX:+Use") && option.ends_with("GC");
        if self.shape.memory_bytes < SMALL_BELOW_BYTES && !self.shape.options.iter().any(collector) {
            if self.java.release < G1_FROM {
                options.push("-XX:+UseSerialGC".into());
            } else {
                // Without the second one it fills two thirds of the heap before it collects for the first time.
                let young = self.shape.memory_bytes / 3;
                options.extend(["-XX:+UseG1GC".into(), format!("-XX:MaxNewSize={young}").into()]);
            }
        }
        options.push(format!("-Xmx{}", self.shape.memory_bytes).into());
        options.push(format!("-XX:MaxMetaspaceSize={}", self.shape.metaspace_bytes).into());
        options.extend(self.own_options(true));
        options
    }

    /// The options of the descriptor: those of the JVM itself, or those that only code sees.
    fn own_options(&self, of_the_jvm: bool) -> impl Iterator<Item = OsString> + '_ {
        let fits = move |option: &&String| option.starts_with("-XX:") == of_the_jvm;
        self.shape.options.iter().filter(fits).map(OsString::from)
    }

    /// Returns whether exits need not be held back before the first call is answered: until then one ends the JVM, the calls
    /// beside it are answered first, and nobody is worse off but who is started for the next call. Java takes a third of a
    /// short start to hold them back. Several components do not pay for each other's exits.
    fn guards_late(&self) -> bool {
        let alone = !self.class_path.is_empty();
        alone && GUARDED.contains(&self.java.release) && !self.exits.load(Ordering::Relaxed)
    }

    fn options(&self) -> Vec<OsString> {
        let own = ["-XX:-UsePerfData", "-Djava.awt.headless=true", "-Dfile.encoding=UTF-8"];
        // First, so that the component may say otherwise.
        let mut options: Vec<OsString> = own.into_iter().chain(LATER_COMPILED).map(OsString::from).collect();
        if self.java.trims() {
            options.push(TRIM_EVERY.into());
        }
        options.extend(self.lasting());
        if GUARDED.contains(&self.java.release) {
            options.push("-Djava.security.manager=allow".into());
        }
        options.extend(self.own_options(false));
        options
    }

    /// The class path of every JVM of the component: one archive of classes is good for all of them.
    fn joined(&self) -> OsString {
        let mut joined = OsString::from(&self.base.jvm_jar);
        for path in &self.class_path {
            joined.push(":");
            joined.push(path);
        }
        joined
    }

    fn words(&self, quick: &[&str], sharing: Sharing, main: &str) -> Result<Words, Fault> {
        // Both are there as they were, unless somebody has deleted or altered them.
        self.base.bring().map_err(|error| scratch_fault(&error))?;
        self.bring(&self.shape)?;
        let mut args = self.options();
        args.extend(quick.iter().map(OsString::from));
        args.extend(sharing.options());
        let joined = self.joined();
        if joined.len() >= ARGUMENT_MAX_BYTES {
            let (archives, bytes) = (self.class_path.len(), joined.len());
            return Err(FaultKind::StartFailed.fault(format!(
                "the class path of {archives} archives has {bytes} bytes, and the system takes less than {ARGUMENT_MAX_BYTES} in \
                 one argument; put several of them into one"
            )));
        }
        args.extend(["-cp".into(), joined, main.into()]);
        Ok(Words { program: self.java.program.clone(), args })
    }
}

impl Launch for Jvm {
    fn kept(&self) -> Option<Kept> {
        self.kept.clone()
    }

    fn is_kept(&self, operation: &Operation) -> bool {
        !matches!(operation.call.java, Some(JavaCall::Run(_)))
    }

    fn instance(&self) -> Result<Words, Fault> {
        let sharing = self.archive.as_ref().map_or(Sharing::Default, |archive| archive.sharing());
        let late = matches!(sharing, Sharing::Archive(_)) && self.guards_late();
        self.words(if late { &[GUARDED_LATE] } else { &[] }, sharing, MAIN)
    }

    fn attempt(&self, operation: &Operation, argument: &Json, prepared: &Prepared) -> Result<(Words, Feed), Fault> {
        let Some(JavaCall::Run(main)) = &operation.call.java else {
            return Err(FaultKind::UnknownOperation.fault("the operation is no main class"));
        };
        let (args, feed) = match main {
            JavaMain { as_asked: true, .. } => asked(argument)?,
            JavaMain { as_asked: false, .. } => templates(operation, argument, prepared, &self.shape.roots)?,
        };
        let sharing = self.archive.as_ref().map_or(Sharing::Default, |archive| archive.sharing());
        if let (Some(archive), Sharing::List(_)) = (&self.archive, &sharing) {
            // One that is gone before it has loaded anything leaves no list, and the next one makes it.
            archive.clone().make_of_list(self.base.ground.clone(), || true);
        }
        // A short life is over before the better compiler pays.
        let mut words = self.words(&["-XX:TieredStopAtLevel=1"], sharing, &main.class)?;
        words.args.extend(args);
        Ok((words, feed))
    }

    /// A JVM reserves far more than it uses; its own limits are set by its options.
    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    fn started(&self, version: &Arc<Version>) {
        let Some(archive) = &self.archive else { return };
        let version = Arc::downgrade(version);
        // Classes that only calls need are loaded by the first of them.
        let used = move || version.upgrade().is_none_or(|version| version.counts.calls.load(Ordering::Relaxed) > 0);
        archive.clone().make_of_list(self.base.ground.clone(), used);
    }

    fn remembered(&self) -> Option<Json> {
        self.archive.as_ref()?.remembered()
    }

    fn remember(&self, memory: Option<Json>) {
        if let (Some(archive), Some(memory)) = (&self.archive, memory) {
            archive.remember(memory);
        }
    }

    fn exits(&self) {
        self.exits.store(true, Ordering::Relaxed);
    }

    fn closer(&self, fault: Fault) -> Fault {
        match fault.evidence.exception.as_deref() {
            Some("java.lang.OutOfMemoryError") => {
                let evidence = fault.evidence;
                FaultKind::OutOfMemory.fault(fault.message).reached(Reached::Yes).with(|e| *e = evidence)
            }
            // Java's own errors are no answers: a stack that ran over, a class that is missing or does not fit.
            Some(error) if error.starts_with("java.lang.") && error.ends_with("Error") => {
                let evidence = fault.evidence;
                FaultKind::HandlerBroken.fault(fault.message).with(|e| *e = evidence)
            }
            // It shares a JVM that could not make it.
            Some("InitFailed") => FaultKind::InitRefused.fault(fault.message),
            Some("ResultTooLarge") => {
                let evidence = fault.evidence;
                FaultKind::OutputTooLarge.fault(fault.message).with(|e| *e = evidence)
            }
            // A cycle, a number that JSON does not have.
            Some("UnwritableResult") => {
                let evidence = fault.evidence;
                FaultKind::OutputNotJson.fault(fault.message).with(|e| *e = evidence)
            }
            Some("System.exit") => {
                self.exits();
                let status = fault.evidence.detail.as_ref().and_then(|detail| detail.to_value()["exit"].as_i64());
                let status = status.and_then(|status| i32::try_from(status).ok());
                let evidence = fault.evidence;
                FaultKind::ExitedNonZero.fault(fault.message).with(|e| {
                    *e = evidence;
                    e.exit_code = status;
                })
            }
            _ => fault,
        }
    }
}

fn choose(base: &Base, shape: &JarShape, component: &Component) -> Result<Java, Fault> {
    base.java.choose(shape.wants()).map_err(|fault| {
        let message = format!("{} {} cannot run here: {}", component.name, component.version, fault.message);
        Fault { message, ..fault }
    })
}

/// Returns whether a component has methods, for which a JVM is kept.
fn is_kept(component: &Component) -> bool {
    component.operations().any(|(_, operation)| !matches!(operation.call.java, Some(JavaCall::Run(_))))
}

/// What `init` carries to a JVM.
pub(super) fn init(shape: &JarShape, component: &Component, class_path: &[PathBuf]) -> Json {
    let mut operations = Map::new();
    for (selector, operation) in component.operations() {
        let Some(JavaCall::Method(method)) = &operation.call.java else { continue };
        let mut said = json!({ "class": method.class, "method": method.method });
        if let Some(params) = &method.params {
            said["params"] = json!(params);
        }
        if let Some(returns) = &method.returns {
            said["returns"] = json!(returns);
        }
        said["effects"] = json!(operation.returns == Returns::Effects);
        operations.insert(format!("{}.{}", selector.service, selector.operation), said);
    }
    Json::of(&json!({
        "classpath": class_path,
        "operations": operations,
        "components": null,
        "config": shape.config.as_ref().map(Json::to_value),
        "threads": shape.calls_in_flight,
    }))
}

/// Reads `{args, stdin}`.
fn asked(argument: &Json) -> Result<(Vec<OsString>, Feed), Fault> {
    let wrong = |text: &str| FaultKind::BadArgument.fault(text).reached(Reached::No);
    let members = match argument.to_value() {
        Value::Null => return Ok((Vec::new(), Feed::Nothing)),
        Value::Object(members) => members,
        _ => return Err(wrong("the argument must be an object with `args` and `stdin`")),
    };
    if let Some(other) = members.keys().find(|key| !["args", "stdin"].contains(&key.as_str())) {
        return Err(wrong(&format!("the argument has `{other}`; what is known is `args` and `stdin`")));
    }
    let args = match members.get("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.len() <= ARGS_MAX => {
            let word = |item: &Value| match item {
                Value::String(text) if !text.contains('\0') => Some(OsString::from(text)),
                Value::Number(number) => Some(number.to_string().into()),
                Value::Bool(flag) => Some(flag.to_string().into()),
                _ => None,
            };
            let words: Option<Vec<OsString>> = items.iter().map(word).collect();
            words.ok_or_else(|| wrong("every one of `args` must be a text, a number, true or false"))?
        }
        Some(_) => return Err(wrong(&format!("`args` must be a list of at most {ARGS_MAX} words"))),
    };
    match members.get("stdin") {
        None | Some(Value::Null) => Ok((args, Feed::Nothing)),
        Some(Value::String(text)) => Ok((args, Feed::Bytes(text.clone().into_bytes()))),
        Some(_) => Err(wrong("`stdin` must be a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<String>, Option<String>), String> {
        let read = asked(&Json::parse(text).unwrap());
        let (args, feed) = read.map_err(|fault| fault.message)?;
        let stdin = match feed {
            Feed::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            _ => None,
        };
        Ok((args.into_iter().map(|word| word.into_string().unwrap()).collect(), stdin))
    }

    #[test]
    fn a_main_class_is_given_the_words_and_the_text_of_its_call() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(read("null").unwrap(), (vec![], None));
        assert_eq!(read("{}").unwrap(), (vec![], None));
        let (args, stdin) = read(r#"{"args": ["-x", 1.50, true, ""], "stdin": "ü"}"#).unwrap();
        assert_eq!((args, stdin.as_deref()), (words(&["-x", "1.50", "true", ""]), Some("ü")));
        for text in ["[]", "1", r#"{"arg": []}"#, r#"{"args": "x"}"#, r#"{"args": [null]}"#, r#"{"stdin": 1}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
