//! systemd over D-Bus: starting, changing and stopping a unit, each waited for.
//!
//! The conversation happens in a child process where this one has a single thread: the bus library starts threads, and
//! whoever is about to make a container's init must have none.

use std::fs::File;
use std::future::poll_fn;
use std::io::Read;
use std::os::fd::AsFd;
use std::pin::Pin;

use berth_sys::clone::{Birth, clone_process};
use futures_core::Stream;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream, ObjectPath};

use super::properties::Property;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

type Aux<'a> = (&'a str, &'a [Property]);

pub(crate) fn start(unit: &str, properties: &[Property]) -> Result<(), String> {
    apart(&|| {
        zbus::block_on(async {
            let manager = Manager::connect().await?;
            let outcome = manager.job("StartTransientUnit", &(unit, "fail", properties, Vec::<Aux<'_>>::new())).await?;
            if outcome == "done" { Ok(()) } else { Err(format!("the job ended as {outcome}")) }
        })
    })
}

pub(crate) fn update(unit: &str, properties: &[Property]) -> Result<(), String> {
    if properties.is_empty() {
        return Ok(());
    }
    // Until the next boot only: the unit is transient anyway.
    let runtime = true;
    apart(&|| {
        zbus::block_on(async {
            let manager = Manager::connect().await?;
            let reply = manager.call("SetUnitProperties", &(unit, runtime, properties)).await;
            reply.map(drop).map_err(|error| said(&error))
        })
    })
}

pub(crate) fn stop(unit: &str) -> Result<(), String> {
    apart(&|| {
        zbus::block_on(async {
            let manager = Manager::connect().await?;
            match manager.job("StopUnit", &(unit, "replace")).await {
                Err(reason) if !reason.contains("not loaded") => Err(reason),
                _ => {
                    // One that failed would stay known, and its name taken.
                    let _ = manager.call("ResetFailedUnit", &(unit,)).await;
                    Ok(())
                }
            }
        })
    })
}

/// Runs this in a child process, or, in a process that has threads already, here.
fn apart(conversation: &dyn Fn() -> Result<(), String>) -> Result<(), String> {
    const DONE: &str = "done";
    let failed = |errno: Errno| format!("no process to talk to it: {errno}");
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let talk = || {
        let outcome = conversation().err().unwrap_or_else(|| DONE.to_owned());
        i32::from(rustix::io::write(&theirs, outcome.as_bytes()).is_err())
    };
    let pidfd = match clone_process(&Birth::default(), talk) {
        Ok((_, pidfd)) => pidfd,
        // There are threads already.
        Err(Errno::DEADLK) => return conversation(),
        Err(errno) => return Err(failed(errno)),
    };
    drop(theirs);
    let mut outcome = String::new();
    let read = File::from(ours).read_to_string(&mut outcome);
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    match (read, outcome.as_str()) {
        (Ok(_), DONE) => Ok(()),
        (Ok(_), "") => Err("the process that talked to it died".to_owned()),
        (Ok(_), _) => Err(outcome),
        (Err(error), _) => Err(error.to_string()),
    }
}

struct Manager {
    bus: Connection,
}

impl Manager {
    async fn connect() -> Result<Manager, String> {
        Ok(Manager { bus: Connection::system().await.map_err(|error| said(&error))? })
    }

    async fn call<B>(&self, method: &str, body: &B) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        self.bus.call_method(Some(SYSTEMD), PATH, Some(MANAGER), method, body).await
    }

    /// Calls a method that starts a job, and waits for what becomes of it.
    async fn job<B>(&self, method: &str, body: &B) -> Result<String, String>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        self.wait_for(method, body).await.map_err(|error| said(&error))
    }

    async fn wait_for<B>(&self, method: &str, body: &B) -> zbus::Result<String>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(SYSTEMD)
            .interface(MANAGER)
            .member("JobRemoved")
            .build()?;
        // Listening begins before the job does, so that its end is not missed.
        let mut ended = MessageStream::for_match_rule(rule, &self.bus, None).await?;
        let reply = self.call(method, body).await?;
        let reply = reply.body();
        let job: ObjectPath<'_> = reply.deserialize()?;
        loop {
            let Some(message) = poll_fn(|context| Pin::new(&mut ended).poll_next(context)).await else {
                return Err(zbus::Error::Failure("the bus closed".to_owned()));
            };
            let body = message?.body();
            let (_, path, _, result): (u32, ObjectPath<'_>, String, String) = body.deserialize()?;
            if path == job {
                return Ok(result);
            }
        }
    }
}

/// What went wrong, in systemd's words where it is systemd that refuses.
fn said(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(words), _) => words.clone(),
        error => error.to_string(),
    }
}
