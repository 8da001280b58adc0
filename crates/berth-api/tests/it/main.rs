//! The wire types against what two real engines answered.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod golden;
