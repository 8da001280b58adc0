//! Between the wire and the domain: requests become specifications once, here; views become answers here.

pub(crate) mod auth;
pub(crate) mod check;
pub(crate) mod create;
pub(crate) mod echo;
pub(crate) mod echo_mount;
pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod glob;
pub(crate) mod health;
pub(crate) mod image;
pub(crate) mod image_contents;
pub(crate) mod image_filter;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod limits;
pub(crate) mod mount_mode;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod plan;
pub(crate) mod platform;
pub(crate) mod prune;
pub(crate) mod refused;
pub(crate) mod search;
pub(crate) mod security;
pub(crate) mod stats;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod update;
pub(crate) mod volume;
