//! Hosts: what drives a component of one shape, the process host, and the conformance suite that every host must pass.
//!
//! A host never judges and never fails: whatever happens to a call is something that was *seen* and comes back as a
//! [`contract::HostObservation`]. A host touches no durable state; it knows neither the log nor the tables.
#![allow(clippy::result_large_err, reason = "a fault is made once for an attempt that failed; boxing it buys nothing")]

pub mod conformance;
pub mod contract;
pub mod frames;
pub mod huge_pages;
pub mod jar;
mod ledger;
pub mod proc;
pub mod process;
pub mod reap;
pub mod scratch;
