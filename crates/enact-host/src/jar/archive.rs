//! Archives of loaded classes (class data sharing): made in the background of what a first JVM has loaded, checked, and
//! only then named.
//!
//! A JVM that is given an archive which is missing or garbage turns class sharing off altogether and says nothing. So an
//! archive has its name only after a JVM has started with it and nothing else, and is used only while its bytes are
//! those that were checked then.
//!
//! Beside it stands what a JVM that has looked into the class path remembers of it (which classes are not there, what
//! Scala says of those that are), so that the next one opens no jar before a component does.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_model::digest::Digest;
use enact_model::json::Json;
use tokio::time::{Instant, timeout};

use super::java::Java;
use super::short;
use crate::process::Ground;
use crate::process::seal::digest_of;
use crate::process::spawn::{Plan, spawn};
use crate::scratch::Scratch;

/// The oldest release whose archives are known to be taken: an older one starts without.
const OLDEST: u32 = 17;
/// A list that has not grown for so long is complete enough.
const QUIET: Duration = Duration::from_secs(2);
/// Between two looks at a list.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a list is waited for.
const LIST_WAIT: Duration = Duration::from_secs(600);
/// How long making or checking an archive may take.
const MAKE_WAIT: Duration = Duration::from_secs(120);
/// How far the making steps back behind calls.
const NICE: i32 = 15;
/// Most that is remembered of a class path, in bytes.
const MEMORY_MAX_BYTES: usize = 256 * 1024;
/// Lists of one hub, numbered.
static LISTS: AtomicU64 = AtomicU64::new(1);

/// The archives of a store.
pub(super) struct Archives(PathBuf);

impl Archives {
    /// Opens the folder and removes what was begun and not finished.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "list" || ending == "making") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Self(folder.to_owned()))
    }

    /// Returns the archive for a Java, a class path and the options on which it depends, made or not; `None` if that Java
    /// makes none. Reads it whole.
    pub fn of(&self, java: &Java, options: Vec<OsString>, class_path: OsString) -> Option<Archive> {
        if java.release < OLDEST {
            return None;
        }
        // The class path names the archives by their digests; a Java that is replaced in place has another version.
        let key = format!("{} {} {options:?} {class_path:?}", java.home.display(), java.version);
        let path = self.0.join(format!("{}.jsa", short(&Digest::of(key.as_bytes()))));
        let archive = Archive {
            program: java.program.clone(),
            options,
            class_path,
            seal: path.with_extension("sha256"),
            path,
            state: Mutex::new(State::Missing),
            memory: Mutex::default(),
            making: AtomicBool::new(false),
        };
        if let Some(memory) = archive.sealed() {
            *archive.state() = State::Ready;
            *archive.memory() = memory;
        }
        Some(archive)
    }
}

/// What a JVM is to do about class sharing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sharing {
    /// What it does by itself.
    Default,
    /// List what it loads.
    List(PathBuf),
    /// Start from an archive.
    Archive(PathBuf),
}

impl Sharing {
    /// Returns the options for it.
    pub fn options(&self) -> Vec<OsString> {
        let with = |option: &str, path: &Path| {
            let mut word = OsString::from(option);
            word.push(path);
            word
        };
        match self {
            Self::Default => Vec::new(),
            Self::List(path) => vec![with("-XX:DumpLoadedClassList=", path)],
            // `auto` is the default; with `on` a JVM that cannot map it would not start at all.
            Self::Archive(path) => vec!["-Xshare:auto".into(), with("-XX:SharedArchiveFile=", path)],
        }
    }
}

/// The archive of one class path.
pub(super) struct Archive {
    program: PathBuf,
    options: Vec<OsString>,
    class_path: OsString,
    path: PathBuf,
    /// The file with its digest and, in a second line, the memory; written last.
    seal: PathBuf,
    state: Mutex<State>,
    /// What a JVM remembers of the class path.
    memory: Mutex<Option<Json>>,
    making: AtomicBool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nobody lists classes.
    Missing,
    /// A JVM was told to list its classes there.
    Listing(PathBuf),
    Ready,
    /// It could not be made; it is not tried again before the hub starts again.
    Failed,
}

impl Archive {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Option<Json>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what an earlier JVM remembers of the class path.
    pub fn remembered(&self) -> Option<Json> {
        self.memory().clone()
    }

    /// Keeps what a JVM remembers of the class path; the first one counts.
    pub fn remember(&self, said: Json) {
        if said.as_str().len() <= MEMORY_MAX_BYTES {
            self.memory().get_or_insert(said);
        }
    }

    /// Tells what the next JVM is to do; the first one lists what it loads.
    pub fn sharing(&self) -> Sharing {
        let mut state = self.state();
        if *state == State::Ready && !self.path.is_file() {
            // Somebody has deleted it.
            *state = State::Missing;
            self.making.store(false, Ordering::Release);
        }
        match &*state {
            State::Ready => Sharing::Archive(self.path.clone()),
            State::Missing => {
                let _ = std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/")));
                let list = self.path.with_extension(format!("{}.list", LISTS.fetch_add(1, Ordering::Relaxed)));
                *state = State::Listing(list.clone());
                Sharing::List(list)
            }
            State::Listing(_) | State::Failed => Sharing::Default,
        }
    }

    /// Makes the archive in the background once the list is there, has been used, and grows no more.
    pub fn make_of_list(self: Arc<Self>, ground: Arc<Ground>, used: impl Fn() -> bool + Send + 'static) {
        let State::Listing(list) = self.state().clone() else { return };
        if self.making.swap(true, Ordering::AcqRel) {
            return;
        }
        tokio::spawn(async move {
            let made = match self.complete(&list, used).await {
                true => self.make(&ground, &list).await,
                false => Err(io::Error::other("no list of classes came")),
            };
            let _ = std::fs::remove_file(&list);
            if let Err(error) = made {
                tracing::debug!(archive = %self.path.display(), %error, "no archive of classes was made");
                *self.state() = State::Failed;
                return;
            }
            *self.state() = State::Ready;
            // For the next hub; without it that one makes another.
            let sealed = tokio::task::spawn_blocking(move || self.seal());
            if let Ok(Err(error)) = sealed.await {
                tracing::debug!(%error, "an archive of classes could not be sealed");
            }
        });
    }

    /// Waits until a list is complete.
    async fn complete(&self, list: &Path, used: impl Fn() -> bool) -> bool {
        let given_up = Instant::now() + LIST_WAIT;
        let (mut size, mut since) = (0, Instant::now());
        while Instant::now() < given_up {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = std::fs::metadata(list).map_or(0, |meta| meta.len());
            if now != size {
                (size, since) = (now, Instant::now());
            } else if size > 0 && since.elapsed() >= QUIET && used() {
                return true;
            }
        }
        false
    }

    async fn make(&self, ground: &Arc<Ground>, list: &Path) -> io::Result<()> {
        let making = self.path.with_extension("making");
        let option = |name: &str, path: &Path| {
            let mut word = OsString::from(name);
            word.push(path);
            word
        };
        let file = option("-XX:SharedArchiveFile=", &making);
        let dump = vec!["-Xshare:dump".into(), option("-XX:SharedClassListFile=", list), file.clone()];
        self.run(ground, dump, None).await?;
        // It starts from this archive or not at all.
        self.run(ground, vec!["-Xshare:on".into(), file], Some("-version")).await?;
        std::fs::rename(&making, &self.path)
    }

    /// Writes the digest of the archive beside it, and the memory. Blocks.
    fn seal(&self) -> io::Result<()> {
        let mut digest = digest_of(&self.path)?.to_string();
        if let Some(memory) = &*self.memory() {
            digest = format!("{digest}\n{memory}");
        }
        let mut file = tempfile::NamedTempFile::new_in(self.path.parent().unwrap_or(Path::new("/")))?;
        file.write_all(digest.as_bytes())?;
        file.persist(&self.seal).map(drop).map_err(|error| error.error)
    }

    /// Runs a JVM to its end, behind everything else.
    async fn run(&self, ground: &Arc<Ground>, sharing: Vec<OsString>, what: Option<&str>) -> io::Result<()> {
        let mut args = self.options.clone();
        args.extend(sharing);
        args.extend(["-cp".into(), self.class_path.clone()]);
        args.extend(what.map(OsString::from));
        let (program, ground) = (self.program.clone(), ground.clone());
        let spawned = tokio::task::spawn_blocking(move || {
            let scratch = Scratch::new(&ground.scratch, "classes-")?;
            let plan = Plan {
                program,
                args,
                folder: scratch.path().to_owned(),
                env: Default::default(),
                stdin: Stdio::null(),
                stdout: Stdio::null(),
                stderr: Stdio::null(),
                memory_bytes: None,
                label: "an archive of classes".to_owned(),
                execution: None,
                nonce: ground.nonce(),
            };
            let group = spawn(&ground, plan).map_err(|fault| io::Error::other(fault.message))?;
            Ok::<_, io::Error>((group, scratch))
        });
        let (mut group, _scratch) = spawned.await.map_err(io::Error::other)??;
        if let Some(pid) = i32::try_from(group.pid()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::setpriority_process(Some(pid), NICE);
        }
        let ended = timeout(MAKE_WAIT, group.reap()).await.map_err(|_| io::Error::other("it took too long"))??;
        if ended.status.success() { Ok(()) } else { Err(io::Error::other(ended.words())) }
    }

    /// Returns the memory if the archive is there and is what was checked.
    fn sealed(&self) -> Option<Option<Json>> {
        let sealed = std::fs::read_to_string(&self.seal).ok()?;
        let (digest, memory) = sealed.split_once('\n').unwrap_or((&sealed, ""));
        if digest_of(&self.path).is_ok_and(|found| found.to_string() == digest) {
            return Some(Json::parse(memory).ok());
        }
        let _ = std::fs::remove_file(&self.seal);
        None
    }
}
