//! A request's body for a thread that blocks: one task reads it from the connection and hands its pieces over.

use std::io;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc::Sender;

/// Pieces between the connection and the disk.
pub(crate) const QUEUE: usize = 8;

/// Reads a body to its end, and gives it to whoever takes it for as long as it is taken: what comes after a failure is
/// read all the same, for a client that cannot send its body reads no answer.
pub(crate) async fn pump(body: &mut Incoming, sender: Sender<io::Result<Bytes>>) {
    let mut wanted = true;
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => frame.into_data().map(Ok).ok(),
            Err(error) => Some(Err(io::Error::other(error))),
        };
        let failed = matches!(piece, Some(Err(_)));
        if let Some(piece) = piece.filter(|_| wanted) {
            wanted = sender.send(piece).await.is_ok();
        }
        if failed {
            return;
        }
    }
}

/// Reads a body that nobody wants, so that its sender reads the answer.
pub(crate) async fn drain(body: &mut Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
