//! Hears when anybody changes nftables, and settles again.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use super::Firewall;
use crate::netlink::Socket;
use crate::{Error, Result};

/// `NFNLGRP_NFTABLES` as a bit of the old-style group mask.
const GROUP: u32 = 1 << 6;

/// Changes come in bursts (a dockerd makes some thirty when it starts): wait until one is over.
const QUIET: Duration = Duration::from_millis(20);

/// How many times it is waited for quiet, should it never come.
const PATIENCE: usize = 50;

/// The watching thread; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: OwnedFd,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Watches the network namespace of the calling thread.
    pub(crate) fn start(firewall: Arc<Firewall>) -> Result<Self> {
        let failed = |source| Error::Firewall { doing: "watching", object: "the rules".into(), source };
        let socket = Socket::netfilter(GROUP).map_err(failed)?;
        let stop = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
        let stopped = stop.try_clone().map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("net-watch".into())
            .spawn(move || watch(&firewall, &socket, &stopped))
            .map_err(|source| Error::Thread { source })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Adding one to an event counter cannot fail.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn watch(firewall: &Firewall, socket: &Socket, stop: &OwnedFd) {
    while wait(socket, stop, None) == Some(Heard::Change) {
        for _ in 0..PATIENCE {
            socket.drain();
            if wait(socket, stop, Some(QUIET)) != Some(Heard::Change) {
                break;
            }
        }
        if let Err(error) = firewall.settle() {
            tracing::warn!(%error, "putting the firewall right");
        }
    }
}

#[derive(PartialEq, Eq)]
enum Heard {
    Change,
    Stop,
}

/// `None`: nothing within `limit`.
fn wait(socket: &Socket, stop: &OwnedFd, limit: Option<Duration>) -> Option<Heard> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    loop {
        let mut fds = [PollFd::new(stop, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        match rustix::event::poll(&mut fds, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Some(Heard::Stop),
            Ok(_) => {}
        }
        return if !fds[0].revents().is_empty() {
            Some(Heard::Stop)
        } else if !fds[1].revents().is_empty() {
            Some(Heard::Change)
        } else {
            None
        };
    }
}
