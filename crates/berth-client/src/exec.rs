//! Calls about commands run in a running container.

use berth_api::exec::{ExecConfig, ExecCreated, ExecInspect, ExecStart};
use http::Method;

use crate::containers::resize_path;
use crate::hijack::Hijacked;
use crate::query::Path;
use crate::{Client, Error};

impl Client {
    /// Prepares a command; returns its id.
    ///
    /// # Errors
    /// 409: the container does not run or is paused.
    pub async fn create_exec(&self, container: &str, config: &ExecConfig) -> Result<String, Error> {
        let path = Path::new(&["containers", container, "exec"]);
        let created: ExecCreated = self.call(Method::POST, path).json(config).decode().await?;
        Ok(created.id)
    }

    /// Starts a prepared command and attaches to it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start_exec(&self, id: &str, start: &ExecStart) -> Result<Hijacked, Error> {
        self.call(Method::POST, Path::new(&["exec", id, "start"])).json(start).hijack().await
    }

    /// Starts a prepared command and leaves it alone.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start_exec_detached(&self, id: &str, start: &ExecStart) -> Result<(), Error> {
        let start = ExecStart { detach: true, ..start.clone() };
        self.call(Method::POST, Path::new(&["exec", id, "start"])).json(&start).done().await
    }

    /// Tells the size of its terminal.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn resize_exec(&self, id: &str, rows: u16, columns: u16) -> Result<(), Error> {
        self.call(Method::POST, resize_path("exec", id, rows, columns)).done().await
    }

    /// How it goes, and its exit code.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn inspect_exec(&self, id: &str) -> Result<ExecInspect, Error> {
        self.call(Method::GET, Path::new(&["exec", id, "json"])).decode().await
    }
}
