//! Kills a real hub again and again under load, at named places and at random, and checks what each start makes of it.
//!
//! What a handler really did stands in a ledger outside of the hub: a line for each run, appended before it answers.

mod check;
mod dice;
mod hub;
mod load;
pub mod soak;
mod torture;

pub use torture::{Account, Plan, run};

/// Set in the environment of a process that is to be the hub instead of the torture.
pub const BE_THE_HUB: &str = "TORTURE_HUB";

/// Something that must not be, in one sentence.
#[derive(Debug)]
pub struct Broken(pub String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

pub(crate) type Result<T> = std::result::Result<T, Broken>;

/// Names what could not be done.
pub(crate) fn doing<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Broken {
    let what = what.to_owned();
    move |error| Broken(format!("failed to {what}: {error}"))
}
