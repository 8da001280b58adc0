//! Calls about containers' files, and the images made of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use berth_api::decode;
use berth_api::files::{CommitResponse, FileChange, PathStat};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::query::Path;
use crate::{ByteStream, Client, Error};

/// How an archive is put into a container.
#[derive(Debug, Clone, Copy, Default)]
pub struct UploadOptions {
    /// A directory is not replaced by anything else, nor anything else by a directory.
    pub keep_kind: bool,
    /// The files become the container's user's.
    pub own: bool,
}

/// What a commit is told.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// Repository; empty: none.
    pub repository: String,
    /// Tag; empty: the daemon's choice.
    pub tag: String,
    /// Why.
    pub comment: String,
    /// By whom.
    pub author: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// The container stands still meanwhile.
    pub pause: bool,
}

impl Client {
    /// What lies at a path.
    ///
    /// # Errors
    /// 404: nothing.
    pub async fn path_stat(&self, container: &str, path: &str) -> Result<PathStat, Error> {
        let call = Path::new(&["containers", container, "archive"]).text("path", path);
        let answer = self.call(Method::HEAD, call).send().await?;
        stat(&answer.response, &answer.path)
    }

    /// An archive of what lies at a path.
    ///
    /// # Errors
    /// 404: nothing.
    pub async fn download(&self, container: &str, path: &str) -> Result<(PathStat, ByteStream), Error> {
        let call = Path::new(&["containers", container, "archive"]).text("path", path);
        let answer = self.call(Method::GET, call).send().await?;
        Ok((stat(&answer.response, &answer.path)?, ByteStream::new(answer)))
    }

    /// Extracts an archive into a directory of the container. The archive ends when its sender is dropped.
    ///
    /// # Errors
    /// 404: no such directory; 403: it is read-only.
    pub async fn upload(
        &self,
        container: &str,
        path: &str,
        options: UploadOptions,
        archive: mpsc::Receiver<Bytes>,
    ) -> Result<(), Error> {
        let call = Path::new(&["containers", container, "archive"])
            .text("path", path)
            .flag("noOverwriteDirNonDir", options.keep_kind)
            .flag("copyUIDGID", options.own);
        let kind = HeaderValue::from_static("application/x-tar");
        self.call(Method::PUT, call).header(header::CONTENT_TYPE, kind).pieces(archive).done().await
    }

    /// What differs from the image.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn container_changes(&self, container: &str) -> Result<Vec<FileChange>, Error> {
        let changes: Option<Vec<FileChange>> =
            self.call(Method::GET, Path::new(&["containers", container, "changes"])).decode().await?;
        Ok(changes.unwrap_or_default())
    }

    /// The whole root file system as an archive.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn export_container(&self, container: &str) -> Result<ByteStream, Error> {
        let call = self.call(Method::GET, Path::new(&["containers", container, "export"]));
        Ok(ByteStream::new(call.send().await?))
    }

    /// Makes an image; gives its id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn commit_container(&self, container: &str, options: &CommitOptions) -> Result<String, Error> {
        let mut path = Path::new(&["commit"])
            .text("container", container)
            .text("repo", &options.repository)
            .text("tag", &options.tag)
            .text("comment", &options.comment)
            .text("author", &options.author)
            .text("pause", if options.pause { "" } else { "0" });
        for change in &options.changes {
            path = path.text("changes", change);
        }
        let made: CommitResponse = self.call(Method::POST, path).decode().await?;
        Ok(made.id)
    }
}

fn stat(response: &Response<Incoming>, path: &str) -> Result<PathStat, Error> {
    let text = response.headers().get("x-docker-container-path-stat").map_or(&b""[..], HeaderValue::as_bytes);
    // What is no base64 is no JSON either.
    let json = BASE64_STANDARD.decode(text).unwrap_or_default();
    decode::from_slice(&json).map_err(|source| Error::Decode { path: path.to_owned(), source })
}
