//! The store: an OCI image layout with a directory for what is on its way in.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_oci::{Algorithm, Descriptor, Digest};

use crate::{Draft, Error, Ingest, Partial, Result, partial};

const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
const INGEST: &str = "ingest";
const PARTIAL: &str = "partial";
const TRASH: &str = "trash";

/// The blob store; cheap to clone, every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    next: AtomicU64,
}

impl Store {
    /// Opens the layout at `root`, making it where it is missing, and removes what was left unfinished.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn open(root: &Path) -> Result<Self> {
        for directory in ["blobs/sha256", "blobs/sha512", INGEST, PARTIAL, TRASH] {
            let path = root.join(directory);
            fs::create_dir_all(&path).map_err(Error::file("making", &path))?;
        }
        let store = Self { inner: Arc::new(Inner { root: root.to_owned(), next: AtomicU64::new(0) }) };
        store.sweep()?;
        store.write_once("oci-layout", LAYOUT.as_bytes())?;
        store.write_once("index.json", index_text(&[]).as_bytes())?;
        Ok(store)
    }

    /// Where the layout lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Where the blob is, or would be.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.inner.root.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Whether the blob is here.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// The blob's length, where it is here.
    #[must_use]
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|m| m.len())
    }

    /// Opens a blob for reading.
    ///
    /// # Errors
    /// [`Error::Missing`], or what the kernel said.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.path(digest);
        File::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::Missing(digest.clone()),
            _ => Error::file("opening", &path)(e),
        })
    }

    /// Reads a small blob and checks it against its digest.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Digest`] if the disk has changed it, or what the kernel said.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.read_to_end(&mut bytes).map_err(Error::file("reading", &self.path(digest)))?;
        if !digest.matches(&bytes) {
            return Err(Error::Digest { expected: digest.clone(), actual: Digest::of(&bytes) });
        }
        Ok(bytes)
    }

    /// Begins to take a blob of which the digest is known, and perhaps the length.
    ///
    /// # Errors
    /// When the temporary file cannot be made.
    pub fn ingest(&self, expected: &Digest, size: Option<u64>) -> Result<Ingest> {
        Ingest::create(self, expected, size, self.temporary())
    }

    /// Begins to take a blob of which nothing is known.
    ///
    /// # Errors
    /// When the temporary file cannot be made.
    pub fn draft(&self, algorithm: Algorithm) -> Result<Draft> {
        Draft::create(self, algorithm, self.temporary())
    }

    /// Stores small content whole, durably. Does nothing if it is here and right.
    ///
    /// # Errors
    /// When `bytes` are not what `digest` names, or the disk refuses them.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.read(digest).is_ok() {
            return Ok(());
        }
        let mut ingest = self.ingest(digest, None)?;
        ingest.write(bytes)?;
        ingest.verify()?.publish()
    }

    /// Begins to take a blob, or goes on with what an earlier try has left of it ([`Ingest::replay`]). Waits while
    /// somebody else takes the same blob.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn resume(&self, expected: &Digest, size: u64) -> Result<Ingest> {
        partial::open(self, expected, size)
    }

    /// What is here of blobs that are not whole, and removes of it what nobody went on with for some days.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn partials(&self) -> Result<Vec<Partial>> {
        partial::list(self)
    }

    /// Removes what is here of blobs that are not whole and that nobody is at; says how many bytes that is.
    ///
    /// # Errors
    /// When the directory cannot be read, or the kernel refuses.
    pub fn forget_partials(&self) -> Result<u64> {
        partial::forget(self)
    }

    /// Takes blobs out of sight at once and removes them off the caller's path. One that is not here is gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn discard(&self, digests: &[Digest]) -> Result<()> {
        let mut some = false;
        for digest in digests {
            let (path, target) = (self.path(digest), self.inner.root.join(TRASH).join(self.unique()));
            match fs::rename(&path, target) {
                Ok(()) => some = true,
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(Error::file("removing", &path)(e)),
            }
        }
        if some {
            let trash = self.inner.root.join(TRASH);
            // Where there is no thread to be had, the next start removes it.
            drop(std::thread::Builder::new().name("trash".into()).spawn(move || empty(&trash)));
        }
        Ok(())
    }

    /// Every blob that is here, in no order.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn list(&self) -> Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let directory = self.inner.root.join("blobs").join(algorithm);
            let read = |e| Error::file("listing", &directory)(e);
            for entry in fs::read_dir(&directory).map_err(read)? {
                let name = entry.map_err(read)?.file_name();
                let text = format!("{algorithm}:{}", name.to_string_lossy());
                digests.extend(Digest::parse(&text));
            }
        }
        Ok(digests)
    }

    /// Names of files on their way in, of this process (`<pid>-<n>`) and of others that are no more.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn unfinished(&self) -> Result<Vec<String>> {
        let directory = self.inner.root.join(INGEST);
        let entries = fs::read_dir(&directory).map_err(Error::file("listing", &directory))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    /// Makes the names that were given by [`crate::Verified::publish_synced`] durable.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn sync_names(&self) -> Result<()> {
        let directory = self.inner.root.join("blobs/sha256");
        File::open(&directory).and_then(|d| d.sync_all()).map_err(Error::file("syncing", &directory))
    }

    /// Writes `index.json`, which tells other tools what the layout has. It is never read back, hence not synced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_index(&self, manifests: &[Descriptor]) -> Result<()> {
        self.replace("index.json", index_text(manifests).as_bytes())
    }

    fn write_once(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if self.inner.root.join(name).exists() { Ok(()) } else { self.replace(name, bytes) }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (temporary, target) = (self.temporary(), self.inner.root.join(name));
        fs::write(&temporary, bytes).map_err(Error::file("writing", &temporary))?;
        fs::rename(&temporary, &target).map_err(Error::file("writing", &target))
    }

    fn temporary(&self) -> PathBuf {
        self.inner.root.join(INGEST).join(self.unique())
    }

    fn unique(&self) -> String {
        format!("{}-{}", std::process::id(), self.inner.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Where a blob that is not whole waits.
    pub(crate) fn partial_directory(&self) -> PathBuf {
        self.inner.root.join(PARTIAL)
    }

    fn sweep(&self) -> Result<()> {
        empty(&self.inner.root.join(INGEST));
        let trash = self.inner.root.join(TRASH);
        drop(std::thread::Builder::new().name("trash".into()).spawn(move || empty(&trash)));
        partial::list(self).map(drop)
    }
}

/// Removes the files of a directory. What is gone already is gone; what cannot be removed stays for the next time.
fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
}

fn index_text(manifests: &[Descriptor]) -> String {
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": berth_oci::media::OCI_INDEX,
        "manifests": manifests,
    });
    index.to_string()
}
