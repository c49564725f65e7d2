//! Looks into jars from outside: zip directory, class files, Scala's pickled signatures; facts come out, and a descriptor.
//!
//! The class files are read by this room itself and not by a crate: it needs a tenth of the format, for files that are broken,
//! obfuscated or of a Java that does not exist yet, and of each file as much as can be read.

pub mod archive;
mod bytes;
pub mod class;
pub mod descriptor;
pub mod facts;
mod filter;
pub mod jars;
mod manifest;
mod method;
mod name;
mod own;
mod scala;
mod schema;
mod signature;
mod survey;
mod types;
mod yaml;

pub use facts::Facts;
pub use filter::Filter;
pub use jars::{Error, Jars};
pub use survey::survey;
