//! Where a push goes, and what its registry is known to have.

use std::sync::{Arc, Mutex, PoisonError};

use berth_distribution::{Repository, Sending};
use berth_oci::{Digest, Hasher, Reference};

use super::layer::Stored;
use crate::lease::Lease;
use crate::record::{ImageRecord, NameRecord};
use crate::resolve::parse_key;
use crate::store::Inner;
use crate::{Credentials, Error, Result};

/// One repository, for one push.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) inner: Arc<Inner>,
    pub(crate) repository: Repository,
    reference: Reference,
    credentials: Option<Credentials>,
    /// On what was made for this push.
    leases: Mutex<Vec<Lease>>,
}

impl Target {
    pub(crate) fn new(inner: &Arc<Inner>, reference: &Reference, credentials: Option<Credentials>) -> Self {
        let repository = inner.registries().repository_for_push(reference, credentials.clone());
        let (inner, reference) = (inner.clone(), reference.clone());
        Self { inner, repository, reference, credentials, leases: Mutex::default() }
    }

    /// Those of this push, where the image came from the same registry.
    pub(crate) fn credentials_for(&self, image: &ImageRecord) -> Option<Credentials> {
        let same =
            image.origin.as_deref().is_some_and(|origin| origin.split('/').next() == Some(self.reference.domain()));
        self.credentials.clone().filter(|_| same)
    }

    /// Keeps a claim until the push is over.
    pub(crate) fn hold(&self, lease: Lease) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
    }

    /// Other repositories of the registry that had the blob: an image with it was pulled from there or pushed there.
    pub(crate) fn neighbours(&self, blob: &Digest) -> Result<Vec<String>> {
        let prefix = format!("{}/", self.reference.domain());
        let (names, images) = self.inner.state.read(|reader| {
            Ok::<_, Error>((reader.list_prefix::<NameRecord>(&prefix)?, reader.list::<ImageRecord>()?))
        })?;
        let mut paths = Vec::new();
        for (key, name) in names {
            let reference = parse_key(&key)?;
            let has = |(id, image): &(String, ImageRecord)| id == name.image.as_str() && image.blobs.contains(blob);
            let other = reference.digest().is_some() && reference.path() != self.reference.path();
            if other && images.iter().any(has) && !paths.iter().any(|path| path == reference.path()) {
                paths.push(reference.path().to_owned());
            }
        }
        Ok(paths)
    }

    /// Sees to it that a small blob is there.
    pub(crate) async fn bring(&self, digest: &Digest, size: u64) -> Result<()> {
        if self.repository.has_blob(digest).await.map_err(|e| self.translate(e))? {
            return Ok(());
        }
        let file = Arc::new(self.inner.content.open_blob(digest)?);
        let content = Arc::new(Stored { file, size });
        let upload = self.repository.begin_upload().await.map_err(|e| self.translate(e))?;
        let nobody = Arc::new(|_: Sending| ());
        match upload.send(digest, content.clone(), nobody).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refused(digest, content, error).await),
        }
    }

    /// A blob that the registry did not take. If it got other bytes than were promised, that may be this disk's doing.
    pub(crate) async fn refused(
        &self,
        digest: &Digest,
        content: Arc<Stored>,
        error: berth_distribution::Error,
    ) -> Error {
        let wrong_bytes = error.to_string().contains("digest") || error.to_string().contains("reading what");
        let expected = digest.clone();
        let intact = tokio::task::spawn_blocking(move || is(&expected, &content)).await.unwrap_or(true);
        if wrong_bytes && !intact {
            return Error::Content(format!(
                "blob {digest} is damaged on this disk: remove the image and pull it again"
            ));
        }
        self.translate(error)
    }

    /// The registry's error in the words of Docker's daemon, which are mostly the registry's.
    pub(crate) fn translate(&self, error: berth_distribution::Error) -> Error {
        use berth_distribution::ErrorKind as Kind;
        let message = crate::error::chain(&error);
        match error.kind() {
            Kind::Unauthorized => Error::Unauthorized(message),
            Kind::Unavailable => Error::Unavailable(message),
            _ => Error::Registry(message),
        }
    }
}

fn is(digest: &Digest, content: &Stored) -> bool {
    use berth_distribution::Content as _;
    let mut hasher = Hasher::new(digest.algorithm());
    let mut buffer = vec![0; 128 << 10];
    let Ok(mut input) = content.read_from(0) else { return false };
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return hasher.finish() == *digest,
            Ok(got) => hasher.update(&buffer[..got]),
            Err(_) => return false,
        }
    }
}
