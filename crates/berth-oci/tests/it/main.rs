//! Property tests of the parsers.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod properties;
