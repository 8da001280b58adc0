//! Images on a real file system, from archives in memory, from a real registry, and from hostile ones.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod archives;
mod check;
mod embedded;
mod fixture;
mod hostile;
mod keeping;
mod looking;
mod mock;
mod mocked;
mod registry;
mod returning;
mod tar_trip;
mod trouble;
