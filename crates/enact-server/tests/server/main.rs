//! The doors over a real connection: a hub with real programs behind, HTTP in front.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod access;
mod artifacts;
mod audit;
mod bad_input;
mod bed;
mod bodies;
mod browser;
mod bulk;
mod data;
mod http;
mod issuer;
mod lists;
mod metrics;
mod oidc;
mod openssl;
mod overload;
mod pages;
mod ready;
mod routes;
mod secrets;
mod silent;
#[path = "../../../enact-sink/tests/sinks/skip.rs"]
mod skip;
mod slow;
#[path = "../../../enact-runtime/tests/hub/small.rs"]
mod small;
mod stream;
mod tenants;
mod tls;
mod upload;
