//! Images, mounted by this kernel and compared with the directories that the same archives unpack to.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod hostile;
mod kernel;
mod layers;
mod random;
mod seen;
