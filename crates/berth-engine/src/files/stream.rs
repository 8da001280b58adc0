//! Archives between a blocking thread, which makes or takes them, and everybody else.

use std::io;

use berth_archive::{Joined, Output, Writer};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Pieces under way; each is a quarter of a megabyte.
const QUEUE: usize = 8;

/// An archive as it is made. Dropping it ends the making; an error is its last piece.
#[derive(Debug)]
pub struct Archive {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
}

impl Archive {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.pieces.recv().await
    }
}

/// An archive's pieces, from whoever has it; an error says that the rest will not come.
pub type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// Makes an archive on a thread of its own.
pub(super) fn of<F>(make: F) -> Archive
where
    F: FnOnce(&mut Writer<&mut dyn Output>) -> io::Result<()> + Send + 'static,
{
    let (sender, pieces) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut out = berth_archive::Pieces::new(|piece| sender.blocking_send(Ok(piece)).map_err(|_| gone()));
        let mut writer = Writer::new(&mut out as &mut dyn Output);
        let made = make(&mut writer).and_then(|()| writer.finish().map(drop)).and_then(|()| out.finish());
        match made {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                tracing::warn!(%error, "making an archive of a container's files");
                drop(sender.blocking_send(Err(error)));
            }
            _ => {}
        }
    });
    Archive { pieces }
}

/// The same as a reader; it must be read on a thread that may block.
pub(super) fn reader(mut pieces: Pieces) -> Joined<Bytes> {
    Joined::new(move || pieces.blocking_recv())
}
