//! HTTP as the Engine API needs it: listening, connections that can be taken over, requests, answers.
//!
//! hyper parses and writes; what lies above it is ours, because the API asks for things that a framework gets in the
//! way of: names with slashes in the middle of a path, connections handed over with and without an upgrade, clients
//! that close their sending side early. Knows nothing of containers.

pub(crate) mod activation;
pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod listen;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod stream;
pub(crate) mod takeover;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod upload;
pub(crate) mod websocket;
