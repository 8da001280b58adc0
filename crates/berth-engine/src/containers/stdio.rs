//! Taking part in a container's stdio, and reading what it wrote.

use std::os::fd::OwnedFd;

use berth_shim::protocol::Streams;
use tokio::net::UnixStream;

use super::{Attachment, Containers};
use crate::id::{ContainerId, ExecId};
use crate::logs::{self, LogStream, Render};
use crate::options::{AttachOptions, DetachKeys, LogOptions};
use crate::shared::Command;
use crate::{Error, Result};

impl Containers {
    /// Takes part in its stdio, now or (where it does not run) from its next start on.
    ///
    /// # Errors
    /// Where it is paused; detach keys that are none.
    pub async fn attach(&self, key: &str, options: AttachOptions) -> Result<Attachment> {
        let shared = self.find(key)?;
        let view = shared.view();
        let tty = view.spec.process.tty;
        let keys = DetachKeys::parse(&options.detach_keys)?;
        let (stdout, stderr) = (options.stdout, options.stderr);
        let stream = if options.stream {
            let (ours, theirs) = stream_pair()?;
            let streams = Streams { stdin: options.stdin && view.spec.stdio.open_stdin, stdout, stderr };
            shared.ask(|reply| Command::Attach { streams, stream: theirs, reply }).await?;
            Some(ours)
        } else {
            None
        };
        self.ground.publish(&view, "attach", &[]);
        Ok(Attachment {
            stream,
            tty,
            detach_keys: (tty && options.stdin).then_some(keys),
            container: shared.id.clone(),
            exec: None,
        })
    }

    /// Says that a client has typed its detach keys (an event).
    pub fn detached(&self, container: &ContainerId, exec: Option<&ExecId>) {
        let Ok(shared) = self.find(container.as_str()) else { return };
        match exec {
            None => self.ground.publish(&shared.view(), "detach", &[]),
            Some(exec) => self.ground.publish(&shared.view(), "exec_detach", &[("execID", exec.to_string())]),
        }
    }

    /// Its output so far, and with `follow` until it ends, as `render` writes it.
    ///
    /// # Errors
    /// Where its log driver keeps nothing; neither stream asked for; a pattern that is none.
    pub async fn logs(&self, key: &str, options: LogOptions, render: Render) -> Result<LogStream> {
        let shared = self.find(key)?;
        if !options.stdout && !options.stderr {
            return Err(Error::Invalid("Bad parameters: you must choose at least one stream".into()));
        }
        logs::read(&shared.view().spec.log, &options, shared.watch(), render)
    }
}

/// Our end for the event loop, and the shim's.
pub(super) fn stream_pair() -> Result<(UnixStream, OwnedFd)> {
    let failed = |e: std::io::Error| Error::Internal(format!("making a stream: {e}"));
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    Ok((UnixStream::from_std(ours).map_err(failed)?, theirs.into()))
}
