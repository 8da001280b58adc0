//! What the engine needs of images: a seam, so that the engine can be used over any store of layers.

use std::fmt;

use berth_image::{ImageStore, Lower, Storage};
use berth_oci::{ImageConfig, ImageId, Platform};
use berth_state::Transaction;

use crate::{Error, Result};

/// An image as a container is made from it.
#[derive(Debug, Clone)]
pub struct ContainerImage {
    /// Its id.
    pub id: ImageId,
    /// Its configuration.
    pub config: ImageConfig,
}

/// A store of images. Calls may block for a few reads.
pub trait Images: fmt::Debug + Send + Sync + 'static {
    /// Finds an image by name, digest, id or prefix; `platform` as `os/architecture[/variant]` where one was asked for.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchImage`] with Docker's sentence.
    fn resolve(&self, name: &str, platform: Option<&str>) -> Result<ContainerImage>;

    /// The layers of an image that `container` holds, uppermost first.
    ///
    /// # Errors
    /// When the image or a layer is gone.
    fn layers(&self, image: &ImageId, container: &str) -> Result<Vec<Lower>>;

    /// The layers of an image that nobody holds yet, uppermost first.
    ///
    /// # Errors
    /// When the image is gone.
    fn root(&self, image: &ImageId) -> Result<Vec<Lower>>;

    /// In which form new layers are kept, and why.
    fn storage(&self) -> Storage;

    /// Takes up the layers that a container's process holds since an earlier daemon's time. Before anything is mounted.
    fn adopt(&self, process: i32);

    /// Says, in the transaction that creates the container, that it stands on the image: the image cannot be deleted
    /// until [`Images::release`]. False: the image has been deleted meanwhile.
    ///
    /// # Errors
    /// The store's.
    fn hold(&self, tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool>;

    /// The same for one that goes, in the transaction that removes it. False: the image was deleted meanwhile, and
    /// [`Images::release`] is to be called when the container's files are gone.
    ///
    /// # Errors
    /// The store's.
    fn release_in(&self, tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool>;

    /// The container is gone.
    fn release(&self, image: &ImageId, container: &str);

    /// Makes an image of a container's writable layer and the layers it stands on. Blocks.
    ///
    /// # Errors
    /// The layer cannot be read or stored; nothing has happened then.
    fn commit(&self, commit: berth_image::Commit) -> Result<ImageId>;

    /// Drops the holds of containers that are not there any more.
    fn retain(&self, lives: &dyn Fn(&str) -> bool);
}

impl Images for ImageStore {
    fn resolve(&self, name: &str, platform: Option<&str>) -> Result<ContainerImage> {
        let image = Self::resolve(self, name).map_err(from_image)?;
        if let Some(asked) = platform.filter(|p| !p.is_empty()) {
            let asked = Platform::parse(asked).map_err(|e| Error::Invalid(e.to_string()))?;
            if asked.suits(&image.config.platform()).is_none() {
                return Err(Error::NoSuchImage(format!(
                    "image with reference {name} was found but its platform ({}) does not match the specified platform ({asked})",
                    image.config.platform()
                )));
            }
        }
        Ok(ContainerImage { id: image.id, config: image.config })
    }

    fn layers(&self, image: &ImageId, container: &str) -> Result<Vec<Lower>> {
        self.held_root(image, container).map_err(from_image)
    }

    fn root(&self, image: &ImageId) -> Result<Vec<Lower>> {
        let image = Self::resolve(self, &image.to_string()).map_err(from_image)?;
        Ok(Self::root(self, &image))
    }

    fn storage(&self) -> Storage {
        Self::storage(self).clone()
    }

    fn adopt(&self, process: i32) {
        self.adopt_mounts(process);
    }

    fn hold(&self, tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
        Self::hold_in(tx, image, container)
    }

    fn release_in(&self, tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
        Self::release_in(tx, image, container)
    }

    fn release(&self, image: &ImageId, container: &str) {
        if let Err(error) = Self::release(self, image, container) {
            tracing::warn!(%image, container, %error, "giving an image up");
        }
    }

    fn commit(&self, commit: berth_image::Commit) -> Result<ImageId> {
        Ok(Self::commit(self, commit)?)
    }

    fn retain(&self, lives: &dyn Fn(&str) -> bool) {
        if let Err(error) = self.retain_holds(lives) {
            tracing::warn!(%error, "giving up the images of containers that are gone");
        }
    }
}

pub(crate) fn from_image(error: berth_image::Error) -> Error {
    use berth_image::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => Error::NoSuchImage(error.to_string()),
        ErrorKind::Invalid => Error::Invalid(error.to_string()),
        _ => Error::Internal(error.to_string()),
    }
}
