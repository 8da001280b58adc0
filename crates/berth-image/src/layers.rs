//! The directories under `layers/`: one for each unpacked layer, those on their way in, and those on their way out.
//!
//! ```text
//! layers/<chain id, hex>/diff    a layer
//! layers/incoming/<n>            being unpacked
//! layers/trash/<n>               being removed, off everybody's path
//! layers/empty                   what an image of no layers mounts
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use berth_oci::ChainId;

use crate::{Error, Result};

const INCOMING: &str = "incoming";
const TRASH: &str = "trash";
const EMPTY: &str = "empty";

/// The layers directory.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    next: AtomicU64,
    syncs: Mutex<Syncs>,
    synced: Condvar,
}

/// Turns of `syncfs`: whoever asks while one runs waits for the next, which serves all that wait.
#[derive(Debug, Default)]
struct Syncs {
    begun: u64,
    done: u64,
    running: bool,
}

impl Layers {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for name in [INCOMING, TRASH, EMPTY] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(Error::file("making", &path))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                next: AtomicU64::new(0),
                syncs: Mutex::default(),
                synced: Condvar::new(),
            }),
        })
    }

    /// Where a layer's files are.
    pub(crate) fn diff(&self, chain: &ChainId) -> PathBuf {
        self.inner.root.join(chain.hex()).join("diff")
    }

    /// A stack's directories, topmost first.
    pub(crate) fn lowers(&self, chains: &[ChainId]) -> Vec<PathBuf> {
        if chains.is_empty() {
            return vec![self.inner.root.join(EMPTY)];
        }
        chains.iter().rev().map(|chain| self.diff(chain)).collect()
    }

    /// A fresh directory for a layer on its way in.
    pub(crate) fn incoming(&self) -> Result<Incoming> {
        let path = self.inner.root.join(INCOMING).join(self.unique());
        let diff = path.join("diff");
        fs::create_dir_all(&diff).map_err(Error::file("making", &diff))?;
        Ok(Incoming { layers: self.clone(), path, done: false })
    }

    /// Whether a layer's files are here.
    pub(crate) fn exists(&self, chain: &ChainId) -> bool {
        self.inner.root.join(chain.hex()).exists()
    }

    /// What there is, whether it is recorded or not: layers, by the digits of their chain ids.
    pub(crate) fn list(&self) -> Result<BTreeSet<String>> {
        let ours = |name: &String| ![INCOMING, TRASH, EMPTY].contains(&name.as_str());
        Ok(names(&self.inner.root)?.into_iter().filter(ours).collect())
    }

    /// Names of what is on its way in, of this process (`<pid>-<n>`) and of others that are no more.
    pub(crate) fn unfinished(&self) -> Result<Vec<String>> {
        names(&self.inner.root.join(INCOMING))
    }

    /// Takes layers out of sight at once and removes them in the background.
    pub(crate) fn discard(&self, chains: &[ChainId]) {
        for chain in chains {
            self.trash(&self.inner.root.join(chain.hex()));
        }
        if !chains.is_empty() {
            self.empty_trash();
        }
    }

    /// Removes every directory that is neither known nor ours.
    pub(crate) fn sweep(&self, known: &BTreeSet<&str>) -> Result<()> {
        let list = |path: &Path| fs::read_dir(path).map_err(Error::file("listing", path));
        for entry in list(&self.inner.root.join(INCOMING))?.flatten() {
            self.trash(&entry.path());
        }
        for entry in list(&self.inner.root)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = [INCOMING, TRASH, EMPTY].contains(&name.as_ref());
            if !ours && !known.contains(format!("sha256:{name}").as_str()) {
                self.trash(&entry.path());
            }
        }
        self.empty_trash();
        Ok(())
    }

    /// Makes everything written to this file system so far durable. Blocks.
    ///
    /// One call for a whole layer instead of one for each of its files, and one for all layers that end together.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut syncs = self.inner.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = syncs.begun + 1;
        loop {
            if syncs.done >= mine {
                return Ok(());
            }
            if syncs.running {
                syncs = self.inner.synced.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncs.running = true;
            syncs.begun += 1;
            let turn = syncs.begun;
            drop(syncs);
            let result = self.sync_now();
            syncs = self.inner.syncs.lock().unwrap_or_else(PoisonError::into_inner);
            syncs.running = false;
            if result.is_ok() {
                syncs.done = turn;
            }
            self.inner.synced.notify_all();
            result?;
        }
    }

    fn sync_now(&self) -> Result<()> {
        let root = &self.inner.root;
        let directory = File::open(root).map_err(Error::file("opening", root))?;
        rustix::fs::syncfs(&directory).map_err(Error::file("syncing", root))
    }

    fn trash(&self, path: &Path) {
        let target = self.inner.root.join(TRASH).join(self.unique());
        if let Err(error) = fs::rename(path, &target) {
            tracing::warn!(path = %path.display(), %error, "a layer could not be moved to the trash");
        }
    }

    fn empty_trash(&self) {
        crate::trash::empty_in_background(self.inner.root.join(TRASH));
    }

    fn unique(&self) -> String {
        format!("{}-{}", std::process::id(), self.inner.next.fetch_add(1, Ordering::Relaxed))
    }
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).map_err(Error::file("listing", directory))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// A layer being unpacked; dropped, it goes to the trash.
#[derive(Debug)]
pub(crate) struct Incoming {
    layers: Layers,
    path: PathBuf,
    done: bool,
}

impl Incoming {
    /// Where its files go.
    pub(crate) fn diff(&self) -> PathBuf {
        self.path.join("diff")
    }

    /// Gives it its name; its files are durable already. An unrecorded directory of that name is replaced.
    pub(crate) fn publish(mut self, chain: &ChainId) -> Result<()> {
        let target = self.layers.inner.root.join(chain.hex());
        if target.exists() {
            self.layers.trash(&target);
            self.layers.empty_trash();
        }
        fs::rename(&self.path, &target).map_err(Error::file("naming the layer", &target))?;
        self.done = true;
        let root = &self.layers.inner.root;
        File::open(root).and_then(|d| d.sync_all()).map_err(Error::file("syncing", root))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.done {
            self.layers.trash(&self.path);
            self.layers.empty_trash();
        }
    }
}
