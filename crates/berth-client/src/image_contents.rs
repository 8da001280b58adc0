//! Calls about what is in images; they are berth's own.

use berth_api::image_contents::ImageMade;
use http::Method;
use serde_json::Value;

use crate::query::Path;
use crate::{Client, Error};

/// Which image is put onto which.
#[derive(Debug, Clone, Default)]
pub struct RebaseOptions {
    /// The new base.
    pub onto: String,
    /// The base it stands on; empty: the daemon looks for it.
    pub from: String,
    /// What the result is called; empty: it has no name.
    pub name: String,
}

impl Client {
    /// What an image's bytes are spent on, as it came; see [`berth_api::image_contents::ImageExplanation`].
    ///
    /// # Errors
    /// 404: no such image, or a daemon that is not ours.
    pub async fn explain_image(&self, name: &str, depth: Option<i64>) -> Result<Value, Error> {
        self.call(Method::GET, Path::new(&["images", name, "explain"]).number("depth", depth)).decode().await
    }

    /// How two images differ, as it came; see [`berth_api::image_contents::ImageDifference`].
    ///
    /// # Errors
    /// 404: no such image, or a daemon that is not ours.
    pub async fn compare_images(&self, from: &str, to: &str) -> Result<Value, Error> {
        self.call(Method::GET, Path::new(&["images", from, "diff"]).text("to", to)).decode().await
    }

    /// An image of one layer with the same contents; an empty `target`: it has no name.
    ///
    /// # Errors
    /// 404: no such image, or a daemon that is not ours.
    pub async fn flatten_image(&self, name: &str, target: &str) -> Result<ImageMade, Error> {
        self.call(Method::POST, Path::new(&["images", name, "flatten"]).text("t", target)).decode().await
    }

    /// An image's own layers on another base.
    ///
    /// # Errors
    /// 404: no such image, or a daemon that is not ours; 400: it is not known what its own layers are.
    pub async fn rebase_image(&self, name: &str, options: &RebaseOptions) -> Result<ImageMade, Error> {
        let path = Path::new(&["images", name, "rebase"])
            .text("onto", &options.onto)
            .text("from", &options.from)
            .text("t", &options.name);
        self.call(Method::POST, path).decode().await
    }
}
