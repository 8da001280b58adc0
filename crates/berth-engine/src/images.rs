//! What the engine needs of images: a seam, so that the engine can be used over any store of layers.

use std::fmt;
use std::path::PathBuf;

use berth_oci::{ImageConfig, ImageId};

use crate::Result;

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

    /// The directories of an image's layers, uppermost first.
    ///
    /// # Errors
    /// When the image or a layer is gone.
    fn layers(&self, image: &ImageId) -> Result<Vec<PathBuf>>;

    /// Says that a container stands on the image: it cannot be deleted until [`Images::release`].
    ///
    /// # Errors
    /// When the image is gone.
    fn hold(&self, image: &ImageId, container: &str) -> Result<()>;

    /// The container is gone.
    fn release(&self, image: &ImageId, container: &str);
}
