//! The OCI distribution protocol, as a client.
//!
//! [`Client`] makes a [`Repository`] of a reference and credentials; that fetches manifests, blobs and tags, and takes
//! what is pushed. It owns the choice of scheme and mirror ([`Config`]), authentication, redirects, retries, and the
//! resumption of a broken transfer. It does not know where bytes go, and checks no blob's digest: whoever writes it
//! does, and what is uploaded the registry checks.
//!
//! OCI distribution specification 1.1; Docker Registry token authentication.

mod auth;
mod blob;
mod client;
mod credentials;
mod endpoint;
mod error;
mod fetch;
mod login;
mod plain;
mod proxy;
mod repository;
mod request;
mod retry;
mod search;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests_tls;
mod trust;
mod upload;

pub use blob::{Blob, Piece};
pub use client::{Client, Config};
pub use credentials::Credentials;
pub use error::{Error, ErrorKind};
pub use fetch::Download;
pub use proxy::Proxies;
pub use repository::{Fetched, Repository};
pub use search::{Found, Search, searched_registry};
pub use upload::{Content, Mount, Sending, Upload};
