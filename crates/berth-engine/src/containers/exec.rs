//! Exec sessions.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use berth_shim::protocol::{Exec, Request, Resize, StdioPlan, Streams};

use super::life::ask;
use super::stdio::stream_pair;
use super::{Attachment, Containers};
use crate::exec::Session;
use crate::id::ExecId;
use crate::options::{DetachKeys, ExecStart};
use crate::plan::process;
use crate::shared::{Command, Shared};
use crate::spec::ExecSpec;
use crate::state::State;
use crate::view::{ContainerView, ExecView};
use crate::{Error, Result, etc};

impl Containers {
    /// Prepares a further process in a running container.
    ///
    /// # Errors
    /// Where it does not run or is paused, with Docker's sentences; no command.
    pub async fn exec_create(&self, key: &str, spec: ExecSpec) -> Result<ExecId> {
        let shared = self.find(key)?;
        let view = shared.view();
        may_exec(&view, key)?;
        if spec.args.is_empty() {
            return Err(Error::Invalid("No exec command specified".into()));
        }
        DetachKeys::parse(&spec.detach_keys)?;
        let session = Arc::new(Session::new(shared.id.clone(), spec));
        let id = session.id.clone();
        let what = format!("exec_create: {}", session.command());
        self.ground.sessions.add(session);
        self.ground.publish(&view, what, &[("execID", id.to_string())]);
        Ok(id)
    }

    /// Runs it. Its process has been executed when this returns.
    ///
    /// `own` is the client's connection, after whatever is to be said on it before the process speaks. `None` comes back where it was
    /// passed on to the process's shim, which speaks with the client from then on; it is not where the client may type
    /// detach keys. `None` comes back with `detach`, too.
    ///
    /// # Errors
    /// [`Error::ExecLaunch`]; a session that has run already.
    pub async fn exec_start(&self, id: &str, options: ExecStart, own: Option<OwnedFd>) -> Result<Option<Attachment>> {
        let session = self.ground.sessions.get(id)?;
        let shared = self.find(session.container.as_str())?;
        let view = shared.view();
        may_exec(&view, session.container.as_str())?;
        session.claim()?;
        let started = self.run(&session, &shared, &view, options, own).await;
        if started.is_err() {
            session.ended(126);
        }
        started
    }

    async fn run(
        &self,
        session: &Arc<Session>,
        shared: &Arc<Shared>,
        view: &Arc<ContainerView>,
        options: ExecStart,
        own: Option<OwnedFd>,
    ) -> Result<Option<Attachment>> {
        let (ground, asked, of) = (self.ground.clone(), session.clone(), view.clone());
        let pid = view.state.pid().map_or(0, |pid| pid.0);
        let plan = move || {
            let root = etc::root_of(pid).map_err(Error::file("opening the root of", of.id.as_str()))?;
            process::further(&asked.spec, &of.spec, &of.effective, &etc::user_files(root)?, &ground.host)
        };
        let planned = tokio::task::spawn_blocking(plan).await;
        let process = planned.map_err(|e| Error::Internal(format!("planning an exec: {e}")))??;
        self.ground.faults.at("exec.planned")?;
        let spec = &session.spec;
        let (rows, columns) = options.console_size.unwrap_or_default();
        let typing = spec.tty && spec.attach_stdin;
        let (ours, theirs) = match own.filter(|_| !typing) {
            _ if options.detach => (None, None),
            Some(own) => (None, Some(own)),
            None => stream_pair().map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
        };
        let streams = Streams { stdin: spec.attach_stdin, stdout: spec.attach_stdout, stderr: spec.attach_stderr };
        let request = Request::Exec(Box::new(Exec {
            id: session.id.to_string(),
            process,
            seccomp: None,
            stdio: StdioPlan {
                tty: spec.tty,
                open_stdin: spec.attach_stdin && !options.detach,
                stdin_once: true,
                rows,
                columns,
            },
            attach: (!options.detach).then_some(streams),
        }));
        let (session, id) = (session.clone(), session.id.clone());
        let (tty, keys) = (spec.tty, DetachKeys::parse(&spec.detach_keys)?);
        shared.ask(|reply| Command::Exec { session, request, stream: theirs, reply }).await?;
        Ok(ours.map(|stream| Attachment {
            stream: Some(stream),
            tty,
            detach_keys: typing.then_some(keys),
            container: shared.id.clone(),
            exec: Some(id),
        }))
    }

    /// Sets its terminal's size.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn exec_resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let session = self.ground.sessions.get(id)?;
        let shared = self.find(session.container.as_str())?;
        if !session.view().running {
            return Err(Error::State(format!("exec {id} is not running")));
        }
        ask(&shared, Request::Resize(Resize { exec: Some(id.to_owned()), rows, columns })).await?;
        Ok(())
    }

    /// Waits until all is known that the shim has said of a running exec session. Whoever has seen the end of its stream
    /// finds its exit code after this: the shim says the code first.
    ///
    /// # Errors
    /// [`Error::NoSuchExec`].
    pub async fn exec_settle(&self, id: &str) -> Result<()> {
        let session = self.ground.sessions.get(id)?;
        if session.view().running
            && let Ok(shared) = self.find(session.container.as_str())
        {
            // A shim that is gone has said all; then the session has ended as well.
            let _ = ask(&shared, Request::Status {}).await;
        }
        Ok(())
    }

    /// Waits until an exec session has ended, and gives its exit code. Whoever closes a session's stream to a client
    /// waits for this first (for a while): the client asks for the code next.
    ///
    /// # Errors
    /// [`Error::NoSuchExec`].
    pub async fn exec_wait(&self, id: &str) -> Result<i32> {
        Ok(self.ground.sessions.get(id)?.code().await)
    }

    /// One exec session.
    ///
    /// # Errors
    /// [`Error::NoSuchExec`].
    pub fn exec_inspect(&self, id: &str) -> Result<ExecView> {
        Ok(self.ground.sessions.get(id)?.view())
    }
}

/// `key` is what the caller calls the container.
fn may_exec(view: &ContainerView, key: &str) -> Result<()> {
    match view.state {
        State::Running { .. } => Ok(()),
        State::Paused { .. } => {
            Err(Error::State(format!("Container {key} is paused, unpause the container before exec")))
        }
        ref state if state.is_restarting() => {
            Err(Error::State(format!("Container {} is restarting, wait until the container is running", view.id)))
        }
        _ => Err(Error::State(format!("Container {} is not running", view.id))),
    }
}
