//! A typed client of the Engine API.
//!
//! [`Client::connect`] takes a [`Host`] and makes no connection yet; every call is one request on a kept connection.
//! Calls that stream give [`Lines`] or [`ByteStream`]; attach and exec start give a [`Hijacked`] byte stream whose
//! writing half can be closed alone. Works on any tokio runtime, the current-thread one included.
//!
//! Negotiation costs no round trip: a request is sent with the newest version spoken, and where the daemon answers
//! that this is too new it names its own in `Api-Version`, which is used from then on. [`Client::negotiate`] asks
//! `_ping` first, for those who want to know beforehand; so does a call whose body comes in pieces, which can be sent
//! only once.
//!
//! Knows neither terminals nor the command line.

mod archives;
mod body;
mod call;
mod client;
mod connection;
mod containers;
mod error;
mod exec;
mod files;
mod hijack;
mod host;
mod image_contents;
mod images;
mod outgoing;
mod prune;
mod query;
mod registries;
pub mod stdcopy;
mod system;
mod tls;
mod volumes;

pub use archives::ImportOptions;
pub use berth_connection::Stream;
pub use berth_connection::TlsFiles;
pub use body::{ByteStream, Lines};
pub use client::{Client, Dialer};
pub use containers::{AttachOptions, ListOptions, LogsOptions, RemoveOptions, StopOptions, WaitCondition, WaitHandle};
pub use error::Error;
pub use files::{CommitOptions, UploadOptions};
pub use hijack::{Hijacked, ReadHalf, WriteHalf};
pub use host::{DEFAULT_SOCKET, Host, InvalidHost};
pub use image_contents::RebaseOptions;
pub use images::{ListImages, PullOptions, PushOptions, RemoveImage};
pub use prune::{Prunable, Pruned};
pub use registries::SearchOptions;
pub use system::{EventsOptions, Ping};
pub use tls::{Tls, TlsError};
