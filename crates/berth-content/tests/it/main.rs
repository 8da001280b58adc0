//! The blob store on a real file system.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod blobs;
mod partial;
