//! Where what happened is kept: the store contract, the embedded store with its write-ahead log, and the artifact store.

pub mod artifacts;
pub mod conformance;
pub mod contract;
pub mod crash;
pub mod embedded;
pub mod io;
pub mod log;
