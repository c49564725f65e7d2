//! The configuration: defaults, a file, the environment and flags, settled as a whole; every value knows its origin.

pub mod door;
pub mod fault;
pub mod file;
pub mod handlers;
pub mod key;
pub mod quantity;
pub mod reference;
pub mod settings;
pub mod settle;
pub mod sink;
pub mod source;
pub mod telemetry;

pub use fault::{ConfigFault, Faults};
pub use settings::Settings;
pub use settle::{Entry, Sheet};
pub use source::{Origin, Sources};
