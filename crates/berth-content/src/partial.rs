//! Blobs that are not whole yet, under names that outlive whoever fetched them.
//!
//! ```text
//! partial/<algorithm>-<hex>     what came of a blob so far, from its first byte on
//! ```
//!
//! Nothing is known of such a file but its length: what is in it is hashed again by whoever goes on with it
//! ([`Ingest::replay`]), and the whole is compared with the digest as always. So it need not be durable: after a loss
//! of power it is shorter, or wrong and found to be so. One takes it at a time: the file is locked, and the kernel
//! unlocks it when its owner dies.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use berth_oci::{Algorithm, Digest};
use rustix::fs::{FlockOperation, flock};

use crate::{Error, Ingest, Result, Store};

/// Whoever has not gone on with it for so long does not come back.
const STALE_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What is here of a blob that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The blob it is to become.
    pub digest: Digest,
    /// Bytes that are here.
    pub size: u64,
    /// Somebody is at it now.
    pub busy: bool,
}

pub(crate) fn open(store: &Store, digest: &Digest, size: u64) -> Result<Ingest> {
    let path = store.partial_directory().join(name(digest));
    let failed = |e| Error::file("opening the unfinished blob", &path)(e);
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| failed(e.into()))?;
        let found = file.metadata().map_err(failed)?;
        // Whoever had it locked may have finished or dropped it: then this is no longer the file of that name.
        if !fs::metadata(&path).is_ok_and(|now| same(&now, &found)) {
            continue;
        }
        // Of something longer than the whole, nothing can be right.
        let usable = found.len() <= size;
        if !usable {
            file.set_len(0).map_err(failed)?;
        }
        return Ok(Ingest::over(store, digest, size, file, path, if usable { found.len() } else { 0 }));
    }
}

pub(crate) fn list(store: &Store) -> Result<Vec<Partial>> {
    let directory = store.partial_directory();
    let mut partials = Vec::new();
    for entry in fs::read_dir(&directory).map_err(Error::file("listing", &directory))?.flatten() {
        let path = entry.path();
        let Ok(file) = File::open(&path) else { continue };
        let busy = flock(&file, FlockOperation::NonBlockingLockExclusive).is_err();
        let (digest, found) = (parse(&path), file.metadata());
        match (digest, found) {
            (Some(digest), Ok(found)) if busy || !is_stale(&found) => {
                partials.push(Partial { digest, size: found.len(), busy });
            }
            _ => remove(&path)?,
        }
    }
    Ok(partials)
}

pub(crate) fn forget(store: &Store) -> Result<u64> {
    let mut freed = 0;
    for partial in list(store)?.into_iter().filter(|partial| !partial.busy) {
        let path = store.partial_directory().join(name(&partial.digest));
        // Locked while it goes: whoever wants it meanwhile waits, and then finds that it is gone.
        let Ok(file) = File::open(&path) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(&path)?;
            freed += partial.size;
        }
    }
    Ok(freed)
}

fn remove(path: &PathBuf) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::file("removing", path)(e)),
        _ => Ok(()),
    }
}

fn is_stale(found: &Metadata) -> bool {
    let age = found.modified().ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > STALE_AFTER)
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().as_str(), digest.hex())
}

fn parse(path: &std::path::Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    let (algorithm, hex) = name.split_once('-')?;
    let known = [Algorithm::Sha256, Algorithm::Sha512].iter().any(|known| known.as_str() == algorithm);
    if known { Digest::parse(&format!("{algorithm}:{hex}")).ok() } else { None }
}
