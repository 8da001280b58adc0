//! What is asked of a shim, and its answers.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::Server;
use crate::clock::Moment;
use crate::container::failure;
use crate::protocol::{Code, Exec, Failure, Request, Resize, Response, Signal, State, ToShim};
use crate::session::Session;

const SIGKILL: i32 = 9;

/// A request and its descriptors.
type Asked = (Request, Vec<OwnedFd>);

impl Server {
    /// A connection can be read or written.
    pub(super) fn converse(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) else { return };
        connection.flush();
        connection.receive();
        while let Some((seq, request)) = self.next_request(number) {
            self.settled = false;
            let response = match request {
                Ok((request, descriptors)) => self.answer(request, descriptors).unwrap_or_else(Response::Failed),
                Err(failure) => Response::Failed(failure),
            };
            let Some(connection) = &mut self.connections[number] else { return };
            connection.respond(seq, response);
            connection.flush();
        }
        if let Some(connection) = &mut self.connections[number] {
            connection.release();
        }
    }

    /// The next request that has arrived whole. What has no number cannot be answered: that breaks the connection.
    fn next_request(&mut self, number: usize) -> Option<(u64, Result<Asked, Failure>)> {
        let connection = self.connections[number].as_mut()?;
        let (seq, count, request) = match connection.channel.next(ToShim::parse) {
            Ok(None) => return None,
            Ok(Some(Ok(ToShim { seq, fds, request }))) => (seq, fds, Ok(request)),
            Ok(Some(Err((Some(seq), fds, error)))) => (seq, fds, Err(error)),
            Ok(Some(Err((None, ..)))) | Err(_) => {
                connection.break_off();
                return None;
            }
        };
        let Ok(descriptors) = connection.channel.take_descriptors(count) else {
            connection.break_off();
            return None;
        };
        let unsupported = |error| failure(Code::Unsupported, format!("the shim does not understand this: {error:?}"));
        Some((seq, request.map(|request| (request, descriptors)).map_err(unsupported)))
    }

    /// Lets broken connections go and waits for the others.
    pub(super) fn watch_connections(&mut self) {
        for (number, slot) in self.connections.iter_mut().enumerate() {
            if let Some(connection) = slot {
                connection.flush();
                if connection.is_broken() {
                    *slot = None;
                } else {
                    connection.watch(&self.poller, number as u32);
                }
            }
        }
    }

    fn answer(&mut self, request: Request, mut descriptors: Vec<OwnedFd>) -> Result<Response, Failure> {
        match request {
            Request::Launch(_) => return Err(failure(Code::Invalid, "the container is launched already")),
            Request::Attach(attach) => {
                let stream = descriptors.pop().ok_or_else(|| failure(Code::Invalid, "the stream is missing"))?;
                let (init, poller) = self.living(None)?;
                init.relay.attach(stream, attach.streams, false, poller);
            }
            Request::Exec(exec) => return self.exec(*exec, descriptors.pop()),
            Request::Resize(Resize { exec, rows, columns }) => {
                let (session, _) = self.living(exec.as_deref())?;
                session.resize(rows, columns).map_err(|errno| failed("cannot resize the terminal", errno))?;
            }
            Request::Signal(signal) => self.signal(&signal)?,
            Request::KillExec { exec } => {
                let (session, _) = self.living(Some(&exec))?;
                session.kill_group().map_err(|errno| failed("cannot kill the session", errno))?;
            }
            Request::Pause {} => {
                self.living(None)?;
                self.container.pause()?;
                self.state = State::Paused;
            }
            Request::Resume {} => {
                self.living(None)?;
                self.container.resume()?;
                self.state = State::Running;
            }
            Request::Update(update) => self.container.update(&update.resources)?,
            Request::Stats {} => return Ok(Response::Stats(self.container.stats()?)),
            Request::Processes {} => return Ok(Response::Processes(self.container.processes()?)),
            Request::Status {} => return Ok(Response::Status(self.status())),
        }
        Ok(Response::Done {})
    }

    fn exec(&mut self, exec: Exec, stream: Option<OwnedFd>) -> Result<Response, Failure> {
        if self.state == State::Paused {
            return Err(failure(Code::Invalid, "the container is paused, unpause it before exec"));
        }
        if self.living(Some(&exec.id)).is_ok() {
            return Err(failure(Code::Invalid, format!("exec session {} is running already", exec.id)));
        }
        let attachment = match (exec.attach, stream) {
            (Some(_), None) => return Err(failure(Code::Invalid, "the stream is missing")),
            (streams, stream) => streams.zip(stream),
        };
        self.living(None)?;
        let Some(init) = &self.sessions[0] else { return Err(gone()) };
        let free = (1..self.sessions.len()).find(|number| self.sessions[*number].is_none());
        let number = free.unwrap_or(self.sessions.len());
        let mut session = match self.container.join(init, number as u32, exec) {
            Ok(session) => session,
            Err(failure) => return Ok(Response::LaunchFailed(failure)),
        };
        if let Some((streams, stream)) = attachment {
            session.relay.attach(stream, streams, true, &self.poller);
        }
        session.relay.begin(&self.poller);
        let response = Response::ExecStarted { pid: session.pid, started_at: Moment::now().to_string() };
        if number == self.sessions.len() {
            self.sessions.push(None);
        }
        self.sessions[number] = Some(session);
        Ok(response)
    }

    fn signal(&mut self, signal: &Signal) -> Result<(), Failure> {
        let (session, _) = self.living(signal.exec.as_deref())?;
        match session.signal(signal.signal) {
            Ok(()) => {}
            Err(Errno::SRCH) => return Err(gone()),
            Err(errno) => return Err(failed(&format!("cannot send signal {}", signal.signal), errno)),
        }
        if signal.signal == SIGKILL {
            self.container.thaw_to_die();
            if self.state == State::Paused {
                self.state = State::Running;
            }
        }
        Ok(())
    }

    /// The session spoken of, if its process has not ended.
    fn living(&mut self, exec: Option<&str>) -> Result<(&mut Session, &crate::poller::Poller), Failure> {
        let found =
            self.sessions.iter_mut().flatten().find(|session| session.exec.as_deref() == exec && !session.ended);
        found.map(|session| (session, &self.poller)).ok_or_else(gone)
    }
}

fn gone() -> Failure {
    failure(Code::NotRunning, "the process is not running")
}

fn failed(what: &str, errno: Errno) -> Failure {
    failure(Code::Other, format!("{what}: {}", std::io::Error::from(errno)))
}
