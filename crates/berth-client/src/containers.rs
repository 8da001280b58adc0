//! Calls about containers.

use berth_api::container::{AllStopped, UpdateResponse};
use berth_api::plan::CreatePlan;
use berth_api::stats::{Stats, Top};
use berth_api::{
    ContainerInspect, ContainerSummary, CreateRequest, CreateResponse, Filters, HostConfig, WaitResponse, decode,
};
use http::Method;
use http_body_util::BodyExt;

use crate::call::Answer;
use crate::hijack::Hijacked;
use crate::query::Path;
use crate::system::filters;
use crate::{ByteStream, Client, Error, Lines};

/// Which containers to list, and how.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Those that do not run too.
    pub all: bool,
    /// The newest so many.
    pub limit: Option<i64>,
    /// With sizes.
    pub size: bool,
    /// Status, name, label, ….
    pub filters: Filters,
}

/// How to stop.
#[derive(Debug, Clone, Default)]
pub struct StopOptions {
    /// Seconds before it is killed; negative: never.
    pub timeout: Option<i64>,
    /// Empty: the container's own.
    pub signal: String,
}

/// How to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// Even while it runs.
    pub force: bool,
    /// With its anonymous volumes.
    pub volumes: bool,
    /// Only the link of this name.
    pub link: bool,
}

/// What to attach.
#[derive(Debug, Clone, Default)]
pub struct AttachOptions {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// What comes from now on (rather than only what was).
    pub stream: bool,
    /// What was.
    pub logs: bool,
    /// Key sequence that detaches; empty: the daemon's.
    pub detach_keys: String,
}

/// Which log lines.
#[derive(Debug, Clone, Default)]
pub struct LogsOptions {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Go on as they come.
    pub follow: bool,
    /// With the time of each.
    pub timestamps: bool,
    /// With labels and variables named by the log options.
    pub details: bool,
    /// Unix time, with fraction, or RFC 3339.
    pub since: String,
    /// As `since`.
    pub until: String,
    /// The last so many; empty or `all`: all.
    pub tail: String,
    /// Only lines in which this pattern is found; berth's daemon alone can do it. Empty: all.
    pub grep: String,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// It does not run (perhaps already).
    #[default]
    NotRunning,
    /// The next time it exits.
    NextExit,
    /// It is gone.
    Removed,
}

impl WaitCondition {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotRunning => "not-running",
            Self::NextExit => "next-exit",
            Self::Removed => "removed",
        }
    }
}

/// A wait that the daemon has taken on: from here on no exit is missed.
#[derive(Debug)]
pub struct WaitHandle(Answer);

impl WaitHandle {
    /// The exit.
    ///
    /// # Errors
    /// The connection broke, or the daemon lost the container.
    pub async fn finish(self) -> Result<WaitResponse, Error> {
        let body = self.0.response.into_body().collect().await?.to_bytes();
        decode::from_slice(&body).map_err(|source| Error::Decode { path: self.0.path, source })
    }
}

impl Client {
    /// Makes a container; an empty `name` leaves the name to the daemon.
    ///
    /// # Errors
    /// 404: no such image; 409: the name is taken.
    pub async fn create_container(
        &self,
        name: &str,
        platform: &str,
        request: &CreateRequest,
    ) -> Result<CreateResponse, Error> {
        let path = Path::new(&["containers", "create"]).text("name", name).text("platform", platform);
        self.call(Method::POST, path).json(request).decode().await
    }

    /// What making and starting a container would do; nothing is done. Berth's own call.
    ///
    /// # Errors
    /// 404: no such image, or (as 405) a daemon that plans nothing; 409: the name is taken.
    pub async fn plan_container(
        &self,
        name: &str,
        platform: &str,
        request: &CreateRequest,
    ) -> Result<CreatePlan, Error> {
        let path = Path::new(&["containers", "plan"]).text("name", name).text("platform", platform);
        self.call(Method::POST, path).json(request).decode().await
    }

    /// Lists containers.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_containers(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>, Error> {
        let path = Path::new(&["containers", "json"])
            .flag("all", options.all)
            .number("limit", options.limit)
            .flag("size", options.size)
            .text("filters", &filters(&options.filters));
        self.call(Method::GET, path).decode().await
    }

    /// Everything about one container.
    ///
    /// # Errors
    /// 404: no such container.
    pub async fn inspect_container(&self, id: &str, size: bool) -> Result<ContainerInspect, Error> {
        self.call(Method::GET, Path::new(&["containers", id, "json"]).flag("size", size)).decode().await
    }

    /// Starts a container; one that runs already is left alone.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start_container(&self, id: &str) -> Result<(), Error> {
        self.container_call(id, "start").done().await
    }

    /// Stops a container; one that does not run is left alone.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stop_container(&self, id: &str, options: &StopOptions) -> Result<(), Error> {
        self.call(Method::POST, stop_path(id, "stop", options)).done().await
    }

    /// Stops and starts a container.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn restart_container(&self, id: &str, options: &StopOptions) -> Result<(), Error> {
        self.call(Method::POST, stop_path(id, "restart", options)).done().await
    }

    /// A second's figures.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn container_stats(&self, id: &str) -> Result<Stats, Error> {
        self.call(Method::GET, stats_path(id).text("stream", "0")).decode().await
    }

    /// Figures each second until it is removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn container_stats_stream(&self, id: &str) -> Result<Lines<Stats>, Error> {
        Ok(Lines::new(self.call(Method::GET, stats_path(id).text("stream", "1")).send().await?))
    }

    /// Its processes as `ps` with these arguments lists them.
    ///
    /// # Errors
    /// 409: it does not run.
    pub async fn container_top(&self, id: &str, arguments: &[String]) -> Result<Top, Error> {
        let path = Path::new(&["containers", id, "top"]).text("ps_args", &arguments.join(" "));
        self.call(Method::GET, path).decode().await
    }

    /// Changes limits and the restart policy: what is nothing or zero in `changes` stays. Gives warnings.
    ///
    /// # Errors
    /// 409: a change contradicts what holds.
    pub async fn update_container(&self, id: &str, changes: &HostConfig) -> Result<Vec<String>, Error> {
        let call = self.call(Method::POST, Path::new(&["containers", id, "update"])).json(changes);
        Ok(call.decode::<UpdateResponse>().await?.warnings.unwrap_or_default())
    }

    /// Sends a signal; empty: SIGKILL.
    ///
    /// # Errors
    /// 409: it does not run.
    pub async fn kill_container(&self, id: &str, signal: &str) -> Result<(), Error> {
        let path = Path::new(&["containers", id, "kill"]).text("signal", signal);
        self.call(Method::POST, path).done().await
    }

    /// Freezes a container.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pause_container(&self, id: &str) -> Result<(), Error> {
        self.container_call(id, "pause").done().await
    }

    /// Thaws a container.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn unpause_container(&self, id: &str) -> Result<(), Error> {
        self.container_call(id, "unpause").done().await
    }

    /// Removes a container.
    ///
    /// # Errors
    /// 409: it runs and `force` is not set.
    pub async fn remove_container(&self, id: &str, options: RemoveOptions) -> Result<(), Error> {
        let path = Path::new(&["containers", id])
            .flag("force", options.force)
            .flag("v", options.volumes)
            .flag("link", options.link);
        self.call(Method::DELETE, path).done().await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// 409: the name is taken.
    pub async fn rename_container(&self, id: &str, name: &str) -> Result<(), Error> {
        let path = Path::new(&["containers", id, "rename"]).text("name", name);
        self.call(Method::POST, path).done().await
    }

    /// Stops every container because the host goes down (berth's own call).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stop_all(&self) -> Result<AllStopped, Error> {
        self.call(Method::POST, Path::new(&["berth", "stop-all"])).decode().await
    }

    /// Tells the size of a container's terminal.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn resize_container(&self, id: &str, rows: u16, columns: u16) -> Result<(), Error> {
        self.call(Method::POST, resize_path("containers", id, rows, columns)).done().await
    }

    /// Waits for a container. When this returns, the daemon is watching; the exit comes from the handle.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait_container(&self, id: &str, condition: WaitCondition) -> Result<WaitHandle, Error> {
        let path = Path::new(&["containers", id, "wait"]).text("condition", condition.as_str());
        self.call(Method::POST, path).send().await.map(WaitHandle)
    }

    /// Attaches to a container, which need not run yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn attach_container(&self, id: &str, options: &AttachOptions) -> Result<Hijacked, Error> {
        let path = Path::new(&["containers", id, "attach"])
            .flag("stream", options.stream)
            .flag("stdin", options.stdin)
            .flag("stdout", options.stdout)
            .flag("stderr", options.stderr)
            .flag("logs", options.logs)
            .text("detachKeys", &options.detach_keys);
        self.call(Method::POST, path).hijack().await
    }

    /// A container's log: frames (see [`crate::stdcopy`]) unless it has a terminal.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn container_logs(&self, id: &str, options: &LogsOptions) -> Result<ByteStream, Error> {
        let path = Path::new(&["containers", id, "logs"])
            .flag("stdout", options.stdout)
            .flag("stderr", options.stderr)
            .flag("follow", options.follow)
            .flag("timestamps", options.timestamps)
            .flag("details", options.details)
            .text("since", &options.since)
            .text("until", &options.until)
            .text("tail", &options.tail)
            .text("grep", &options.grep);
        let answer = self.call(Method::GET, path).send().await?;
        if !options.grep.is_empty() && !answer.response.headers().contains_key("berth-log-filter") {
            return Err(Error::NotFiltered);
        }
        Ok(ByteStream::new(answer))
    }

    fn container_call(&self, id: &str, verb: &str) -> crate::call::Call<'_> {
        self.call(Method::POST, Path::new(&["containers", id, verb]))
    }
}

fn stats_path(id: &str) -> Path {
    Path::new(&["containers", id, "stats"])
}

fn stop_path(id: &str, verb: &str, options: &StopOptions) -> Path {
    Path::new(&["containers", id, verb]).number("t", options.timeout).text("signal", &options.signal)
}

pub(crate) fn resize_path(kind: &str, id: &str, rows: u16, columns: u16) -> Path {
    Path::new(&[kind, id, "resize"]).number("h", Some(rows.into())).number("w", Some(columns.into()))
}
