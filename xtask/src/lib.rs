//! What a newcomer or CI runs: the demo, the tests, the mutations, and the set-up that they need.
//!
//! Nothing here is part of the product, and no room of the product may depend on it.
#![allow(clippy::print_stdout, reason = "printing is what these tasks are for")]

pub mod bench;
pub mod claims;
pub mod demo;
pub mod failure;
pub mod fixtures;
pub mod image;
pub mod jars;
pub mod javas;
pub mod jvm;
pub mod libraries;
pub mod mutants;
pub mod options;
pub mod readers;
pub mod report;
pub mod setup;
pub mod shell;
pub mod soak;
pub mod suite;
pub mod torture;
pub mod tree;
