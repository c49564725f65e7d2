//! The binary against a hub that answers what it is told to, over the real socket.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "enact/answers.rs"]
mod answers;
#[path = "enact/bring.rs"]
mod bring;
#[path = "enact/client.rs"]
mod client;
#[path = "../../enact-sink/tests/sinks/endpoint.rs"]
#[allow(dead_code, reason = "it answers well here")]
mod endpoint;
#[path = "enact/fake.rs"]
mod fake;
#[path = "enact/hub.rs"]
mod hub;
#[path = "enact/inspect.rs"]
mod inspect;
#[path = "enact/jar.rs"]
mod jar;
#[path = "enact/large.rs"]
mod large;
#[path = "enact/load.rs"]
mod load;
#[path = "enact/logs.rs"]
mod logs;
#[path = "enact/many.rs"]
mod many;
#[path = "enact/meta.rs"]
mod meta;
#[path = "enact/outbox.rs"]
mod outbox;
#[path = "enact/packaging.rs"]
mod packaging;
#[path = "enact/progress.rs"]
mod progress;
#[path = "enact/read_only.rs"]
mod read_only;
#[path = "../../enact-sink/tests/sinks/rig.rs"]
#[allow(dead_code, reason = "what stands behind a sink stays up here")]
mod rig;
#[path = "enact/secret.rs"]
mod secret;
#[path = "../../enact-sink/tests/sinks/server.rs"]
#[allow(dead_code, reason = "only one of the servers is needed here")]
mod server;
#[path = "../../enact-sink/tests/sinks/skip.rs"]
mod skip;
#[path = "enact/store.rs"]
mod store;
#[path = "enact/verbs.rs"]
mod verbs;
#[path = "enact/wire.rs"]
mod wire;
