//! What lies under `layers/`: the layers, each in one of two forms, those on their way in, and those on their way out.
//!
//! ```text
//! layers/<chain id, hex>.erofs   a layer as an image (`berth-erofs`)
//! layers/<chain id, hex>/diff    a layer as a directory
//! layers/incoming/<n>            coming in
//! layers/trash/<n>               being removed, off everybody's path
//! layers/empty                   what an image of no layers mounts
//! layers/mounted                 where images are attached, in a namespace of their own, if need be ([`apart`])
//! ```
//!
//! Which form a new layer takes is chosen when the store is opened ([`driver`]); a stack may have layers of both. A
//! layer comes in through [`incoming`], is mounted by [`mounts`] when it is first wanted, and its archive is read again
//! by [`archive`]. Nobody else knows which form a layer has.

pub(crate) mod apart;
pub(crate) mod archive;
pub(crate) mod digesting;
mod draining;
pub(crate) mod driver;
pub(crate) mod incoming;
pub(crate) mod known;
pub(crate) mod lower;
pub(crate) mod mounts;
mod stream;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use berth_oci::ChainId;

use self::driver::{Driver, Storage};
use self::incoming::Incoming;
use self::known::Known;
use self::lower::Lower;
use self::mounts::Mounts;
use crate::{Error, Result};

const INCOMING: &str = "incoming";
const TRASH: &str = "trash";
const EMPTY: &str = "empty";
const MOUNTED: &str = "mounted";
/// What is no layer.
const OURS: [&str; 4] = [INCOMING, TRASH, EMPTY, MOUNTED];
/// Ends the name of a layer that is an image.
const IMAGE: &str = ".erofs";

/// The layers directory.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    storage: Storage,
    mounts: Mounts,
    known: Known,
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
    pub(crate) fn open(root: &Path, driver: Option<Driver>) -> Result<Self> {
        for name in [INCOMING, TRASH, EMPTY] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(Error::file("making", &path))?;
        }
        let (storage, mounts) = driver::choose(driver, root)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                storage,
                mounts,
                known: Known::default(),
                next: AtomicU64::new(0),
                syncs: Mutex::default(),
                synced: Condvar::new(),
            }),
        })
    }

    /// In which form new layers are kept, and why.
    pub(crate) fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// New layers keep their archive as it came: no second copy of it is needed for sending it on.
    pub(crate) fn keeps_archive(&self) -> bool {
        self.inner.storage.driver == Driver::Erofs
    }

    /// The images that are mounted.
    pub(crate) fn mounts(&self) -> &Mounts {
        &self.inner.mounts
    }

    /// What blobs unpack to.
    pub(crate) fn known(&self) -> &Known {
        &self.inner.known
    }

    /// Where a layer is if it is a directory.
    fn directory(&self, chain: &ChainId) -> PathBuf {
        self.inner.root.join(chain.hex())
    }

    /// Where a layer is if it is an image.
    fn image(&self, chain: &ChainId) -> PathBuf {
        self.inner.root.join(format!("{}{IMAGE}", chain.hex()))
    }

    /// Where the files are of a layer that is a directory.
    pub(crate) fn diff(&self, chain: &ChainId) -> PathBuf {
        self.directory(chain).join("diff")
    }

    /// A layer, in whichever form it is.
    pub(crate) fn lower(&self, chain: &ChainId) -> Lower {
        let image = self.image(chain);
        match image.exists() {
            true => Lower::image(image, mounts::identity(chain), self.inner.mounts.clone()),
            false => Lower::directory(self.diff(chain)),
        }
    }

    /// A stack's layers, topmost first, never none.
    pub(crate) fn lowers(&self, chains: &[ChainId]) -> Vec<Lower> {
        if chains.is_empty() {
            return vec![Lower::directory(self.inner.root.join(EMPTY))];
        }
        chains.iter().rev().map(|chain| self.lower(chain)).collect()
    }

    /// A fresh place for a layer on its way in.
    pub(crate) fn incoming(&self) -> Result<Incoming> {
        let path = self.inner.root.join(INCOMING).join(self.unique());
        Incoming::new(self.clone(), path, self.inner.storage.driver)
    }

    /// A fresh directory, whatever form new layers have; it goes when it is dropped.
    pub(crate) fn scratch(&self) -> Result<Incoming> {
        let path = self.inner.root.join(INCOMING).join(self.unique());
        Incoming::new(self.clone(), path, Driver::Overlay2)
    }

    /// Gives what came in its name, in place of whatever has it unrecorded.
    fn rename(&self, from: &Path, chain: &ChainId, driver: Driver) -> Result<()> {
        self.remove(chain);
        let target = if driver == Driver::Erofs { self.image(chain) } else { self.directory(chain) };
        fs::rename(from, &target).map_err(Error::file("naming the layer", &target))?;
        let root = &self.inner.root;
        File::open(root).and_then(|d| d.sync_all()).map_err(Error::file("syncing", root))
    }

    /// Whether a layer's files are here.
    pub(crate) fn exists(&self, chain: &ChainId) -> bool {
        self.image(chain).exists() || self.directory(chain).exists()
    }

    /// What there is, whether it is recorded or not: layers, by the digits of their chain ids.
    pub(crate) fn list(&self) -> Result<BTreeSet<String>> {
        let ours = |name: &String| !OURS.contains(&name.as_str());
        let hex = |name: String| name.strip_suffix(IMAGE).map_or(name.clone(), str::to_owned);
        Ok(names(&self.inner.root)?.into_iter().filter(ours).map(hex).collect())
    }

    /// Names of what is on its way in, of this process (`<pid>-<n>`) and of others that are no more.
    pub(crate) fn unfinished(&self) -> Result<Vec<String>> {
        names(&self.inner.root.join(INCOMING))
    }

    /// Takes layers out of sight at once and removes them in the background.
    pub(crate) fn discard(&self, chains: &[ChainId]) {
        chains.iter().for_each(|chain| self.remove(chain));
    }

    fn remove(&self, chain: &ChainId) {
        self.inner.mounts.forget(mounts::identity(chain));
        let mut removed = false;
        for path in [self.image(chain), self.directory(chain)] {
            if path.exists() {
                self.trash(&path);
                removed = true;
            }
        }
        if removed {
            self.empty_trash();
        }
    }

    /// Removes everything that is neither known nor ours.
    pub(crate) fn sweep(&self, known: &BTreeSet<&str>) -> Result<()> {
        let list = |path: &Path| fs::read_dir(path).map_err(Error::file("listing", path));
        for entry in list(&self.inner.root.join(INCOMING))?.flatten() {
            self.trash(&entry.path());
        }
        for entry in list(&self.inner.root)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = OURS.contains(&name.as_ref());
            let hex = name.strip_suffix(IMAGE).unwrap_or(&name);
            if !ours && !known.contains(format!("sha256:{hex}").as_str()) {
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
