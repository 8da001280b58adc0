//! Reading a log to its end and, where asked, beyond it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use super::files::Lines;
use super::{LogEntry, Verdict, judge, unreadable};
use crate::options::LogOptions;
use crate::view::ContainerView;
use crate::{Error, Result};

/// How often to look where the kernel has no watch to give.
const POLL: Duration = Duration::from_millis(200);

type Batches = mpsc::Sender<Result<Vec<LogEntry>>>;

pub(super) async fn read(
    path: PathBuf,
    options: LogOptions,
    mut container: watch::Receiver<Arc<ContainerView>>,
    batches: Batches,
) {
    // Watched before the first read, so that nothing is written unseen in between.
    let watch = if options.follow { Watch::new(&path) } else { None };
    let mut reader = None;
    loop {
        // Asked before reading: what a container wrote before it ended is in the file when its end is known.
        let alive = container.borrow_and_update().state.is_alive();
        let (back, batch) = match read_some(reader.take(), &path, &options).await {
            Ok(read) => read,
            Err(error) => {
                drop(batches.send(Err(error)).await);
                return;
            }
        };
        reader = Some(back);
        if !batch.entries.is_empty() && batches.send(Ok(batch.entries)).await.is_err() {
            return;
        }
        match batch.end {
            End::Over => return,
            End::Reached if !options.follow || !alive => return,
            End::Reached => {
                let until = sleep_until(options.until);
                tokio::select! {
                    () = Watch::changed(watch.as_ref()) => {}
                    _ = container.changed() => {}
                    () = until => return,
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

struct Batch {
    entries: Vec<LogEntry>,
    end: End,
}

async fn read_some(reader: Option<Lines>, path: &Path, options: &LogOptions) -> Result<(Lines, Batch)> {
    let (path, options) = (path.to_owned(), options.clone());
    let read = move || {
        let mut reader = match reader {
            Some(reader) => reader,
            None => Lines::open(&path, options.tail).map_err(unreadable(&path))?,
        };
        let lines = reader.batch().map_err(unreadable(&path))?;
        let mut batch = Batch {
            entries: Vec::with_capacity(lines.len()),
            end: if lines.is_empty() { End::Reached } else { End::More },
        };
        for line in lines {
            match judge(&line, &options) {
                Verdict::Give(entry) => batch.entries.push(entry),
                Verdict::Skip => {}
                Verdict::Over => {
                    batch.end = End::Over;
                    break;
                }
            }
        }
        Ok((reader, batch))
    };
    let joined = tokio::task::spawn_blocking(read).await;
    joined.map_err(|e| Error::Internal(format!("reading a log: {e}")))?
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
