//! A container's connection to its shim, driven by the container's task.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use berth_shim::client::{ClientError, Connection};
use berth_shim::protocol::{ChannelError, Incoming, Request};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::task::JoinHandle;

use crate::ground::Ground;

/// The connection, and what its answers are awaited for.
#[derive(Debug)]
pub(super) struct Link<P> {
    connection: AsyncFd<Connection>,
    pending: HashMap<u64, P>,
}

impl<P> Link<P> {
    pub(super) fn new(connection: Connection) -> io::Result<Self> {
        Ok(Self { connection: crate::readiness::register(connection)?, pending: HashMap::new() })
    }

    /// Sends a request; its answer will be given with `then`. What the socket does not take at once is sent by [`Self::next`].
    pub(super) fn send(
        &mut self,
        request: Request,
        descriptors: Vec<OwnedFd>,
        then: P,
    ) -> Result<(), (P, ClientError)> {
        match self.connection.get_mut().send(request, descriptors) {
            Ok(seq) => {
                self.pending.insert(seq, then);
                Ok(())
            }
            Err(error) => Err((then, error)),
        }
    }

    /// What awaited the answer to request `seq`.
    pub(super) fn awaited(&mut self, seq: u64) -> Option<P> {
        self.pending.remove(&seq)
    }

    /// Everything that still awaits an answer, when there will be none.
    pub(super) fn abandon(&mut self) -> Vec<P> {
        self.pending.drain().map(|(_, then)| then).collect()
    }

    /// The next message. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Incoming, ClientError> {
        loop {
            if let Some(incoming) = self.connection.get_mut().try_receive()? {
                return Ok(incoming);
            }
            let writing = self.connection.get_ref().has_outgoing();
            let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let mut guard = self.connection.ready_mut(interest).await.map_err(lost)?;
            let ready = guard.ready();
            if writing && ready.is_writable() && !guard.get_inner_mut().flush()? {
                guard.clear_ready_matching(Ready::WRITABLE);
            }
            if ready.is_readable() {
                match guard.get_inner_mut().try_receive()? {
                    Some(incoming) => return Ok(incoming),
                    None => guard.clear_ready_matching(Ready::READABLE),
                }
            }
        }
    }

    /// Reaps the shim once it is gone, and with it the cgroup; off the container's path.
    pub(super) fn retire(mut self, ground: Arc<Ground>) -> JoinHandle<()>
    where
        P: Send + 'static,
    {
        ground.leaving.send_modify(|shims| *shims += 1);
        tokio::spawn(async move {
            while self.next().await.is_ok() {}
            let mut connection = self.connection.into_inner();
            // The shim has closed its end: it is a zombie in a moment, if it is not one already.
            drop(tokio::task::spawn_blocking(move || connection.reap()).await);
            ground.leaving.send_modify(|shims| *shims -= 1);
        })
    }
}

fn lost(error: io::Error) -> ClientError {
    ClientError::Channel(ChannelError::Receive(error))
}
