//! The process host: the conformance suite on its shapes, what only it promises, and the reaping of a hub that died.

mod conformance;
mod example;
mod oneshot;
mod reaping;
mod shapes;
mod worker;
