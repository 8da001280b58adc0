//! Telling at once that a process of the container was killed for lack of memory, be it init or another.

use std::time::{Duration, Instant};

use berth_cgroup::{Cgroup, OomWatch};
use rustix::event::PollFlags;
use rustix::event::epoll::EventFlags;

use crate::poller::{Poller, Token};

/// On cgroup v1 the news come before the kill: it is looked for so often, so far apart.
const LOOKS: u8 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// The container's memory, watched.
#[derive(Debug)]
pub(super) struct Memory {
    watch: OomWatch,
    kills: u64,
    looks: u8,
    next: Option<Instant>,
}

impl Memory {
    /// `None` where the kernel cannot tell: then it is told at init's end, if at all.
    pub(super) fn watched(cgroup: Option<&Cgroup>, poller: &Poller) -> Option<Self> {
        let watch = cgroup?.oom_watch().ok()?;
        let flags = if watch.readiness() == PollFlags::IN { EventFlags::IN } else { EventFlags::PRI };
        poller.add(&watch, Token::Memory, flags).ok()?;
        Some(Self { watch, kills: 0, looks: 0, next: None })
    }

    /// The kernel says that something happened; true: somebody was killed.
    pub(super) fn stirred(&mut self, cgroup: Option<&Cgroup>) -> bool {
        // What cannot be read will not be ready again.
        let _ = self.watch.drain();
        self.looks = LOOKS;
        self.look(cgroup)
    }

    /// Looks again where that is due; true: somebody was killed.
    pub(super) fn look_again(&mut self, cgroup: Option<&Cgroup>, now: Instant) -> bool {
        self.next.is_some_and(|due| due <= now) && self.look(cgroup)
    }

    /// True: somebody was killed since the last look, or since the container's start.
    pub(super) fn look(&mut self, cgroup: Option<&Cgroup>) -> bool {
        let kills = cgroup.and_then(|cgroup| cgroup.oom_kills().ok()).unwrap_or(self.kills);
        let killed = kills > self.kills;
        self.kills = kills;
        self.looks = if killed { 0 } else { self.looks.saturating_sub(1) };
        self.next = (self.looks > 0).then(|| Instant::now() + PAUSE);
        killed
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }
}
