//! The field's words: digest, reference, descriptor, platform, manifest, image configuration.
//!
//! Pure: nothing here reads a file or a socket. Everything is checked when it is parsed, so a [`Digest`] or a
//! [`Reference`] in hand is a good one. Documents are parsed but never written back: a digest is of bytes, and
//! bytes are kept as they came.
//!
//! Start at [`Reference`] (what a user types) and follow it to [`Document`] (what a registry answers) and
//! [`ImageConfig`] (what runs).

mod config;
mod descriptor;
mod digest;
mod manifest;
pub mod media;
mod platform;
mod reference;

pub use config::{ContainerConfig, HealthConfig, History, ImageConfig, RootFs};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, ChainId, DiffId, Digest, DigestError, Hasher, ImageId};
pub use manifest::{Document, Index, Manifest, ManifestError};
pub use platform::{Platform, PlatformError};
pub use reference::{DEFAULT_DOMAIN, DEFAULT_TAG, Reference, ReferenceError};
