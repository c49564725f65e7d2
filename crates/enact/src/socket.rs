//! The socket door: one Unix socket in the folder of the store, and frames of a length and JSON.
//!
//! A frame is a `u32`, big-endian, and so many bytes of JSON. The client sends `hello` first and the server answers with
//! its own; then each `ask` gets one `response`, and each `watch` gets `record`s and an `end` or a `refused`. One question
//! at a time on a connection; whoever has more opens more. The socket belongs to the user who runs the hub and nobody else
//! may open it (0600); whoever may, is believed about tenant and actor.

pub mod address;
pub mod client;
pub mod connection;
pub mod frame;
pub mod protocol;
pub mod server;
