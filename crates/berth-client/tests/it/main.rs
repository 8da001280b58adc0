//! The client against a daemon of a few lines: what it writes, what it reads, and when it connects anew.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod calls;
mod rig;
