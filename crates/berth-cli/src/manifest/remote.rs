//! What registries say of an image, and what they are given.

use berth_distribution::{Client, Config as How, Credentials, Error, ErrorKind, Mount, Piece, Repository};
use berth_oci::{Descriptor, Document, ImageConfig, Platform, Reference};

use super::Entry;
use super::entry::Described;
use crate::config::Config;

/// No image's configuration comes near this.
const MAX_CONFIG: u64 = 16 << 20;

/// Registries, asked with what the user's configuration keeps for them.
pub(crate) struct Registries<'a> {
    client: Client,
    config: &'a Config,
}

/// What a name stands for at its registry.
pub(crate) enum Found {
    Image(Box<Entry>),
    List { media_type: String, images: Vec<Described> },
}

impl<'a> Registries<'a> {
    /// With `insecure` the registries of `references` may have any certificate, or none and no TLS.
    pub(crate) fn new(config: &'a Config, insecure: bool, references: &[&Reference]) -> Self {
        let how = How {
            insecure: references.iter().filter(|_| insecure).map(|r| r.domain().to_owned()).collect(),
            certificates: ["/etc/berth/certs.d", "/etc/docker/certs.d"].map(Into::into).to_vec(),
            ..How::default()
        };
        Self { client: Client::new(how), config }
    }

    fn credentials(&self, reference: &Reference) -> Option<Credentials> {
        let auth = self.config.credentials(reference)?;
        Some(Credentials {
            username: auth.username,
            password: auth.password,
            auth: auth.auth,
            identity_token: auth.identitytoken,
            registry_token: auth.registrytoken,
            server_address: auth.serveraddress,
        })
    }

    /// Looks a name up.
    pub(crate) async fn find(&self, reference: &Reference) -> Result<Found, String> {
        let repository = self.client.repository(reference, self.credentials(reference));
        self.look(&repository, reference).await.map_err(|error| match error {
            Trouble::Registry(error) if error.kind() == ErrorKind::ManifestUnknown => no_such(reference),
            Trouble::Registry(error) if error.kind() == ErrorKind::NameUnknown => no_such(reference),
            Trouble::Registry(error) => format!("{reference}: {error}"),
            Trouble::Words(words) => format!("{reference}: {words}"),
        })
    }

    /// The images of a list, each with its manifest.
    pub(crate) async fn images(&self, list: &Reference, images: &[Described]) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for image in images {
            let reference = list.with_digest(image.digest.clone());
            if let Found::Image(mut entry) = self.find(&reference).await? {
                // What the list says it runs on counts.
                entry.descriptor.platform.clone_from(&image.platform);
                entry.reference = format!("{list}@{}", image.digest);
                entries.push(*entry);
            }
        }
        Ok(entries)
    }

    async fn look(&self, repository: &Repository, reference: &Reference) -> Result<Found, Trouble> {
        let fetched = repository.manifest(reference.object()).await?;
        if let Some(digest) = reference.digest().filter(|digest| !digest.matches(&fetched.bytes)) {
            return Err(Trouble::Words(format!("the registry sent another manifest than {digest}")));
        }
        let document =
            Document::parse(&fetched.bytes, &fetched.media_type).map_err(|e| Trouble::Words(e.to_string()))?;
        let media_type = document.media_type().to_owned();
        let manifest = match document {
            Document::Manifest(manifest) => manifest,
            Document::Index(index) => {
                let images = index.manifests.into_iter().map(|image| Described {
                    media_type: image.media_type,
                    digest: image.digest,
                    size: image.size,
                    platform: image.platform.map(Into::into),
                });
                return Ok(Found::List { media_type, images: images.collect() });
            }
        };
        let platform = platform(repository, &manifest.config).await?;
        let entry = Entry::new(reference.to_string(), &media_type, &fetched.bytes, platform.map(Into::into));
        entry.map(|entry| Found::Image(Box::new(entry))).map_err(Trouble::Words)
    }

    /// Brings an image of another repository of the same registry into that of `target`, without its bytes.
    pub(crate) async fn bring(&self, target: &Reference, entry: &Entry) -> Result<(), String> {
        let source = super::reference(&entry.reference)?;
        if source.domain() != target.domain() {
            return Err(format!(
                "cannot use source images from a different registry than the target image: {} != {}",
                source.domain(),
                target.domain()
            ));
        }
        let bytes = entry.bytes()?;
        let repository = self.client.repository_for_push(target, self.credentials(target));
        if source.path() != target.path() {
            let document = Document::parse(&bytes, &entry.descriptor.media_type).map_err(|e| e.to_string())?;
            if let Document::Manifest(manifest) = document {
                for blob in manifest.layers.iter().chain([&manifest.config]) {
                    mount(&repository, blob, &source, target).await?;
                }
            }
        }
        let digest = &entry.descriptor.digest;
        let put = repository.put_manifest(digest.as_str(), &entry.descriptor.media_type, bytes.into()).await;
        put.map(drop).map_err(|error| format!("{}@{digest}: {error}", target.name()))
    }

    /// Gives the list itself to the registry, by its tag.
    pub(crate) async fn put_list(&self, target: &Reference, media_type: &str, bytes: Vec<u8>) -> Result<(), String> {
        let repository = self.client.repository_for_push(target, self.credentials(target));
        let put = repository.put_manifest(target.object(), media_type, bytes.into()).await;
        put.map(drop).map_err(|error| format!("{target}: {error}"))
    }
}

async fn mount(repo: &Repository, blob: &Descriptor, source: &Reference, target: &Reference) -> Result<(), String> {
    // What is to be had elsewhere only is nowhere here.
    if berth_oci::media::is_foreign_layer(&blob.media_type) {
        return Ok(());
    }
    let failed = |error: Error| format!("{}: {}: {error}", target.name(), blob.digest);
    if repo.has_blob(&blob.digest).await.map_err(failed)? {
        return Ok(());
    }
    match repo.mount(&blob.digest, source.path()).await.map_err(failed)? {
        Mount::Mounted => Ok(()),
        Mount::Upload(upload) => {
            upload.cancel().await;
            Err(format!(
                "the registry does not hand {} of {} over to {}: push the image itself there first",
                blob.digest,
                source.name(),
                target.name()
            ))
        }
    }
}

/// What an image runs on, which its configuration says.
async fn platform(repository: &Repository, config: &Descriptor) -> Result<Option<Platform>, Trouble> {
    if !berth_oci::media::is_image_config(&config.media_type) {
        return Ok(None);
    }
    if config.size > MAX_CONFIG {
        return Err(Trouble::Words(format!("its configuration has {} bytes, which is too many", config.size)));
    }
    let mut blob = repository.blob(&config.digest, config.size, 0).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = blob.next().await? {
        if let Piece::Bytes(more) = piece {
            bytes.extend_from_slice(&more);
        }
    }
    if !config.digest.matches(&bytes) {
        return Err(Trouble::Words(format!("its configuration is not {}", config.digest)));
    }
    let config: ImageConfig =
        serde_json::from_slice(&bytes).map_err(|e| Trouble::Words(format!("its configuration does not parse: {e}")))?;
    Ok(Some(Platform {
        os: config.os,
        architecture: config.architecture,
        variant: config.variant,
        os_version: config.os_version,
        os_features: config.os_features,
    }))
}

fn no_such(reference: &Reference) -> String {
    format!("no such manifest: {reference}")
}

/// What came between us and an image.
enum Trouble {
    Registry(Error),
    Words(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}
