//! The hosts of processes and jars: the conformance suite on its shapes, what only it promises, and the reaping of a hub that died.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where something is not as it must be")]

mod altered;
mod conformance;
mod contexts;
mod example;
mod jar;
mod jar_input;
mod jar_libraries;
mod jar_life;
mod jar_shared;
mod jars;
mod jvm;
mod oneshot;
mod reaping;
mod shapes;
mod worker;
