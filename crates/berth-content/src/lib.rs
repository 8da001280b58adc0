//! The content-addressed blob store: an OCI image layout on disk, which other tools can read.
//!
//! A blob comes to be in four steps that cannot be taken in another order: [`Store::ingest`] opens a file under a
//! temporary name, [`Ingest::write`] hashes and counts what goes into it, [`Ingest::verify`] compares both with what
//! was promised, and [`Verified::publish`] makes it durable and gives it its name. Whatever is dropped before the end
//! leaves nothing, and what a crash left is removed by the next [`Store::open`]; but what comes over a network is begun
//! by [`Store::resume`], and then what came stays for the next try (`partial.rs`).
//!
//! The store does not know what a blob means nor who needs it: that is for the owner of the metadata to say, by
//! [`Store::discard`].

mod draft;
mod error;
mod ingest;
mod partial;
mod store;

pub use draft::Draft;
pub use error::Error;
pub use ingest::{Ingest, Verified};
pub use partial::Partial;
pub use store::Store;

/// What the store's calls give back.
pub type Result<T, E = Error> = std::result::Result<T, E>;
