//! The OCI distribution protocol, as a client.
//!
//! [`Client`] makes a [`Repository`] of a reference and credentials; that fetches manifests, blobs and tags. It owns
//! the choice of scheme and mirror, authentication, retries and redirects; it does not know where bytes go, and
//! checks no blob's digest: who writes it does.

mod client;
mod credentials;
mod error;
mod repository;

pub use client::{Client, Config};
pub use credentials::Credentials;
pub use error::{Error, ErrorKind};
pub use repository::{Blob, Fetched, Piece, Repository};
