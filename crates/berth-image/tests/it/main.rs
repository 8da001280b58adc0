//! Images on a real file system, from archives in memory and from a real registry.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod embedded;
mod fixture;
