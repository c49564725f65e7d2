//! The only thing that moves: the ring's driver, effect performers, the relay and recovery.

pub mod api;
pub mod clock;
pub mod driver;
