//! Every sink on a real hub: one conformance suite, the bad days of each server, and what outside tools make of the messages.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod bad;
mod bed;
mod conformance;
mod endpoint;
mod outside;
mod rig;
mod server;
mod skip;
mod tls;
mod traces;
