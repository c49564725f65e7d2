//! The catalog: reads descriptors, compiles their schemas, and knows which operation an intent type means. Pure.

pub mod catalog;
pub mod component;
pub mod describe;
pub mod effects;
pub mod fault;
pub mod fields;
pub mod meta;
pub mod near;
pub mod pointer;
pub mod quantity;
pub mod schema;
pub mod solution;
pub mod yaml;

#[cfg(test)]
mod documented;
