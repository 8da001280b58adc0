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

use berth_oci::ChainId;

use crate::{Error, Result};

const INCOMING: &str = "incoming";
const TRASH: &str = "trash";
const EMPTY: &str = "empty";

/// The layers directory.
#[derive(Debug)]
pub(crate) struct Layers {
    root: PathBuf,
    next: AtomicU64,
}

impl Layers {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for name in [INCOMING, TRASH, EMPTY] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(Error::file("making", &path))?;
        }
        Ok(Self { root: root.to_owned(), next: AtomicU64::new(0) })
    }

    /// Where a layer's files are.
    pub(crate) fn diff(&self, chain: &ChainId) -> PathBuf {
        self.root.join(chain.hex()).join("diff")
    }

    /// A stack's directories, topmost first.
    pub(crate) fn lowers(&self, chains: &[ChainId]) -> Vec<PathBuf> {
        if chains.is_empty() {
            return vec![self.root.join(EMPTY)];
        }
        chains.iter().rev().map(|chain| self.diff(chain)).collect()
    }

    /// A fresh directory for a layer on its way in.
    pub(crate) fn incoming(&self) -> Result<Incoming<'_>> {
        let path = self.root.join(INCOMING).join(self.unique());
        let diff = path.join("diff");
        fs::create_dir_all(&diff).map_err(Error::file("making", &diff))?;
        Ok(Incoming { layers: self, path, done: false })
    }

    /// Takes layers out of sight at once and removes them in the background.
    pub(crate) fn discard(&self, chains: &[ChainId]) {
        for chain in chains {
            self.trash(&self.root.join(chain.hex()));
        }
        if !chains.is_empty() {
            self.empty_trash();
        }
    }

    /// Removes every directory that is neither known nor ours.
    pub(crate) fn sweep(&self, known: &BTreeSet<&str>) -> Result<()> {
        let list = |path: &Path| fs::read_dir(path).map_err(Error::file("listing", path));
        for entry in list(&self.root.join(INCOMING))?.flatten() {
            self.trash(&entry.path());
        }
        for entry in list(&self.root)?.flatten() {
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

    /// Makes everything written to this file system durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let directory = File::open(&self.root).map_err(Error::file("opening", &self.root))?;
        rustix::fs::syncfs(&directory).map_err(Error::file("syncing", &self.root))
    }

    fn trash(&self, path: &Path) {
        let target = self.root.join(TRASH).join(self.unique());
        if let Err(error) = fs::rename(path, &target) {
            tracing::warn!(path = %path.display(), %error, "a layer could not be moved to the trash");
        }
    }

    fn empty_trash(&self) {
        crate::snapshot::remove_in_background(self.root.join(TRASH));
    }

    fn unique(&self) -> String {
        format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A layer being unpacked; dropped, it goes to the trash.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    layers: &'a Layers,
    path: PathBuf,
    done: bool,
}

impl Incoming<'_> {
    /// Where its files go.
    pub(crate) fn diff(&self) -> PathBuf {
        self.path.join("diff")
    }

    /// Gives it its name; its files are durable already. An unrecorded directory of that name is replaced.
    pub(crate) fn publish(mut self, chain: &ChainId) -> Result<()> {
        let target = self.layers.root.join(chain.hex());
        if target.exists() {
            self.layers.trash(&target);
            self.layers.empty_trash();
        }
        fs::rename(&self.path, &target).map_err(Error::file("naming the layer", &target))?;
        self.done = true;
        let root = &self.layers.root;
        File::open(root).and_then(|d| d.sync_all()).map_err(Error::file("syncing", root))
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.layers.trash(&self.path);
            self.layers.empty_trash();
        }
    }
}
