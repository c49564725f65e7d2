//! Jars of every kind: broken ones, Java's, Scala's, and real ones that somebody else made.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "inspect/bad.rs"]
mod bad;
#[path = "inspect/java.rs"]
mod java;
#[path = "inspect/made.rs"]
mod made;
#[path = "inspect/real.rs"]
mod real;
#[path = "inspect/scala.rs"]
mod scala;
