//! A blob by itself, without what is in it.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use berth_content::Ingest;
use berth_oci::Descriptor;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::layer::{QUEUE, begin, joined, receive, write_blob};
use super::source::Source;
use super::transfer::Reporter;
use crate::store::Inner;
use crate::{Error, Result};

/// Brings a blob here, durably, and goes on with what an earlier try has left. The caller has leased it.
pub(crate) async fn fetch(inner: &Arc<Inner>, source: &dyn Source, blob: &Descriptor) -> Result<()> {
    let Some(ingest) = begin(inner, blob, false).await? else { return Ok(()) };
    let resumed = ingest.unread() > 0;
    match fetch_from(source, blob, ingest).await {
        Err(Error::LayerVerification(_)) if resumed => {}
        done => return done,
    }
    // What was here was wrong.
    match begin(inner, blob, true).await? {
        Some(ingest) => fetch_from(source, blob, ingest).await,
        None => Ok(()),
    }
}

async fn fetch_from(source: &dyn Source, blob: &Descriptor, ingest: Ingest) -> Result<()> {
    let from = ingest.unread();
    let (network, pieces) = mpsc::channel::<Bytes>(QUEUE);
    // Nobody unpacks it.
    let (next, _) = sync_channel(0);
    let descriptor = blob.clone();
    let writer = tokio::task::spawn_blocking(move || {
        write_blob(ingest, &descriptor, pieces, &next)?.publish().map_err(Error::from)
    });
    let received = match from < blob.size {
        true => receive(source, blob, from, network, &Reporter::default()).await,
        false => {
            drop(network);
            Ok(())
        }
    };
    let written = joined(writer.await)?;
    received?;
    written
}
