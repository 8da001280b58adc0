//! The store itself: opening, reading, and handing writes to the one writer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::reserve::Reserve;
use crate::writer::{Job, Writer};
use crate::{Error, Reader, Result, Transaction};

/// The layout of the database itself (`PRAGMA user_version`); records carry versions of their own.
const FORMAT: u32 = 1;

/// Connections kept open for readers; more are opened when more read at once.
const IDLE_READERS: usize = 4;

/// What a write must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Loss of power: on disk before the call returns (one fsync, shared by writes that wait together).
    Synced,
    /// `kill -9` of this process, but not loss of power. Costs no fsync; a later synced write takes it along.
    Relaxed,
}

/// The transactional metadata store; cheap to clone, every clone is the same store.
///
/// There is one writer, a thread of its own: writes are applied in the order in which they were asked for, and those that
/// wait at the same time share one commit. Readers never wait for it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database at `path`, making it and its directory where they are missing.
    ///
    /// # Errors
    /// When it cannot be opened, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self> {
        let fresh = !path.exists();
        let directory = path.parent().unwrap_or(Path::new("."));
        let unprepared = |source| Error::Directory { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(unprepared)?;
        let reserve = Reserve::release_for(path);
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        prepare(&connection, path)?;
        if fresh {
            // The file's name is part of what must survive.
            std::fs::File::open(directory).and_then(|d| d.sync_all()).map_err(unprepared)?;
        }
        reserve.keep();
        let writer = Writer::spawn(connection, reserve)?;
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), writer, readers: Mutex::default() }) })
    }

    /// Where the database lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Reads from one consistent view. Blocks for microseconds; never waits for a writer.
    ///
    /// # Errors
    /// Those of `f`, and of reaching the database.
    pub fn read<T, E: From<Error>>(&self, f: impl FnOnce(&Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        let connection = self.take_reader()?;
        let begun = connection.execute_batch("BEGIN").map_err(Error::statement("beginning to read"));
        let result = begun.map_err(E::from).and_then(|()| f(&Reader { connection: &connection }));
        let ended = connection.execute_batch("COMMIT");
        if ended.is_ok() {
            let mut readers = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
        }
        result
    }

    /// Applies `f` as one transaction and waits until it is as durable as asked; an error from `f` undoes all of it.
    /// Blocks: from async code use [`Self::write_async`].
    ///
    /// # Errors
    /// Those of `f`, and of the commit.
    pub fn write<T, F>(&self, durability: Durability, f: F) -> Result<T>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.try_write(durability, f)
    }

    /// As [`Self::write`], with an error type of the caller's.
    ///
    /// # Errors
    /// Those of `f`, and of the commit.
    pub fn try_write<T, E, F>(&self, durability: Durability, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, result) = std::sync::mpsc::sync_channel(1);
        self.inner.writer.submit(Job::new(durability, f, move |r| drop(answer.send(r))))?;
        result.recv().map_err(|_| Error::Closed)?
    }

    /// As [`Self::write`], without blocking the caller's thread.
    ///
    /// # Errors
    /// Those of `f`, and of the commit.
    pub async fn write_async<T, F>(&self, durability: Durability, f: F) -> Result<T>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.try_write_async(durability, f).await
    }

    /// As [`Self::write_async`], with an error type of the caller's.
    ///
    /// # Errors
    /// Those of `f`, and of the commit.
    pub async fn try_write_async<T, E, F>(&self, durability: Durability, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, result) = tokio::sync::oneshot::channel();
        self.inner.writer.submit(Job::new(durability, f, move |r| drop(answer.send(r))))?;
        result.await.map_err(|_| Error::Closed)?
    }

    fn take_reader(&self) -> Result<Connection> {
        let idle = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
                .map_err(|source| Error::Open { path: self.inner.path.clone(), source }),
        }
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // A connection is used by one thread at a time: SQLite need not lock for us.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // 256 KiB of page cache a connection: the whole state is smaller than that on most hosts.
    connection.pragma_update(None, "cache_size", -256)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

fn prepare(connection: &Connection, path: &Path) -> Result<()> {
    let unopened = |source| Error::Open { path: path.to_owned(), source };
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unopened)?;
    if found > FORMAT {
        return Err(Error::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(unopened)?;
    // The writer checkpoints when it has nothing to do, so that no caller pays for it.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(unopened)?;
    if found < FORMAT {
        connection
            .execute_batch(
                "PRAGMA synchronous = FULL;
                 BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS record (
                   kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
                   PRIMARY KEY (kind, key)
                 ) WITHOUT ROWID;
                 PRAGMA user_version = 1;
                 COMMIT;",
            )
            .map_err(unopened)?;
    }
    Ok(())
}
