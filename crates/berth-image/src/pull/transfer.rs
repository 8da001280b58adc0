//! Layers on their way in, shared between the pulls that want them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use berth_oci::{ChainId, Digest};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::layer::{Wanted, bring};
use super::source::Source;
use crate::store::Inner;
use crate::{Error, LayerPhase, Result};

/// Progress is told no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Every layer that is on its way in.
#[derive(Debug)]
pub(crate) struct Transfers {
    running: Mutex<HashMap<ChainId, Weak<Transfer>>>,
    /// A blob that two places want is fetched for one, and read by the other.
    blobs: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Replaced as a whole when another number is allowed; transfers under way keep their old slots.
    slots: Mutex<Arc<Semaphore>>,
}

/// One layer on its way in; stopped when the last pull that wants it lets go.
#[derive(Debug)]
pub(crate) struct Transfer {
    blob: Digest,
    reporter: Reporter,
    outcome: watch::Receiver<Option<Result<()>>>,
    task: JoinHandle<()>,
}

/// How a layer comes to be here.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is.
    Here,
    /// It is coming.
    Coming(Arc<Transfer>),
}

impl Transfers {
    pub(crate) fn new(at_once: usize) -> Self {
        let slots = Mutex::new(Arc::new(Semaphore::new(at_once.max(1))));
        Self { running: Mutex::default(), blobs: Mutex::default(), slots }
    }

    /// So many at once from now on.
    pub(crate) fn allow(&self, at_once: usize) {
        *lock(&self.slots) = Arc::new(Semaphore::new(at_once.max(1)));
    }

    /// The layer if it is here, or its transfer, begun now unless somebody else has begun it. The caller has leased
    /// the layer.
    pub(crate) fn find(&self, inner: &Arc<Inner>, source: &Arc<dyn Source>, wanted: Wanted) -> Result<Found> {
        let mut running = lock(&self.running);
        if let Some(transfer) = running.get(&wanted.chain).and_then(Weak::upgrade)
            && !transfer.has_failed()
        {
            return Ok(Found::Coming(transfer));
        }
        if inner.has_layer(&wanted.chain)? {
            return Ok(Found::Here);
        }
        running.retain(|_, transfer| transfer.strong_count() > 0);
        let chain = wanted.chain.clone();
        let transfer = Arc::new(self.begin(inner, source, wanted));
        running.insert(chain, Arc::downgrade(&transfer));
        Ok(Found::Coming(transfer))
    }

    fn begin(&self, inner: &Arc<Inner>, source: &Arc<dyn Source>, wanted: Wanted) -> Transfer {
        let (outcome, receiver) = watch::channel(None);
        let reporter = Reporter::default();
        reporter.phase(LayerPhase::PullingFsLayer);
        let blob = wanted.blob.digest.clone();
        let (inner, source, slots) = (inner.clone(), source.clone(), lock(&self.slots).clone());
        let turn = self.turn(&blob);
        let telling = reporter.clone();
        let task = tokio::spawn(async move {
            let _turn = turn.lock().await;
            if slots.available_permits() == 0 {
                telling.phase(LayerPhase::Waiting);
            }
            let slot = slots.acquire_owned().await.ok();
            let result = bring(inner, source, wanted, telling, slot).await;
            outcome.send_replace(Some(result));
        });
        Transfer { blob, reporter, outcome: receiver, task }
    }

    fn turn(&self, blob: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut blobs = lock(&self.blobs);
        blobs.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = blobs.get(blob).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        blobs.insert(blob.clone(), Arc::downgrade(&turn));
        turn
    }
}

impl Transfer {
    /// Its phases from now on, the present one first. The stream ends with the transfer.
    pub(crate) fn phases(&self) -> mpsc::UnboundedReceiver<LayerPhase> {
        self.reporter.listen()
    }

    /// Waits for its end.
    pub(crate) async fn finished(&self) -> Result<()> {
        let mut outcome = self.outcome.clone();
        let result = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        match result {
            Ok(Some(result)) => result,
            _ => Err(Error::Cancelled(self.blob.clone())),
        }
    }

    fn has_failed(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(result) => result.is_err(),
            None => self.task.is_finished(),
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells listeners where a layer is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reporter {
    inner: Arc<Mutex<Reports>>,
    downloaded: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Reports {
    last: Option<LayerPhase>,
    told: Option<Instant>,
    listeners: Vec<mpsc::UnboundedSender<LayerPhase>>,
}

impl Reporter {
    /// Another phase.
    pub(crate) fn phase(&self, phase: LayerPhase) {
        if phase == LayerPhase::DownloadComplete {
            self.downloaded.store(true, Ordering::Relaxed);
        }
        let mut reports = lock(&self.inner);
        reports.told = None;
        reports.tell(phase);
    }

    /// The same phase, further on.
    pub(crate) fn progress(&self, phase: LayerPhase) {
        let mut reports = lock(&self.inner);
        if reports.told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
            reports.told = Some(Instant::now());
            reports.tell(phase);
        }
    }

    /// Unpacking goes on beside the download; it is told of only when that is done.
    pub(crate) fn extracted(&self, current: u64, total: u64) {
        if self.downloaded.load(Ordering::Relaxed) {
            self.progress(LayerPhase::Extracting { current, total });
        }
    }

    fn listen(&self) -> mpsc::UnboundedReceiver<LayerPhase> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut reports = lock(&self.inner);
        if let Some(last) = reports.last {
            let _ = sender.send(last);
        }
        reports.listeners.push(sender);
        receiver
    }
}

impl Reports {
    fn tell(&mut self, phase: LayerPhase) {
        self.last = Some(phase);
        self.listeners.retain(|listener| listener.send(phase).is_ok());
    }
}
