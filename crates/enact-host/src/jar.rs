//! The jar host: archives that nobody rewrites, each component warm in a supervised JVM of its own.
//!
//! Everything that makes a process survivable is the [process host](crate::process)'s: the pool, the circuit, the ladder
//! from a cancel to a kill, the ledger, the sweep. Here is what a JVM needs beside it: which Java, which options, the
//! archives of the class path, and an archive of loaded classes that makes the next start quick.

mod archive;
mod group;
mod java;
mod launch;
mod settle;
mod shelf;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use enact_model::descriptor::{Component, JarShape, Shape};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::observation::Fault;

use crate::contract::{BoxFuture, Call, CancelToken, ContextPort, Fingerprint, Host, HostObservation, HostStats};
use crate::process::launch::Launch;
use crate::process::seal::Seals;
use crate::process::versions::Versions;
use crate::process::{Ground, ProcessHost, other_shape};
use archive::Archives;
use group::Groups;
use launch::Jvm;

pub use java::{Java, JavaPlaces, Runtimes};

/// The Java side: what runs in every JVM, built from `jvm/` of the repository.
const JVM_JAR: &[u8] = include_bytes!("jar/enact-jvm.jar");

/// What the jar host is given.
#[derive(Debug, Clone)]
pub struct JarConfig {
    /// A folder of the store's for the Java side and the archives of classes.
    pub folder: PathBuf,
    /// Where runtimes are looked for.
    pub java: JavaPlaces,
    /// Whether archives of classes are made and used.
    pub archives: bool,
}

/// What every part of the host stands on.
struct Base {
    ground: Arc<Ground>,
    java: JavaPlaces,
    /// The Java side, on disk.
    jvm_jar: PathBuf,
    archives: Option<Archives>,
    /// The archives of class paths that are here as they should be.
    seals: Seals,
}

impl Base {
    /// Puts the Java side on disk if somebody has deleted or altered it; it is so small that it is read each time. Blocks.
    fn bring(&self) -> io::Result<()> {
        shelf::keep(&self.jvm_jar, JVM_JAR)
    }
}

/// The host of the shape `jar`.
pub struct JarHost {
    base: Arc<Base>,
    versions: Versions,
    groups: Arc<Groups>,
}

impl JarHost {
    /// Makes a host on the ground of a process host, which has reaped what former incarnations left. Whoever ends both
    /// ends this one first.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn beside(host: &ProcessHost, config: JarConfig) -> io::Result<Self> {
        let jvm_jar = config.folder.join(format!("enact-jvm-{}.jar", short(&Digest::of(JVM_JAR))));
        shelf::keep(&jvm_jar, JVM_JAR)?;
        let archives = config.archives.then(|| Archives::open(&config.folder.join("classes"))).transpose()?;
        let seals = Seals::default();
        let base = Base { ground: host.ground(), java: config.java, jvm_jar, archives, seals };
        Ok(Self { base: Arc::new(base), versions: Versions::default(), groups: Arc::default() })
    }
}

impl Host for JarHost {
    fn fingerprint(&self, component: &Component) -> Result<Fingerprint, Fault> {
        let shape = shape(component)?;
        if let Some(name) = &shape.jvm {
            self.groups.of(name, &self.base).check(component, shape)?;
        }
        let java = self.base.java.choose(shape.wants())?;
        Ok(Fingerprint { facts: BTreeMap::from([("java".to_owned(), java.to_string())]) })
    }

    fn runtimes(&self) -> Runtimes {
        self.base.java.find()
    }

    fn start<'a>(&'a self, component: Arc<Component>, digest: Digest) -> BoxFuture<'a, Result<(), Fault>> {
        let (base, groups, given) = (self.base.clone(), self.groups.clone(), component.clone());
        let launch = move || {
            let shape = shape(&given)?.clone();
            let group = shape.jvm.as_ref().map(|name| groups.of(name, &base));
            // Before it is asked whether what it needs alone is here: that it can never be with the others is nearer the truth.
            group.as_ref().map_or(Ok(()), |group| group.joint(&given, &shape).map(drop))?;
            let own = Jvm::new(base, shape, &given)?;
            Ok(match group {
                None => Arc::new(own) as Arc<dyn Launch>,
                Some(group) => Arc::new(group.join(&given, digest, own)?),
            })
        };
        Box::pin(self.versions.start(self.base.ground.clone(), component, digest, launch))
    }

    fn probe<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.versions.probe(name, version))
    }

    fn invoke<'a>(
        &'a self,
        call: Call,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> BoxFuture<'a, HostObservation> {
        Box::pin(self.versions.invoke(Arc::new(call), port, cancel))
    }

    fn drain<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.versions.drain(name, version))
    }

    fn stats(&self) -> Vec<HostStats> {
        self.versions.stats()
    }

    fn shutdown<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // First, so that the calls in what is shared are stopped and nobody waits for them.
            self.groups.shutdown().await;
            self.versions.shutdown().await;
        })
    }
}

fn shape(component: &Component) -> Result<&JarShape, Fault> {
    match &component.shape {
        Shape::Jar(shape) => Ok(shape),
        other => Err(other_shape("jar", other)),
    }
}

/// The beginning of a digest, for names of files.
fn short(digest: &Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").chars().take(16).collect()
}
