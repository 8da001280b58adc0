//! The network for real: every test has a network namespace of its own that plays the host, so that all run in
//! parallel and nothing of the real host is touched. `ip`, `iptables` and `nft` are used to look, never by the code.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bridge;
mod dockerd;
mod firewall;
mod host;
mod lifetime;
mod none;
