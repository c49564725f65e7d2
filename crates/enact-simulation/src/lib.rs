//! The proof by simulation: the real rules, driver and store in a world that one seed decides, judged by an oracle.
//!
//! Nothing here waits, sleeps or asks the machine for anything: disk, clock, hosts, sinks and callers are simulated, and the
//! same seed makes the same log, byte for byte. What the hub may do with a command is foretold by [`oracle`], which is
//! written from the design and calls no code of the engine.
#![allow(clippy::print_stderr, reason = "a trace is asked for by a person at a terminal")]

pub mod cast;
pub mod coverage;
pub mod invariants;
pub mod oracle;
pub mod random;
pub mod run;
pub mod violation;
pub mod world;
