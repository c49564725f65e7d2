//! What is known of a class path of jars.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::jars::Layout;
use crate::types::Type;

/// Everything that was found.
#[derive(Debug, Default, Serialize)]
pub struct Facts {
    /// The jars in their order.
    pub jars: Vec<JarFacts>,
    /// The Java that it needs.
    pub java: JavaNeed,
    /// How many classes each package has.
    pub packages: BTreeMap<String, usize>,
    /// Classes with `public static void main(String[])`, the one of the manifest first.
    pub entry_points: Vec<EntryPoint>,
    /// Interfaces, and the classes that say they serve them.
    pub service_interfaces: BTreeMap<String, Vec<String>>,
    /// Methods that end the whole process.
    pub exits: Vec<Use>,
    /// Methods that load code which is not Java's.
    pub native_loading: Vec<Use>,
    /// Methods whose body is not Java's.
    pub native_methods: Vec<Use>,
    /// Classes that stand more than once: the first jar's is loaded, and of one jar the last entry.
    pub duplicates: Vec<Duplicate>,
    /// Entries that were not read.
    pub unreadable: Vec<Unreadable>,
    /// Which methods were looked at, for people.
    pub looked_at: String,
    /// What can be called, in the order in which it is offered.
    pub operations: Vec<Operation>,
    /// How many more can be called than are listed.
    pub more_operations: usize,
    /// Public methods that cannot be called with JSON, and why.
    pub left_out: Vec<LeftOut>,
    /// Classes that Scala 3 made, whose generic types are not read.
    pub scala_3_classes: usize,
    /// Classes that Scala 2 made.
    pub scala_2_classes: usize,
    /// The jar with Scala's own classes, by the beginning of its name, if it is needed and is none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks_library: Option<String>,
}

/// One jar.
#[derive(Debug, Serialize)]
pub struct JarFacts {
    /// The file, as it was named.
    pub path: String,
    /// How it is laid out.
    pub layout: Layout,
    /// Its entries.
    pub entries: usize,
    /// Its classes.
    pub classes: usize,
    /// `Main-Class` of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_class: Option<String>,
    /// `Automatic-Module-Name` of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_name: Option<String>,
    /// `Implementation-Version` or `Bundle-Version` of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Class-Path` of the manifest: jars that it looks for beside itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_path: Vec<String>,
    /// Whether somebody signed it.
    pub signed: bool,
    /// Whether `Multi-Release` is set.
    pub multi_release: bool,
    /// Releases of Java for which it has classes of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<u16>,
    /// Jars inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nested_jars: Vec<String>,
    /// Names of entries that lead out of the folder into which one would unpack it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escaping_entries: Vec<String>,
}

/// Which Java.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct JavaNeed {
    /// What the entry points and operations need, with every class that they may reach.
    pub reached: u16,
    /// What the newest class of all needs.
    pub whole: u16,
    /// A class of the newest.
    pub newest_class: String,
    /// How many classes each Java reads first.
    pub classes: BTreeMap<u16, usize>,
    /// Classes that were compiled with preview features: only their very Java reads them, with `--enable-preview`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preview: Vec<String>,
}

/// A class that can be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryPoint {
    /// Its name.
    pub class: String,
    /// Whether the manifest names it.
    pub of_manifest: bool,
    /// Whether it is among the classes that were looked at.
    pub taken: bool,
}

/// A method that does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Its class.
    pub class: String,
    /// Its name.
    pub method: String,
    /// What it calls or is.
    pub what: String,
}

/// A class that stands more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Its name.
    pub class: String,
    /// The jars, once for each time.
    pub jars: Vec<String>,
}

/// An entry that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The jar.
    pub jar: String,
    /// The entry.
    pub entry: String,
    /// Why.
    pub why: String,
    /// The Java that reads it, if that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java: Option<u16>,
}

/// A method that can be called.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    /// The class, as it is called.
    pub class: String,
    /// The method.
    pub method: String,
    /// Whether it needs no object.
    pub is_static: bool,
    /// What it takes.
    pub parameters: Vec<Parameter>,
    /// What it answers.
    #[serde(serialize_with = "as_text")]
    pub result: Type,
    /// Whether Scala made it, and its types are Scala's.
    pub scala: bool,
    /// Whether Scala 3 wrote it, so that the types inside of its types are not known.
    pub erased: bool,
    /// How many methods of the class have this name.
    pub overloads: usize,
    /// Whether the types must be said: classes above it that are in none of the jars may have methods of this name.
    #[serde(skip)]
    pub typed: bool,
    /// JSON Schema of the argument.
    pub input: serde_json::Value,
    /// JSON Schema of the answer; none if anything may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<serde_json::Value>,
    /// What somebody who writes the descriptor should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether the name was read, and not made up.
    pub named: bool,
    /// Its type.
    #[serde(rename = "type", serialize_with = "as_text")]
    pub is: Type,
}

/// A public method that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The class.
    pub class: String,
    /// The method with the types that it takes.
    pub method: String,
    /// Why.
    pub why: String,
}

fn as_text<S: Serializer>(it: &Type, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(it)
}
