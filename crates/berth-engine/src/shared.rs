//! What a container's task shares with everybody else: its latest view, who waits for it, and its inbox.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use berth_shim::protocol::{Request, Response, Streams};
use tokio::sync::{mpsc, oneshot, watch};

use crate::containers::Exit;
use crate::exec::Session;
use crate::health::{Health, Probe};
use crate::id::ContainerId;
use crate::options::WaitCondition;
use crate::spec::{ContainerSpec, ResourceSpec, RestartPolicy};
use crate::view::ContainerView;
use crate::{Error, Result};

/// Where a command's answer goes. A caller that has gone away needs none.
pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// What changes of a container that is made.
#[derive(Debug)]
pub(crate) enum Respec {
    /// Those limits that are not nothing or zero here.
    Merge(Box<ResourceSpec>),
    /// All limits.
    Replace(Box<ResourceSpec>),
    /// The restart policy.
    Policy(RestartPolicy),
}

/// What a container's task can be told.
#[derive(Debug)]
pub(crate) enum Command {
    Start {
        reply: Reply<()>,
    },
    /// A change in the record; answers with what was before.
    Respec {
        respec: Respec,
        reply: Reply<Arc<ContainerSpec>>,
    },
    /// A health check of run `run` is over.
    Checked {
        run: u64,
        probe: Probe,
        reply: Reply<Arc<Health>>,
    },
    /// The start that was expected has not come.
    Unprepare,
    /// Signal the main process; `key` is how the user named the container.
    Signal {
        signal: i32,
        key: String,
        /// Whoever sends it wants it to stay ended, if that is how it ends.
        by_hand: bool,
        reply: Reply<()>,
    },
    Pause {
        reply: Reply<()>,
    },
    Resume {
        reply: Reply<()>,
    },
    /// Keep an auto-removed container for a restart, or no longer.
    Keep {
        keep: bool,
    },
    Attach {
        streams: Streams,
        stream: OwnedFd,
        reply: Reply<()>,
    },
    Exec {
        session: Arc<Session>,
        request: Request,
        stream: Option<OwnedFd>,
        reply: Reply<()>,
    },
    /// Somebody wants to mount its root while it does not run.
    Borrow {
        reply: Reply<Borrowed>,
    },
    /// Something only its shim can answer.
    Ask {
        request: Request,
        reply: Reply<Response>,
    },
    Rename {
        name: String,
        reply: Reply<()>,
    },
    Remove {
        force: bool,
        /// Its anonymous volumes too.
        volumes: bool,
        reply: Reply<()>,
    },
}

/// Whether a container's root can be mounted by somebody else.
#[derive(Debug)]
pub(crate) enum Borrowed {
    /// It runs: its root is to be seen through its main process.
    Runs,
    /// It can, and the container is not started before this is dropped.
    Lent(tokio::sync::OwnedMutexGuard<()>),
    /// Somebody else has it mounted: wait for [`Shared::files`], and ask again.
    Taken,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: ContainerId,
    /// Held by whoever has the root of a container that does not run mounted: two mounts of one upper directory would
    /// not see each other's changes.
    pub(crate) files: Arc<tokio::sync::Mutex<()>>,
    view: watch::Sender<Arc<ContainerView>>,
    waiters: Mutex<Vec<(WaitCondition, oneshot::Sender<Exit>)>>,
    inbox: mpsc::UnboundedSender<Command>,
}

impl Shared {
    pub(crate) fn new(view: ContainerView, inbox: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            id: view.id.clone(),
            files: Arc::default(),
            view: watch::Sender::new(Arc::new(view)),
            waiters: Mutex::default(),
            inbox,
        }
    }

    pub(crate) fn view(&self) -> Arc<ContainerView> {
        self.view.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<ContainerView>> {
        self.view.subscribe()
    }

    /// Only the container's task calls this.
    pub(crate) fn publish(&self, view: ContainerView) {
        self.view.send_replace(Arc::new(view));
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::NoSuchContainer(self.id.to_string());
        self.inbox.send(command(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Sends a command that has no answer.
    pub(crate) fn tell(&self, command: Command) {
        // A container that is gone needs telling nothing.
        drop(self.inbox.send(command));
    }

    /// Registers for an end, or gives it at once.
    pub(crate) fn wait(&self, condition: WaitCondition) -> oneshot::Receiver<Exit> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        // The view is published before the waiters are told, so an end is either seen here or told.
        let view = self.view();
        if condition == WaitCondition::NotRunning && !view.state.counts_as_running() {
            drop(sender.send(Exit::of(&view)));
        } else {
            waiters.push((condition, sender));
        }
        receiver
    }

    /// Tells those who wait for an exit, or (at the very end) everybody.
    pub(crate) fn tell_waiters(&self, exit: &Exit, removed: bool) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |condition: &WaitCondition| removed || *condition != WaitCondition::Removed;
        let (now, later) = std::mem::take(&mut *waiters).into_iter().partition(|(condition, _)| told(condition));
        *waiters = later;
        let now: Vec<(WaitCondition, oneshot::Sender<Exit>)> = now;
        for (_, waiter) in now {
            drop(waiter.send(exit.clone()));
        }
    }
}
