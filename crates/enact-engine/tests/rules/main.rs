//! The rules, without a disk, a clock or a host: every command is checked against what must always hold.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod admission;
mod attempts;
mod catalog;
mod doubt;
mod effects;
mod hub;
mod operator;
mod outbox;
mod phases;
mod retention;
mod sessions;
mod slots;
mod stuck;
mod walk;
