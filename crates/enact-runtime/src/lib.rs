//! The only thing that moves: the ring's driver, effect performers, the relay and recovery.
#![allow(clippy::result_large_err, reason = "a fault is made once for an attempt that failed; boxing it buys nothing")]

pub mod api;
pub mod backup;
pub mod clock;
pub mod driver;
pub mod hub;
pub mod metrics;
mod named;
pub mod package;
mod performer;
mod port;
pub mod probe;
mod recover;
mod relay;
mod retention;
pub mod ring;
pub mod secret;
pub mod sink;
pub mod trace;
mod witness;
