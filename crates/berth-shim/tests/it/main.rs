//! A real shim, started as the engine starts it, around containers made of busybox.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attach;
mod ending;
mod exec;
mod limits;
mod stage;
mod survival;
