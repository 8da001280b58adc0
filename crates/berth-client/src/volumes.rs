//! Calls about volumes.

use berth_api::Filters;
use berth_api::volume::{CreateVolume, Volume, VolumeList};
use http::Method;

use crate::query::Path;
use crate::system::filters;
use crate::{Client, Error};

impl Client {
    /// Lists volumes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn volumes(&self, wanted: &Filters) -> Result<VolumeList, Error> {
        let path = Path::new(&["volumes"]).text("filters", &filters(wanted));
        self.call(Method::GET, path).decode().await
    }

    /// Makes a volume, or gives the one that bears the name already.
    ///
    /// # Errors
    /// 400: a bad name or option. 404: no such driver.
    pub async fn create_volume(&self, asked: &CreateVolume) -> Result<Volume, Error> {
        self.call(Method::POST, Path::new(&["volumes", "create"])).json(asked).decode().await
    }

    /// Removes a volume; with `force`, one that is not there is no error.
    ///
    /// # Errors
    /// 404: no such volume. 409: containers need it.
    pub async fn remove_volume(&self, name: &str, force: bool) -> Result<(), Error> {
        self.call(Method::DELETE, Path::new(&["volumes", name]).flag("force", force)).done().await
    }
}
