//! Sinks over the network: webhook, Redis Streams, NATS JetStream; and the collector of spans, by OTLP.
//!
//! Each is a [`Sink`](enact_runtime::sink::Sink) of the hub and passes the same conformance suite as the file sink. They have a
//! room of their own because of what they carry: HTTP, TLS and the clients of two servers, which nobody else need compile.

pub mod nats;
pub mod otlp;
pub mod redis;
pub mod secret;
pub mod template;
pub mod vault;
pub mod webhook;

pub use enact_dial::Invalid;
pub use enact_dial::connect::Trust;
pub(crate) use enact_dial::excerpt;
