//! `jar:` — a Java archive that runs in a supervised JVM, and how its methods are called.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::Name;
use crate::json::Json;

/// `jar:` — archives that nobody rewrites, kept warm in a JVM of their own or in one that several components share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JarShape {
    /// The class path, in this order; every name is one of `files`.
    pub paths: Vec<String>,
    /// The archives of the package, by name relative to the descriptor, with their digests.
    pub files: BTreeMap<String, Digest>,
    /// The Java releases that it may run on; absent means what its class files need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub java: Option<JavaRange>,
    /// The Java release that its class files need.
    #[serde(default = "oldest")]
    pub needs_java: u32,
    /// Largest heap of one JVM, in bytes.
    #[serde(default = "heap")]
    pub memory_bytes: u64,
    /// Most memory for classes, in bytes.
    #[serde(default = "metaspace")]
    pub metaspace_bytes: u64,
    /// Most threads of one JVM.
    #[serde(default = "threads")]
    pub threads: u32,
    /// The JVM that it shares with every component that names the same; absent means one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jvm: Option<Name>,
    /// Most JVMs that take calls.
    #[serde(default = "one")]
    pub instances: u32,
    /// Most calls in flight in one JVM.
    #[serde(default = "calls")]
    pub calls_in_flight: u32,
    /// How long a JVM may take until it is ready, in milliseconds.
    #[serde(default = "thirty_seconds")]
    pub start_timeout_ms: u64,
    /// JVMs that are kept once the component was used.
    #[serde(default = "one")]
    pub warm: u32,
    /// How long a JVM beyond these may have no call before it ends, in milliseconds.
    #[serde(default = "super::idle", skip_serializing_if = "super::is_usual_idle")]
    pub idle_ms: u64,
    /// When a JVM is replaced by a new one.
    #[serde(default, skip_serializing_if = "Recycle::is_never")]
    pub recycle: Recycle,
    /// Further options of the JVM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Environment of the JVM, beside what every program is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Folders that operations may take files from, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roots: BTreeMap<String, std::path::PathBuf>,
    /// Configuration that Java code may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Json>,
    /// The class with `main(String[])` that an operation without `call` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
}

impl JarShape {
    /// Heap of a JVM if nothing is said, in bytes.
    pub const MEMORY_BYTES: u64 = 256 << 20;
    /// Memory for classes if nothing is said, in bytes.
    pub const METASPACE_BYTES: u64 = 128 << 20;
    /// Threads of a JVM if nothing is said.
    pub const THREADS: u32 = 256;
    /// Calls in flight in a JVM if nothing is said.
    pub const CALLS_IN_FLIGHT: u32 = 16;
    /// How long a JVM may take until it is ready if nothing is said, in milliseconds.
    pub const START_TIMEOUT_MS: u64 = 30_000;

    /// Returns the Java releases that it can run on.
    pub fn wants(&self) -> JavaRange {
        self.java.unwrap_or(JavaRange { least: self.needs_java, most: None })
    }
}

/// The oldest release for which anything is built here.
fn oldest() -> u32 {
    8
}
fn heap() -> u64 {
    JarShape::MEMORY_BYTES
}
fn metaspace() -> u64 {
    JarShape::METASPACE_BYTES
}
fn threads() -> u32 {
    JarShape::THREADS
}
fn calls() -> u32 {
    JarShape::CALLS_IN_FLIGHT
}
fn thirty_seconds() -> u64 {
    JarShape::START_TIMEOUT_MS
}
fn one() -> u32 {
    1
}

/// Java releases by their feature number: 8, 11, 17, 21.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaRange {
    /// The oldest.
    pub least: u32,
    /// The newest, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
}

impl JavaRange {
    /// Returns whether a release is one of them.
    pub fn contains(self, release: u32) -> bool {
        self.least <= release && self.most.is_none_or(|most| release <= most)
    }

    /// Returns the releases that are in both, if any are.
    pub fn and(self, other: Self) -> Option<Self> {
        let least = self.least.max(other.least);
        let most = [self.most, other.most].into_iter().flatten().min();
        most.is_none_or(|most| least <= most).then_some(Self { least, most })
    }
}

impl fmt::Display for JavaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most {
            None => write!(f, "Java {} or newer", self.least),
            Some(most) if most == self.least => write!(f, "Java {most}"),
            Some(most) => write!(f, "Java {} to {most}", self.least),
        }
    }
}

/// When a JVM is replaced: whichever comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recycle {
    /// After so many calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// At this age, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// When it holds so much resident memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl Recycle {
    /// Returns whether it never happens.
    pub fn is_never(&self) -> bool {
        *self == Self::default()
    }
}

/// How an operation of a jar is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JavaCall {
    /// A method, in the JVM that is kept.
    Method(JavaMethod),
    /// `main(String[])`, in a JVM of its own.
    Run(JavaMain),
}

/// A public method of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaMethod {
    /// The class by its binary name, such as `com.acme.Quote`.
    pub class: String,
    /// The method.
    pub method: String,
    /// Its parameters, where they are named; otherwise reflection tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Vec<JavaParam>>,
    /// What it returns, where reflection cannot know, such as `List[Money]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaParam {
    /// The member of the argument that it takes.
    pub name: String,
    /// Its type, where reflection cannot know, such as `List[Item]`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// A class with `main(String[])`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaMain {
    /// The class by its binary name.
    pub class: String,
    /// Whether its arguments and standard input are what the argument of the call says, `{args, stdin}`, and its output
    /// `{stdout, exit}`; otherwise they are templates, as those of a program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_asked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_of_few_words_reads_with_every_default() {
        let shape: JarShape = serde_json::from_str(r#"{"paths": [], "files": {}}"#).unwrap();
        assert_eq!((shape.needs_java, shape.warm, shape.instances, shape.calls_in_flight), (8, 1, 1, 16));
        assert_eq!(shape.wants().to_string(), "Java 8 or newer");
        assert!(shape.recycle.is_never());
    }

    #[test]
    fn a_range_has_both_its_ends() {
        let range = JavaRange { least: 11, most: Some(17) };
        assert_eq!([8, 11, 17, 18].map(|release| range.contains(release)), [false, true, true, false]);
        assert_eq!(range.to_string(), "Java 11 to 17");
        let from = |least, most| JavaRange { least, most };
        assert_eq!(range.and(from(8, None)), Some(range));
        assert_eq!(range.and(from(17, Some(21))), Some(from(17, Some(17))));
        assert_eq!(from(8, None).and(from(11, None)), Some(from(11, None)));
        assert_eq!(range.and(from(18, None)), None);
    }
}
