//! The main proof, in the time that a test may take: many seeds, coverage, determinism, failing I/O, lost power.

mod scenario;
mod seeds;
