//! Reading a log to its end and, where asked, beyond it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use super::Render;
use super::entry::Format;
use super::files::Entries;
use super::select::Selection;
use crate::view::ContainerView;
use crate::{Error, Result};

/// How often to look where the kernel has no watch to give.
const POLL: Duration = Duration::from_millis(200);

/// What is given out at once, about.
const BATCH: usize = 128 << 10;

pub(super) type Batches = mpsc::Sender<Result<Vec<u8>>>;

/// A log to be read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) follow: bool,
    pub(super) until: Option<Timestamp>,
    pub(super) selection: Selection,
    pub(super) render: Render,
}

pub(super) async fn read(source: Source, mut container: watch::Receiver<Arc<ContainerView>>, batches: Batches) {
    // Watched before the first read, so that nothing is written unseen in between.
    let watch = if source.follow { Watch::new(&source.path) } else { None };
    let (follow, until) = (source.follow, source.until);
    let mut reader = Some(Reader { source, entries: None });
    while let Some(reading) = reader.take() {
        // Asked before reading: what a container wrote before it ended is in the file when its end is known.
        let alive = container.borrow_and_update().state.is_alive();
        let (bytes, end) = match reading.some().await {
            Ok((back, bytes, end)) => {
                reader = Some(back);
                (bytes, end)
            }
            Err(error) => {
                drop(batches.send(Err(error)).await);
                return;
            }
        };
        if !bytes.is_empty() && batches.send(Ok(bytes)).await.is_err() {
            return;
        }
        match end {
            End::Over => return,
            End::Reached if !follow || !alive => return,
            End::Reached => {
                tokio::select! {
                    () = Watch::changed(watch.as_ref()) => {}
                    changed = container.changed() => {
                        if changed.is_err() {
                            return;
                        }
                    }
                    () = sleep_until(until) => return,
                    () = batches.closed() => return,
                }
            }
            End::More => {}
        }
    }
}

async fn sleep_until(time: Option<Timestamp>) {
    let Some(time) = time else { return std::future::pending().await };
    let left = time.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}

enum End {
    /// There may be more right away.
    More,
    /// That is all that is there by now.
    Reached,
    /// What follows is not wanted.
    Over,
}

struct Reader {
    source: Source,
    /// `None` until it is opened.
    entries: Option<Entries>,
}

impl Reader {
    async fn some(self) -> Result<(Self, Vec<u8>, End)> {
        let joined = tokio::task::spawn_blocking(move || self.read()).await;
        joined.map_err(|e| Error::Internal(format!("reading a log: {e}")))?
    }

    fn read(mut self) -> Result<(Self, Vec<u8>, End)> {
        let Source { path, format, selection, render, .. } = &mut self.source;
        let unreadable = |error| Error::file("reading the log", path.as_path())(error);
        let mut entries = match self.entries.take() {
            Some(entries) => entries,
            None => Entries::open(path, *format, selection.tail_of_file()).map_err(unreadable)?,
        };
        let (mut bytes, mut end) = (Vec::with_capacity(BATCH * 2), End::More);
        while bytes.len() < BATCH && matches!(end, End::More) {
            let more = entries.read(|entry| {
                let Some(entry) = format.read(entry) else { return true };
                selection.take(&entry, render, &mut bytes)
            });
            if !more.map_err(unreadable)? {
                end = End::Reached;
                selection.caught_up(&mut bytes);
            }
            if selection.is_over() {
                selection.caught_up(&mut bytes);
                end = End::Over;
            }
        }
        self.entries = Some(entries);
        Ok((self, bytes, end))
    }
}

/// The kernel's word that something was written to the log's directory.
struct Watch {
    inotify: AsyncFd<OwnedFd>,
}

impl Watch {
    fn new(path: &Path) -> Option<Self> {
        let inotify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).ok()?;
        let flags = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&inotify, path.parent()?, flags).ok()?;
        Some(Self { inotify: crate::readiness::register(inotify).ok()? })
    }

    async fn changed(watch: Option<&Self>) {
        let Some(Self { inotify }) = watch else { return tokio::time::sleep(POLL).await };
        let Ok(mut guard) = inotify.readable().await else { return tokio::time::sleep(POLL).await };
        let mut events = [0_u8; 4096];
        while rustix::io::read(guard.get_inner(), &mut events).is_ok_and(|n| n > 0) {}
        guard.clear_ready();
    }
}
