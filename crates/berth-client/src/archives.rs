//! Calls about images as archives.

use berth_api::progress::JsonMessage;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use tokio::sync::mpsc;

use crate::query::Path;
use crate::{ByteStream, Client, Error, Lines};

/// What an archive of a root file system becomes.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// `-`: the archive is sent along; else the URL where the daemon finds it.
    pub source: String,
    /// What the image is called; empty: nothing.
    pub name: String,
    /// Why.
    pub message: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// `os/arch[/variant]`; empty: the daemon's.
    pub platform: String,
}

impl Client {
    /// Images as one archive. `platform` as JSON; empty: whatever there is.
    ///
    /// # Errors
    /// 404: no such image.
    pub async fn save_images(&self, names: &[String], platform: &str) -> Result<ByteStream, Error> {
        let mut path = Path::new(&["images", "get"]);
        for name in names {
            path = path.text("names", name);
        }
        let call = self.call(Method::GET, path.text("platform", platform));
        Ok(ByteStream::new(call.send().await?))
    }

    /// Loads an archive's images; the archive ends when its sender is dropped. Failures come as messages with `error`
    /// set once the stream has begun.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load_images(
        &self,
        quiet: bool,
        platform: &str,
        archive: mpsc::Receiver<Bytes>,
    ) -> Result<Lines<JsonMessage>, Error> {
        let path = Path::new(&["images", "load"]).flag("quiet", quiet).text("platform", platform);
        let kind = HeaderValue::from_static("application/x-tar");
        let call = self.call(Method::POST, path).header(header::CONTENT_TYPE, kind).pieces(archive);
        Ok(Lines::new(call.send().await?))
    }

    /// Makes an image of an archive of a root file system. The last message's status is its id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn import_image(
        &self,
        options: &ImportOptions,
        archive: Option<mpsc::Receiver<Bytes>>,
    ) -> Result<Lines<JsonMessage>, Error> {
        let mut path = Path::new(&["images", "create"])
            .text("fromSrc", &options.source)
            .text("repo", &options.name)
            .text("message", &options.message)
            .text("platform", &options.platform);
        for change in &options.changes {
            path = path.text("changes", change);
        }
        let call = self.call(Method::POST, path);
        let kind = HeaderValue::from_static("application/x-tar");
        let call = match archive {
            Some(archive) => call.header(header::CONTENT_TYPE, kind).pieces(archive),
            None => call,
        };
        Ok(Lines::new(call.send().await?))
    }
}
