//! Events on disk, for the next daemon: two files of JSON lines, the older one thrown away when the newer is full.
//!
//! Written by a task of its own, which nobody waits for, and never synced: what a `kill -9` leaves is all but the last few
//! moments, and what a loss of power takes is history that nobody was promised.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::{Event, EventKind};

/// Bytes at which a file is full: some thousand events.
const FULL: u64 = 512 << 10;

/// Events written with one call.
const BATCH: usize = 64;

/// An event as a line. Names are short: each line bears them.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    t: Timestamp,
    k: String,
    a: String,
    i: String,
    #[serde(default)]
    m: BTreeMap<String, String>,
}

/// What the writer is given.
#[derive(Debug)]
enum Item {
    Event(Arc<Event>),
    /// Answered when everything before it is in the file.
    Flush(oneshot::Sender<()>),
}

/// Where events go, and come back from.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    path: PathBuf,
    items: mpsc::UnboundedSender<Item>,
}

impl Journal {
    /// Begins to write to `path` and, when that is full, to a new file of that name. Needs the event loop.
    pub(super) fn open(path: PathBuf) -> Self {
        let (items, inbox) = mpsc::unbounded_channel();
        tokio::spawn(write(path.clone(), inbox));
        Self { path, items }
    }

    pub(super) fn append(&self, event: Arc<Event>) {
        // The writer lives as long as there is somebody to send.
        drop(self.items.send(Item::Event(event)));
    }

    /// Returns when everything appended so far is in the file.
    pub(super) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.items.send(Item::Flush(done)).is_ok() {
            drop(wait.await);
        }
    }

    /// What happened from `since` on and before `until`, as far as it is kept.
    pub(super) async fn read(&self, since: Timestamp, until: Option<Timestamp>) -> Vec<Arc<Event>> {
        self.flush().await;
        let path = self.path.clone();
        let wanted = move |event: &Event| event.time >= since && until.is_none_or(|until| event.time < until);
        let read = move || {
            let mut events: Vec<Arc<Event>> = lines(&older(&path)).chain(lines(&path)).map(Arc::new).collect();
            events.retain(|event| wanted(event));
            events
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}

/// The full file.
fn older(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// The events of a file; what cannot be read as one (the end of a line that a crash cut off) is left out.
fn lines(path: &Path) -> impl Iterator<Item = Event> + use<> {
    let file = File::open(path).ok().map(BufReader::new);
    file.into_iter().flat_map(|file| file.split(b'\n').map_while(Result::ok)).filter_map(|line| {
        let Line { t, k, a, i, m } = serde_json::from_slice(&line).ok()?;
        Some(Event { kind: EventKind::parse(&k)?, action: a, id: i, attributes: m, time: t })
    })
}

fn line(event: &Event) -> Vec<u8> {
    let line = Line {
        t: event.time,
        k: event.kind.as_str().to_owned(),
        a: event.action.clone(),
        i: event.id.clone(),
        m: event.attributes.clone(),
    };
    // Strings and a time: this cannot fail.
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    text
}

async fn write(path: PathBuf, mut inbox: mpsc::UnboundedReceiver<Item>) {
    let mut file = Current { path, open: None, broken: false };
    let mut items = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut items, BATCH).await > 0 {
        let (mut text, mut flushed) = (Vec::new(), Vec::new());
        for item in items.drain(..) {
            match item {
                Item::Event(event) => text.extend(line(&event)),
                Item::Flush(done) => flushed.push(done),
            }
        }
        if !text.is_empty() {
            // A few microseconds: it goes to the page cache.
            file.append(&text);
        }
        for done in flushed {
            // Who has gone away need not know.
            let _ = done.send(());
        }
    }
}

/// The file that is being written.
struct Current {
    path: PathBuf,
    open: Option<(File, u64)>,
    /// It has been told that it cannot be written.
    broken: bool,
}

impl Current {
    fn append(&mut self, text: &[u8]) {
        let written = self.try_append(text);
        if let Err(error) = &written {
            self.open = None;
            if !self.broken {
                tracing::warn!(%error, path = %self.path.display(), "events cannot be kept for the next daemon");
            }
        }
        self.broken = written.is_err();
    }

    fn try_append(&mut self, text: &[u8]) -> std::io::Result<()> {
        if self.open.as_ref().is_some_and(|(_, size)| *size >= FULL) {
            self.open = None;
            std::fs::rename(&self.path, older(&self.path))?;
        }
        let (file, size) = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(open(&self.path)?),
        };
        file.write_all(text)?;
        *size += text.len() as u64;
        Ok(())
    }
}

/// Opens it for appending. A line that was cut off is ended, so that it does not take the next one with it.
fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    let mut size = file.metadata()?.len();
    if size > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            size += 1;
        }
    }
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn event(number: usize) -> Arc<Event> {
        let attributes = [("name".to_owned(), "x".repeat(200))].into();
        let (action, id) = (number.to_string(), "a\nb".to_owned());
        Arc::new(Event { kind: EventKind::Container, action, id, attributes, time: Timestamp::now() })
    }

    fn actions(events: &[Arc<Event>]) -> Vec<&str> {
        events.iter().map(|event| event.action.as_str()).collect()
    }

    fn home(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("berth-journal-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        path.join("events.jsonl")
    }

    #[tokio::test]
    async fn the_next_one_reads_what_this_one_wrote_and_a_torn_line_harms_nobody() {
        let path = home("next");
        let journal = Journal::open(path.clone());
        journal.append(event(1));
        journal.flush().await;
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":\"2026-").unwrap();
        let journal = Journal::open(path.clone());
        let second = event(2);
        journal.append(second.clone());
        let all = journal.read(Timestamp::UNIX_EPOCH, None).await;
        assert_eq!(actions(&all), ["1", "2"]);
        assert_eq!(all[1], second);
        assert_eq!(actions(&journal.read(second.time, None).await), ["2"]);
        assert_eq!(actions(&journal.read(Timestamp::UNIX_EPOCH, Some(second.time)).await), ["1"]);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[tokio::test]
    async fn it_is_bounded_and_keeps_the_latest() {
        let path = home("bounded");
        let journal = Journal::open(path.clone());
        let count = 8000;
        for number in 0..count {
            journal.append(event(number));
        }
        let all = journal.read(Timestamp::UNIX_EPOCH, None).await;
        let numbers: Vec<usize> = all.iter().map(|event| event.action.parse().unwrap()).collect();
        assert!(numbers.len() > 1000 && numbers.len() < count, "{}", numbers.len());
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers.last() == Some(&(count - 1)));
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
        assert!(size(&path) + size(&older(&path)) < 2 * (FULL + BATCH as u64 * 400));
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_written_stops_nothing() {
        let journal = Journal::open(PathBuf::from("/proc/nosuch/events.jsonl"));
        journal.append(event(1));
        journal.append(event(2));
        assert!(journal.read(Timestamp::UNIX_EPOCH, None).await.is_empty());
    }
}
