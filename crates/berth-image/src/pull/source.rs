//! Where an image comes from: a registry, or something that is read as if it were one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use berth_distribution::{Piece, Repository};
use berth_oci::{Descriptor, Digest, Reference};

use crate::{Error, Result};

pub(crate) type Future_<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A manifest as its source has it; its digest is checked already where it was asked for by digest.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: String,
}

/// A blob on its way.
pub(crate) trait Blob: Send {
    /// The next bytes, or a pause that comes before them; `None` at the end.
    fn next(&mut self) -> Future_<'_, Option<Piece>>;
}

/// Where an image comes from.
pub(crate) trait Source: Send + Sync + fmt::Debug {
    /// What a tag stands for now, where that is cheaper to ask than the manifest itself.
    fn digest<'a>(&'a self, object: &'a str) -> Future_<'a, Option<Digest>>;
    /// A manifest, by tag or digest.
    fn manifest<'a>(&'a self, object: &'a str) -> Future_<'a, Fetched>;
    /// A blob, from its byte `from` on. Nobody but the caller checks it.
    fn blob<'a>(&'a self, descriptor: &'a Descriptor, from: u64) -> Future_<'a, Box<dyn Blob>>;
}

/// A repository of a registry.
#[derive(Debug)]
pub(crate) struct Registry {
    repository: Repository,
    reference: Reference,
}

impl Registry {
    pub(crate) fn new(repository: Repository, reference: &Reference) -> Self {
        Self { repository, reference: reference.clone() }
    }

    pub(crate) async fn tags(&self) -> Result<Vec<String>> {
        self.repository.tags().await.map_err(|e| self.translate(e))
    }

    /// The registry's error in the words of Docker's daemon.
    fn translate(&self, error: berth_distribution::Error) -> Error {
        use berth_distribution::ErrorKind as Kind;
        let repository = || self.reference.familiar_name();
        let message = crate::error::chain(&error);
        match error.kind() {
            Kind::ManifestUnknown => Error::ManifestNotFound { reference: self.reference.familiar(), message },
            Kind::NameUnknown => Error::RepositoryNotFound { repository: repository(), message },
            Kind::Denied => Error::AccessDenied { repository: repository(), message },
            Kind::Unauthorized => Error::Unauthorized(message),
            Kind::Unavailable => Error::Unavailable(message),
            Kind::Verification => Error::Verification { what: "manifest", message },
            Kind::Other => Error::Registry(message),
        }
    }
}

struct RegistryBlob {
    blob: berth_distribution::Blob,
    digest: Digest,
}

impl Blob for RegistryBlob {
    fn next(&mut self) -> Future_<'_, Option<Piece>> {
        Box::pin(async {
            self.blob.next().await.map_err(|e| match e.kind() {
                berth_distribution::ErrorKind::Verification => Error::LayerVerification(self.digest.clone()),
                _ => Error::Unavailable(crate::error::chain(&e)),
            })
        })
    }
}

impl Source for Registry {
    fn digest<'a>(&'a self, object: &'a str) -> Future_<'a, Option<Digest>> {
        Box::pin(async { self.repository.digest(object).await.map_err(|e| self.translate(e)) })
    }

    fn manifest<'a>(&'a self, object: &'a str) -> Future_<'a, Fetched> {
        Box::pin(async {
            let manifest = self.repository.manifest(object).await.map_err(|e| self.translate(e))?;
            Ok(Fetched { bytes: manifest.bytes, media_type: manifest.media_type })
        })
    }

    fn blob<'a>(&'a self, descriptor: &'a Descriptor, from: u64) -> Future_<'a, Box<dyn Blob>> {
        Box::pin(async move {
            let blob = self.repository.blob(&descriptor.digest, descriptor.size, from).await;
            let blob = blob.map_err(|e| match e.kind() {
                berth_distribution::ErrorKind::Verification => Error::LayerVerification(descriptor.digest.clone()),
                // The manifest was there: it is the blob that is missing, not the image.
                berth_distribution::ErrorKind::ManifestUnknown => {
                    Error::Registry(format!("fetching {}: {}", descriptor.digest, crate::error::chain(&e)))
                }
                _ => self.translate(e),
            })?;
            Ok(Box::new(RegistryBlob { blob, digest: descriptor.digest.clone() }) as Box<dyn Blob>)
        })
    }
}
