//! The hub as doors have it: a real store in a folder of its own, real processes, or a host that does what a test says.
#![allow(clippy::unwrap_used)]

mod audit;
mod bed;
mod catalog;
mod crash;
mod data;
mod failure;
mod full_disk;
mod keys;
mod life;
mod log;
mod operator;
mod outbox;
mod puppet;
mod retention;
#[path = "../../../enact-sink/tests/sinks/skip.rs"]
mod skip;
mod slots;
mod small;
mod state;
mod stuck;
mod tenants;
mod text;
mod time;
