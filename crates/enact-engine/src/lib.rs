//! The rules: `decide` makes records, `apply` makes tables of them, `effect` says what is still to be done. All pure.

pub mod apply;
pub mod changes;
pub mod command;
pub mod conclude;
pub mod decide;
pub mod effect;
pub mod invariants;
pub mod policy;
pub mod reconcile;
pub mod scratch;
mod slots;
pub mod view;
pub mod wake;
