//! A container's log: what drivers there are, what the shim is told of one, and the files read back.
//!
//! The shim writes; here is only read. Entries are rendered where they are read: a long log is never a list of values. Start
//! reading at `driver.rs` (the table of drivers and options) or `follow.rs` (how a log is read).

mod driver;
mod entry;
mod files;
mod follow;
mod plan;
mod segment;
mod select;
mod syslog;
mod tag;

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, watch};

use crate::options::LogOptions;
use crate::spec::LogSpec;
use crate::view::ContainerView;
use crate::{Error, Result};

pub use driver::check;
pub use entry::{LogEntry, OutputStream};
pub(crate) use plan::plan;
pub(crate) use tag::Subject;

/// How an entry is written for whoever asked.
pub type Render = Arc<dyn Fn(&LogEntry<'_>, &mut Vec<u8>) + Send + Sync>;

/// Rendered entries in the order in which they were written, many at once.
#[derive(Debug)]
pub struct LogStream {
    batches: mpsc::Receiver<Result<Vec<u8>>>,
}

impl LogStream {
    /// The next entries; `None`: there are no more (with `follow`: the container has ended).
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        self.batches.recv().await
    }

    /// As [`Self::next`], for implementing a stream over it.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        self.batches.poll_recv(context)
    }
}

/// Starts reading; `container` tells when following is over.
///
/// # Errors
/// Nothing is kept of the log; a pattern that is none.
pub(crate) fn read(
    log: &LogSpec,
    options: &LogOptions,
    container: watch::Receiver<Arc<ContainerView>>,
    render: Render,
) -> Result<LogStream> {
    let kept = plan::file(log, &container.borrow().paths)?;
    let Some((path, format)) = kept else {
        return Err(Error::Unsupported("configured logging driver does not support reading".into()));
    };
    let selection = select::Selection::new(options)?;
    let (sender, batches) = mpsc::channel(4);
    let source = follow::Source { path, format, follow: options.follow, until: options.until, selection, render };
    tokio::spawn(follow::read(source, container, sender));
    Ok(LogStream { batches })
}
