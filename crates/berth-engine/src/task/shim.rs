//! Talking with the shim of a running container.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use berth_runtime::HostPid;
use berth_shim::client::ClientError;
use berth_shim::protocol::{
    Attach, Code, Event, Failure, Incoming, Request, Response, Signal, State as ShimState, Status, Streams,
};
use jiff::Timestamp;

use super::link::Link;
use super::{Fate, Pending, Task};
use crate::exec::Session;
use crate::shared::Reply;
use crate::state::{Change, State};
use crate::{Error, Result};

const SIGKILL: i32 = 9;

/// What the shim says next; without a shim, nothing ever.
pub(super) async fn next(link: Option<&mut Link<Pending>>) -> Result<Incoming, ClientError> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

fn refused(failure: Failure) -> Error {
    match failure.code {
        Code::NotRunning => Error::State(failure.message),
        Code::Invalid => Error::Invalid(failure.message),
        _ => Error::ShimRefused(failure.message),
    }
}

fn done(response: Response) -> Result<()> {
    match response {
        Response::Done {} => Ok(()),
        Response::Failed(failure) | Response::LaunchFailed(failure) => Err(refused(failure)),
        other => Err(Error::ShimRefused(format!("the shim gave an unexpected answer: {other:?}"))),
    }
}

/// Why nothing can be done in a container that is not up.
fn not_up(state: &State, container: &str, id: &str) -> Error {
    match state.is_restarting() {
        true => Error::State(format!("{container} {id} is restarting, wait until the container is running")),
        false => Error::State(format!("{container} {id} is not running")),
    }
}

impl Task {
    pub(super) async fn hear(&mut self, news: Result<Incoming, ClientError>) -> Fate {
        match news {
            Ok(Incoming::Response { seq, response }) => {
                if let Some(pending) = self.link.as_mut().and_then(|link| link.awaited(seq)) {
                    self.settle(pending, response);
                }
                Fate::Lives
            }
            Ok(Incoming::Event(Event::Hello { status, .. })) => self.hello(status).await,
            Ok(Incoming::Event(Event::Exited { code, oom_killed, at })) => self.exited(code, oom_killed, &at).await,
            Ok(Incoming::Event(Event::OutOfMemory {})) => {
                self.out_of_memory = true;
                self.publish("oom", &[]);
                Fate::Lives
            }
            Ok(Incoming::Event(Event::ExecExited { id, code, .. })) => {
                self.exec_exited(&id, code);
                Fate::Lives
            }
            Ok(Incoming::Unknown) => Fate::Lives,
            Err(error) => self.lost(&error).await,
        }
    }

    /// The first word on a connection: for one that was taken up, what became of the container meanwhile.
    async fn hello(&mut self, status: Status) -> Fate {
        self.out_of_memory = status.out_of_memory;
        if !matches!(self.state, State::Starting { .. }) {
            return Fate::Lives;
        }
        let at = status.started_at.parse().unwrap_or_else(|_| Timestamp::now());
        match status.state {
            ShimState::Exited { code, oom_killed, at: end } => {
                self.change(Change::Started { pid: HostPid(status.pid), at });
                return self.exited(code, oom_killed, &end).await;
            }
            ShimState::Created => {}
            ShimState::Running => {
                self.change(Change::Started { pid: HostPid(status.pid), at });
            }
            ShimState::Paused => {
                self.change(Change::Started { pid: HostPid(status.pid), at });
                self.change(Change::Paused);
            }
        }
        if self.state.is_alive() && self.health.is_none() {
            self.reset_health();
        }
        self.show();
        self.watch_health();
        Fate::Lives
    }

    /// Sends a request; who awaits the answer is told if that fails.
    pub(super) fn send(&mut self, request: Request, descriptors: Vec<OwnedFd>, then: Pending) {
        let Some(link) = &mut self.link else {
            return self.fail(then, Error::State(format!("Container {} is not running", self.id)));
        };
        if let Err((then, source)) = link.send(request, descriptors, then) {
            self.fail(then, Error::Shim { id: self.id.to_string(), source });
        }
    }

    pub(super) fn fail(&self, pending: Pending, error: Error) {
        match pending {
            Pending::Answer(reply) => drop(reply.send(Err(error))),
            Pending::Done(reply) | Pending::Pause(reply) | Pending::Resume(reply) => drop(reply.send(Err(error))),
            Pending::Exec(session, reply) => {
                session.ended(128);
                drop(reply.send(Err(error)));
            }
            Pending::Nothing => {}
        }
    }

    fn settle(&mut self, pending: Pending, response: Response) {
        match pending {
            Pending::Nothing => {}
            Pending::Answer(reply) => {
                let answer = match response {
                    Response::Failed(failure) => Err(refused(failure)),
                    response => Ok(response),
                };
                drop(reply.send(answer));
            }
            Pending::Done(reply) => drop(reply.send(done(response))),
            Pending::Pause(reply) => self.settle_freeze(reply, response, Change::Paused, "pause"),
            Pending::Resume(reply) => self.settle_freeze(reply, response, Change::Resumed, "unpause"),
            Pending::Exec(session, reply) => self.settle_exec(&session, reply, response),
        }
    }

    fn settle_freeze(&mut self, reply: Reply<()>, response: Response, change: Change, action: &str) {
        let result = done(response);
        // Of two that asked at once the second finds it done; of one that ended meanwhile there is nothing to say.
        if result.is_ok()
            && let Ok(state) = self.state.apply(change)
        {
            self.state = state;
            self.show();
            self.publish(action, &[]);
        }
        drop(reply.send(result));
    }

    fn settle_exec(&mut self, session: &Arc<Session>, reply: Reply<()>, response: Response) {
        let failed = |code: u8, message: String| Error::ExecLaunch { code, message };
        let result = match response {
            Response::ExecStarted { pid, .. } => {
                session.started(pid);
                self.sessions.push(session.clone());
                self.show();
                let what = format!("exec_start: {}", session.command());
                self.publish(what, &[("execID", session.id.to_string())]);
                Ok(())
            }
            Response::LaunchFailed(failure) | Response::Failed(failure) => {
                let code = match failure.code {
                    Code::NotFound => 127,
                    Code::NotExecutable => 126,
                    _ => 125,
                };
                session.ended(if code == 125 { 126 } else { i32::from(code) });
                Err(failed(code, failure.message))
            }
            other => Err(failed(125, format!("the shim gave an unexpected answer: {other:?}"))),
        };
        drop(reply.send(result));
    }

    fn exec_exited(&mut self, id: &str, code: i32) {
        let Some(at) = self.sessions.iter().position(|session| session.id.as_str() == id) else { return };
        let session = self.sessions.swap_remove(at);
        self.exec_over(&session, code);
        self.show();
    }

    pub(super) fn exec_over(&self, session: &Arc<Session>, code: i32) {
        if session.ended(code) {
            self.publish("exec_die", &[("execID", session.id.to_string()), ("exitCode", code.to_string())]);
        }
    }

    pub(super) async fn signal(&mut self, signal: i32, key: &str, by_hand: bool, reply: Reply<()>) {
        if matches!(self.state, State::Restarting { .. }) {
            return drop(reply.send(self.call_off(by_hand).await));
        }
        if !self.state.is_alive() {
            let error = Error::KillNotRunning { key: key.to_owned(), id: self.id.to_string() };
            return drop(reply.send(Err(error)));
        }
        if by_hand
            && self.is_meant_to_end(signal)
            && let Err(error) = self.mark_by_hand().await
        {
            return drop(reply.send(Err(error)));
        }
        let paused = matches!(self.state, State::Paused { .. });
        self.send(Request::Signal(Signal { exec: None, signal }), Vec::new(), Pending::Done(reply));
        self.publish("kill", &[("signal", signal.to_string())]);
        let stop = crate::plan::signals::parse(self.stop_signal()).unwrap_or(15);
        if paused && (signal == SIGKILL || signal == stop) {
            // A frozen process gets no signal: as Docker does, one that is to end it thaws it.
            let (reply, _) = tokio::sync::oneshot::channel();
            self.send(Request::Resume {}, Vec::new(), Pending::Resume(reply));
        }
    }

    /// As Docker has it: where a stop signal is set, that and SIGKILL; else any signal counts.
    fn is_meant_to_end(&self, signal: i32) -> bool {
        let set = self.record.effective.stop_signal.as_str();
        set.is_empty() || signal == SIGKILL || crate::plan::signals::parse(set).is_ok_and(|stop| stop == signal)
    }

    fn stop_signal(&self) -> &str {
        let signal = self.record.effective.stop_signal.as_str();
        if signal.is_empty() { "TERM" } else { signal }
    }

    /// Kills it without asking or telling anybody.
    pub(super) fn kill_now(&mut self) {
        let kill = Request::Signal(Signal { exec: None, signal: SIGKILL });
        self.send(kill, Vec::new(), Pending::Nothing);
    }

    pub(super) fn pause(&mut self, reply: Reply<()>) {
        match &self.state {
            State::Running { .. } => self.send(Request::Pause {}, Vec::new(), Pending::Pause(reply)),
            State::Paused { .. } => {
                drop(reply.send(Err(Error::State(format!("Container {} is already paused", self.id)))));
            }
            state => drop(reply.send(Err(not_up(state, "Container", self.id.as_str())))),
        }
    }

    pub(super) fn resume(&mut self, reply: Reply<()>) {
        match &self.state {
            State::Paused { .. } => self.send(Request::Resume {}, Vec::new(), Pending::Resume(reply)),
            _ => drop(reply.send(Err(Error::Refused(format!("Container {} is not paused", self.id))))),
        }
    }

    pub(super) fn attach(&mut self, streams: Streams, stream: OwnedFd, reply: Reply<()>) {
        match &self.state {
            State::Paused { .. } => {
                let text = format!("container {} is paused, unpause the container before attach", self.id);
                drop(reply.send(Err(Error::State(text))));
            }
            State::Running { .. } => {
                self.send(Request::Attach(Attach { streams }), vec![stream], Pending::Done(reply));
            }
            State::Restarting { .. } => drop(reply.send(Err(not_up(&self.state, "container", self.id.as_str())))),
            _ => {
                self.waiting.push((streams, stream));
                drop(reply.send(Ok(())));
            }
        }
    }

    pub(super) fn exec(&mut self, session: Arc<Session>, request: Request, stream: Option<OwnedFd>, reply: Reply<()>) {
        self.send(request, stream.into_iter().collect(), Pending::Exec(session, reply));
    }

    pub(super) fn ask(&mut self, request: Request, reply: Reply<Response>) {
        if self.state.is_alive() {
            self.send(request, Vec::new(), Pending::Answer(reply));
        } else {
            drop(reply.send(Err(Error::State(format!("Container {} is not running", self.id)))));
        }
    }
}
