//! A push: what stands between an image that is here and a name at a registry.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// How many layers go out at once.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// Replaced as a whole when another number is allowed; uploads under way keep their old slots.
    slots: Mutex<Arc<Semaphore>>,
}

impl Uploads {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { slots: Mutex::new(Arc::new(Semaphore::new(at_once.max(1)))) }
    }

    /// So many at once from now on.
    pub(crate) fn allow(&self, at_once: usize) {
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Semaphore::new(at_once.max(1)));
    }
}
