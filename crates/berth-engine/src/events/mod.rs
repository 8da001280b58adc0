//! What happened, as it happened: broadcast, and the latest kept for those who ask what was before; older ones, and those
//! of the daemon before this one, are in the [`journal`].

mod journal;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;

use journal::Journal;

/// Events kept in memory, as many as Docker keeps.
const KEPT: usize = 256;

/// Events a slow subscriber may lag behind before it loses some.
const BACKLOG: usize = 1024;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// The daemon.
    Daemon,
}

impl EventKind {
    /// Docker's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Daemon => "daemon",
        }
    }

    /// The kind that goes by this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Container, Self::Image, Self::Network, Self::Volume, Self::Daemon]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// To what kind of thing.
    pub kind: EventKind,
    /// Docker's word for what happened (`start`, `exec_create: sh -c true`).
    pub action: String,
    /// The thing's id.
    pub id: String,
    /// What else is known (`image`, `name`, `exitCode`, labels, …).
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// The stream of events; a cheap clone is the same stream.
#[derive(Debug, Clone)]
pub struct Events {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Also orders publishing against subscribing, so that none is given twice or lost between past and future.
    kept: Mutex<VecDeque<Arc<Event>>>,
    live: broadcast::Sender<Arc<Event>>,
    journal: Option<Journal>,
}

/// What a subscriber gets: the past it asked for, then what comes.
#[derive(Debug)]
pub struct Subscription {
    past: VecDeque<Arc<Event>>,
    live: broadcast::Receiver<Arc<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Self::over(None)
    }
}

impl Events {
    /// Events that the next daemon can read in this file. Needs the event loop.
    pub(crate) fn open(path: std::path::PathBuf) -> Self {
        Self::over(Some(Journal::open(path)))
    }

    fn over(journal: Option<Journal>) -> Self {
        let live = broadcast::channel(BACKLOG).0;
        Self { inner: Arc::new(Inner { kept: Mutex::default(), live, journal }) }
    }

    /// Returns when everything published so far is written.
    pub(crate) async fn flush(&self) {
        if let Some(journal) = &self.inner.journal {
            journal.flush().await;
        }
    }

    /// Says that something happened, now.
    pub fn publish(&self, kind: EventKind, action: impl Into<String>, id: &str, attributes: BTreeMap<String, String>) {
        let mut kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (action, id) = (action.into(), id.to_owned());
        let event = Arc::new(Event { kind, action, id, attributes, time: Timestamp::now() });
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        if let Some(journal) = &self.inner.journal {
            journal.append(event.clone());
        }
        // Nobody listening is no error.
        drop(self.inner.live.send(event));
    }

    /// Everything from now on, and before it what is kept from `since` on, in memory and on disk.
    pub async fn replay(&self, since: Option<Timestamp>) -> Subscription {
        let mut subscription = self.subscribe(since);
        let Some((since, journal)) = since.zip(self.inner.journal.as_ref()) else { return subscription };
        // In memory are the latest of this daemon: whatever is older is on disk only.
        let oldest = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner).front().map(|event| event.time);
        if oldest.is_none_or(|oldest| since < oldest) {
            let first = subscription.past.front().map(|event| event.time);
            let mut past: VecDeque<Arc<Event>> = journal.read(since, first).await.into();
            past.append(&mut subscription.past);
            subscription.past = past;
        }
        subscription
    }

    /// Everything from now on, and before it what is in memory from `since` on.
    #[must_use]
    pub fn subscribe(&self, since: Option<Timestamp>) -> Subscription {
        let kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let past = since.map(|since| kept.iter().filter(|e| e.time >= since).cloned().collect()).unwrap_or_default();
        Subscription { past, live: self.inner.live.subscribe() }
    }
}

impl Subscription {
    /// The next kept event, without waiting; `None`: the past is over.
    pub fn next_past(&mut self) -> Option<Arc<Event>> {
        self.past.pop_front()
    }

    /// The next event. `None`: the engine is gone. A subscriber that fell behind goes on with the oldest it can have.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        if let Some(event) = self.past.pop_front() {
            return Some(event);
        }
        loop {
            match self.live.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "a subscriber of events fell behind");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[tokio::test]
    async fn past_then_live_none_twice() {
        let events = Events::default();
        let before = Timestamp::now();
        events.publish(EventKind::Container, "create", "a", BTreeMap::new());
        let mut all = events.subscribe(Some(before));
        let mut new = events.subscribe(None);
        events.publish(EventKind::Container, "start", "a", BTreeMap::new());
        assert_eq!(all.next().await.unwrap().action, "create");
        assert_eq!(all.next().await.unwrap().action, "start");
        assert_eq!(new.next().await.unwrap().action, "start");
        assert!(all.next_past().is_none());
    }

    #[test]
    fn only_the_latest_are_kept() {
        let events = Events::default();
        for n in 0..KEPT + 5 {
            events.publish(EventKind::Image, n.to_string(), "a", BTreeMap::new());
        }
        let mut past = events.subscribe(Some(Timestamp::UNIX_EPOCH));
        assert_eq!(past.next_past().unwrap().action, "5");
        assert_eq!(std::iter::from_fn(|| past.next_past()).count(), KEPT - 1);
    }
}
