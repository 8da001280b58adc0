//! What can go wrong with an image, in words that users of Docker know; knows no HTTP.

use std::io;
use std::path::{Path, PathBuf};

use berth_oci::{Digest, ImageId, ReferenceError};

/// The family an error belongs to; what a caller may do about it follows from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The image does not exist, here or there.
    NotFound,
    /// Something uses it.
    Conflict,
    /// The name, the platform or the image itself is wrong.
    Invalid,
    /// The registry wants other credentials.
    Unauthorized,
    /// berth does not do this yet.
    NotImplemented,
    /// The registry is away for now.
    Unavailable,
    /// A bug or a broken host.
    Internal,
}

/// A failed step, with the object it failed on.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing here has that name or id.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// Nothing here has that name, and an archive of it was wanted.
    #[error("{0}: reference does not exist")]
    NoSuchReference(String),
    /// The name does not parse.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Names that tags may not have.
    #[error("refusing to create {0}")]
    TagRefused(&'static str),
    /// An image that cannot be put onto that base.
    #[error("{0}")]
    NotRebased(String),
    /// The last name of an image that a container uses.
    #[error(
        "conflict: unable to remove repository reference {reference:?} (must force) - \
         container {container} is using its referenced image {image}"
    )]
    ReferenceInUse {
        /// As the user wrote it.
        reference: String,
        /// Its short id.
        container: String,
        /// Its short id.
        image: String,
    },
    /// An image that may not be deleted as things are.
    #[error("conflict: unable to delete {image} ({}) - {reason}", if *.hard { "cannot be forced" } else { "must be forced" })]
    InUse {
        /// Its short id.
        image: String,
        /// Even `--force` does not help.
        hard: bool,
        /// Who uses it.
        reason: String,
    },
    /// The image has nothing for the platform wanted.
    #[error("no matching manifest for {platform} in the manifest list entries")]
    NoMatchingManifest {
        /// What was wanted.
        platform: String,
    },
    /// The one image there is runs elsewhere.
    #[error("no matching manifest for {wanted}: the image is for {found}")]
    WrongPlatform {
        /// What was wanted.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The one image there is was not asked for.
    #[error(
        "image with reference {reference} was found but its platform ({found}) does not match the specified platform ({wanted})"
    )]
    PlatformMismatch {
        /// As the user wrote it.
        reference: String,
        /// What there is.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// The registry has no such manifest.
    #[error("manifest for {reference} not found: {message}")]
    ManifestNotFound {
        /// As the user wrote it.
        reference: String,
        /// The registry's words.
        message: String,
    },
    /// The registry has no such repository.
    #[error("repository {repository} not found: {message}")]
    RepositoryNotFound {
        /// As the user wrote it.
        repository: String,
        /// The registry's words.
        message: String,
    },
    /// The registry lets us have nothing of the repository.
    #[error("pull access denied for {repository}, repository does not exist or may require 'docker login': {message}")]
    AccessDenied {
        /// As the user wrote it.
        repository: String,
        /// The registry's words.
        message: String,
    },
    /// The registry wants other credentials, or some at all.
    #[error("{0}")]
    Unauthorized(String),
    /// The registry cannot be reached or is broken, for now.
    #[error("{0}")]
    Unavailable(String),
    /// The registry answered something that no registry should.
    #[error("{0}")]
    Registry(String),
    /// A layer's bytes are not what its digest names.
    #[error("filesystem layer verification failed for digest {0}")]
    LayerVerification(Digest),
    /// A layer unpacks to something else than the configuration promises.
    #[error("layer {blob} unpacks to {actual}, but the image configuration promises {expected}")]
    DiffId {
        /// The compressed layer.
        blob: Digest,
        /// From the configuration.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A manifest's or configuration's bytes are not what their digest names, or not as many as promised.
    #[error("{what} verification failed: {message}")]
    Verification {
        /// What was fetched.
        what: &'static str,
        /// How it differs.
        message: String,
    },
    /// The image is not one, or not one that we can run.
    #[error("{0}")]
    BadImage(String),
    /// The layer's archive asks for something it must not, or is broken.
    #[error("failed to register layer {blob}: {reason}")]
    BadLayer {
        /// The compressed layer.
        blob: Digest,
        /// One sentence.
        reason: String,
    },
    /// An archive of images, or of a root file system, is none, or is not what it promises to be.
    #[error("invalid archive: {0}")]
    Archive(String),
    /// What lies at a URL could not be had.
    #[error("{0}")]
    Fetch(String),
    /// Nothing here has a name in the repository that is to be pushed.
    #[error("An image does not exist locally with the tag: {0}")]
    NothingToPush(String),
    /// The repository has other tags here.
    #[error("tag does not exist: {0}")]
    NoSuchTag(String),
    /// The repository is known here by digests only.
    #[error("no tags to push for {0}")]
    NoTagsToPush(String),
    /// A digest is what a push comes to, not what it is told.
    #[error("cannot push a digest reference")]
    PushByDigest,
    /// The image went away while it was being used.
    #[error("image {0} was removed in the meantime")]
    Vanished(ImageId),
    /// A layer's compressed bytes are wanted, are not kept here, and cannot be had again.
    #[error(
        "layer {blob} is not kept in the form it came in (see the daemon's option keep-blobs), and cannot be fetched again: {why}"
    )]
    BlobAway {
        /// The compressed layer.
        blob: Digest,
        /// Why not.
        why: String,
    },
    /// A file could not be handled.
    #[error("{doing} {}: {message}", path.display())]
    File {
        /// The step.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        message: String,
    },
    /// The disk is full; what was begun has been removed.
    #[error(
        "no space left on device: {doing}; nothing of it is kept: make room where {} lies and try again \
         (`docker system df` says what takes how much)",
        root.display()
    )]
    NoSpace {
        /// Where room is wanted.
        root: PathBuf,
        /// What there was no room for.
        doing: String,
    },
    /// Layers were to be images, and this kernel does not mount them.
    #[error(
        "the storage driver erofs cannot be used here: {0}; choose --storage-driver overlay2, or leave it to berth"
    )]
    NoErofs(String),
    /// The blob store failed.
    #[error("{0}")]
    Content(String),
    /// The metadata store failed.
    #[error("{0}")]
    State(String),
    /// The pull that this one waited for was given up.
    #[error("the transfer of layer {0} was cancelled")]
    Cancelled(Digest),
}

impl Error {
    /// The family it belongs to.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchImage(_)
            | Self::NoSuchReference(_)
            | Self::NothingToPush(_)
            | Self::NoSuchTag(_)
            | Self::NoTagsToPush(_)
            | Self::ManifestNotFound { .. }
            | Self::RepositoryNotFound { .. }
            | Self::AccessDenied { .. }
            | Self::NoMatchingManifest { .. }
            | Self::WrongPlatform { .. }
            | Self::PlatformMismatch { .. } => ErrorKind::NotFound,
            Self::ReferenceInUse { .. } | Self::InUse { .. } | Self::Vanished(_) => ErrorKind::Conflict,
            Self::Reference(_)
            | Self::TagRefused(_)
            | Self::NotRebased(_)
            | Self::PushByDigest
            | Self::Archive(_)
            | Self::Fetch(_) => ErrorKind::Invalid,
            Self::Unauthorized(_) => ErrorKind::Unauthorized,
            Self::Unavailable(_) | Self::BlobAway { .. } => ErrorKind::Unavailable,
            Self::BadImage(_)
            | Self::BadLayer { .. }
            | Self::LayerVerification(_)
            | Self::DiffId { .. }
            | Self::Verification { .. }
            | Self::Registry(_)
            | Self::File { .. }
            | Self::NoErofs(_)
            | Self::NoSpace { .. }
            | Self::Content(_)
            | Self::State(_)
            | Self::Cancelled(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn file<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), message: source.into().to_string() }
    }
}

impl From<berth_state::Error> for Error {
    fn from(error: berth_state::Error) -> Self {
        Self::State(chain(&error))
    }
}

impl From<berth_content::Error> for Error {
    fn from(error: berth_content::Error) -> Self {
        Self::Content(chain(&error))
    }
}

/// An error and its causes in one line: errors of shared transfers are told to several callers, hence cloned as text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
