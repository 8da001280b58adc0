//! The one writer: a thread that owns the writing connection, and shares one commit among writes that wait together.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::reserve::Reserve;
use crate::{Durability, Error, Reader, Result, Transaction};

/// How long the writer must have been idle before it moves the log into the database.
const IDLE_BEFORE_CHECKPOINT: Duration = Duration::from_secs(2);

/// Writes after which it does so even when it is never idle, so that the log stays bounded.
const WRITES_BEFORE_CHECKPOINT: u32 = 2000;

/// How many waiting writes share a commit at most.
const BATCH: usize = 64;

/// Says how the commit went; called once, after it.
type Settle = Box<dyn FnOnce(Result<()>) + Send>;

type Apply = dyn FnOnce(Result<&Connection>) -> (bool, Settle) + Send;

/// One write: applied inside a savepoint, settled after the commit.
pub(crate) struct Job {
    durability: Durability,
    /// Tells whether to keep what it wrote, and whom to tell. Given a reason instead of a connection, it writes nothing.
    apply: Box<Apply>,
}

impl Job {
    pub(crate) fn new<T, E, F, A>(durability: Durability, f: F, answer: A) -> Self
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        A: FnOnce(Result<T, E>) + Send + 'static,
    {
        let apply = move |connection: Result<&Connection>| -> (bool, Settle) {
            let result = connection
                .map_err(E::from)
                .and_then(|connection| f(&mut Transaction { reader: Reader { connection } }));
            let keep = result.is_ok();
            // A failed write has its own reason to tell; only a kept one depends on the commit.
            (
                keep,
                Box::new(move |committed| answer(result.and_then(|value| committed.map(|()| value).map_err(E::from)))),
            )
        };
        Self { durability, apply: Box::new(apply) }
    }

    fn refuse(self, reason: &str) {
        let error = Err(Error::Commit(reason.to_owned()));
        let (_, settle) = (self.apply)(error);
        settle(Ok(()));
    }
}

pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn spawn(connection: Connection, reserve: Reserve) -> Result<Self> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("state".into())
            .spawn(move || serve(&connection, &reserve, &queue))
            .map_err(|source| Error::Directory { path: "the state's writer thread".into(), source })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(crate) fn submit(&self, job: Job) -> Result<()> {
        self.jobs.as_ref().ok_or(Error::Closed)?.send(job).map_err(|_| Error::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // The last clone may be dropped by a write itself, on the writer's own thread.
        if thread.thread().id() != std::thread::current().id() {
            drop(thread.join());
        }
    }
}

fn serve(connection: &Connection, reserve: &Reserve, queue: &Receiver<Job>) {
    let mut unmoved = 0;
    let mut durability = None;
    let mut carried = None;
    loop {
        let first = match carried.take() {
            Some(job) => job,
            None => match next(connection, reserve, queue, &mut unmoved) {
                Some(job) => job,
                None => return,
            },
        };
        if durability != Some(first.durability) {
            let level = if first.durability == Durability::Synced { "FULL" } else { "NORMAL" };
            if let Err(error) = connection.pragma_update(None, "synchronous", level) {
                first.refuse(&error.to_string());
                continue;
            }
            durability = Some(first.durability);
        }
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            // What need not wait for the disk does not wait for those that came after it; those before it, it waits
            // for in any case.
            if durability == Some(Durability::Relaxed) && job.durability == Durability::Synced {
                carried = Some(job);
                break;
            }
            batch.push(job);
        }
        unmoved += u32::try_from(batch.len()).unwrap_or(u32::MAX);
        if commit(connection, batch) == Room::None {
            reserve.release();
        }
        if unmoved >= WRITES_BEFORE_CHECKPOINT {
            checkpoint(connection);
            unmoved = 0;
        }
    }
}

/// The next write; while there is none, moves the log into the database. `None`: the store was closed.
fn next(connection: &Connection, reserve: &Reserve, queue: &Receiver<Job>, unmoved: &mut u32) -> Option<Job> {
    if *unmoved > 0 {
        match queue.recv_timeout(IDLE_BEFORE_CHECKPOINT) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                checkpoint(connection);
                reserve.keep();
                *unmoved = 0;
            }
        }
    }
    queue.recv().ok()
}

fn checkpoint(connection: &Connection) {
    let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
    if let Err(error) = moved {
        tracing::warn!(%error, "moving the state's log into its database");
    }
}

/// Whether the disk took what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Enough,
    None,
}

fn commit(connection: &Connection, batch: Vec<Job>) -> Room {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    if let Err(error) = begun {
        let text = error.to_string();
        for job in batch {
            // Not applied: outside a transaction its parts would be visible one by one.
            job.refuse(&text);
        }
        return room(&error);
    }
    let mut settles = Vec::with_capacity(batch.len());
    let mut broken = None;
    for job in batch {
        match apply(connection, job) {
            Ok(settle) => settles.push(settle),
            Err(error) => broken = Some(error),
        }
    }
    let end = if broken.is_some() { "ROLLBACK" } else { "COMMIT" };
    let ended = connection.execute_batch(end);
    if ended.is_err() && !connection.is_autocommit() {
        drop(connection.execute_batch("ROLLBACK"));
    }
    let room = ended.as_ref().err().map_or(Room::Enough, room);
    let failed = broken.or_else(|| ended.err().map(|e| e.to_string()));
    for settle in settles {
        settle(failed.clone().map_or(Ok(()), |text| Err(Error::Commit(text))));
    }
    room
}

fn room(error: &rusqlite::Error) -> Room {
    let full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
    if full { Room::None } else { Room::Enough }
}

/// Runs one write inside a savepoint, so that its failure leaves those it shares the commit with alone.
fn apply(connection: &Connection, job: Job) -> Result<Settle, String> {
    if let Err(error) = connection.execute_batch("SAVEPOINT one") {
        job.refuse(&error.to_string());
        return Err(error.to_string());
    }
    let (keep, settle) = (job.apply)(Ok(connection));
    let end = if keep { "RELEASE one" } else { "ROLLBACK TO one; RELEASE one" };
    match connection.execute_batch(end) {
        Ok(()) => Ok(settle),
        Err(error) => {
            let error = error.to_string();
            settle(Err(Error::Commit(error.clone())));
            Err(error)
        }
    }
}
