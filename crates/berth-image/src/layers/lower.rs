//! A layer as a root file system is made of it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_erofs::Identity;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::apart::Apart;
use super::mounts::Mounts;
use crate::{Error, Result};

/// A layer below a root file system: a directory, or an image, which is mounted when it is first opened.
#[derive(Debug, Clone)]
pub struct Lower {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Directory,
    Image(Identity, Mounts),
}

impl Lower {
    /// A directory.
    #[must_use]
    pub fn directory(path: PathBuf) -> Self {
        Self { path, form: Form::Directory }
    }

    pub(super) fn image(path: PathBuf, identity: Identity, mounts: Mounts) -> Self {
        Self { path, form: Form::Image(identity, mounts) }
    }

    /// Where it lies: for people, who may find a file there or a directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It is an image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        !matches!(self.form, Form::Directory)
    }

    /// Where an overlay over it is to be made; `None`: anywhere.
    pub(crate) fn apart(&self) -> Option<&Apart> {
        match &self.form {
            Form::Image(_, mounts) => mounts.apart(),
            Form::Directory => None,
        }
    }

    /// The root of its files, open as a path only.
    ///
    /// # Errors
    /// It is gone, or the kernel does not mount it.
    pub fn open(&self) -> Result<Arc<OwnedFd>> {
        match &self.form {
            Form::Image(identity, mounts) => mounts.mount(*identity, &self.path),
            Form::Directory => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = openat(CWD, &self.path, flags, Mode::empty());
                Ok(Arc::new(opened.map_err(Error::file("opening the layer", &self.path))?))
            }
        }
    }

    /// The mount of an image, to be held by whoever stands on it: as long as anybody holds it, it is not mounted a
    /// second time ([`crate::ImageStore::adopt_mounts`]). None of a directory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn held(&self) -> Result<Option<OwnedFd>> {
        if !self.is_image() {
            return Ok(None);
        }
        let opened = self.open()?;
        opened.as_fd().try_clone_to_owned().map(Some).map_err(Error::file("holding the layer", &self.path))
    }
}
