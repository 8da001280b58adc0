//! Exec sessions: further processes in running containers. They live in memory only, as with Docker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::id::{ContainerId, ExecId};
use crate::spec::ExecSpec;
use crate::view::ExecView;
use crate::{Error, Result};

/// How long a session that has ended can still be inspected.
const KEPT: Duration = Duration::from_secs(300);

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: ExecId,
    pub(crate) container: ContainerId,
    pub(crate) spec: ExecSpec,
    phase: Mutex<Phase>,
    /// Its exit code, once there is one.
    code: watch::Sender<Option<i32>>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Created,
    Starting,
    Running { pid: i32 },
    Ended { pid: i32, code: i32, at: Instant },
}

impl Session {
    pub(crate) fn new(container: ContainerId, spec: ExecSpec) -> Self {
        Self {
            id: ExecId::random(),
            container,
            spec,
            phase: Mutex::new(Phase::Created),
            code: watch::Sender::new(None),
        }
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the one start a session has.
    pub(crate) fn claim(&self) -> Result<()> {
        let mut phase = self.phase();
        match *phase {
            Phase::Created => {
                *phase = Phase::Starting;
                Ok(())
            }
            Phase::Starting | Phase::Running { .. } => {
                Err(Error::State(format!("Error: Exec command {} is already running", self.id)))
            }
            Phase::Ended { .. } => Err(Error::State(format!("Error: Exec command {} has already run", self.id))),
        }
    }

    pub(crate) fn started(&self, pid: i32) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Starting) {
            *phase = Phase::Running { pid };
        }
    }

    /// False: it had ended before.
    pub(crate) fn ended(&self, code: i32) -> bool {
        let mut phase = self.phase();
        let pid = match *phase {
            Phase::Running { pid } => pid,
            Phase::Created | Phase::Starting => 0,
            Phase::Ended { .. } => return false,
        };
        *phase = Phase::Ended { pid, code, at: Instant::now() };
        self.code.send_replace(Some(code));
        true
    }

    /// Waits until it has ended.
    pub(crate) async fn code(&self) -> i32 {
        let mut watch = self.code.subscribe();
        // The sender is our own: it cannot be gone.
        watch.wait_for(Option::is_some).await.ok().and_then(|code| *code).unwrap_or_default()
    }

    /// The command as Docker's events show it: the program, a blank, the arguments.
    pub(crate) fn command(&self) -> String {
        let (program, arguments) = self.spec.args.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
        format!("{program} {}", arguments.join(" "))
    }

    pub(crate) fn view(&self) -> ExecView {
        let phase = *self.phase();
        let (running, exit_code, pid) = match phase {
            Phase::Created | Phase::Starting => (false, None, 0),
            Phase::Running { pid } => (true, None, pid),
            Phase::Ended { pid, code, .. } => (false, Some(code), pid),
        };
        ExecView {
            id: self.id.clone(),
            container: self.container.clone(),
            spec: self.spec.clone(),
            running,
            exit_code,
            pid,
        }
    }

    fn is_stale(&self) -> bool {
        matches!(*self.phase(), Phase::Ended { at, .. } if at.elapsed() > KEPT)
    }
}

/// Every session there is, by id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<String, Arc<Session>>>,
}

impl Sessions {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, session: Arc<Session>) {
        let mut all = self.all();
        all.retain(|_, session| !session.is_stale());
        all.insert(session.id.as_str().to_owned(), session);
    }

    pub(crate) fn get(&self, id: &str) -> Result<Arc<Session>> {
        self.all().get(id).cloned().ok_or_else(|| Error::NoSuchExec(id.to_owned()))
    }

    /// Forgets those of a container that is gone.
    pub(crate) fn forget(&self, container: &ContainerId) {
        self.all().retain(|_, session| session.container != *container);
    }
}
