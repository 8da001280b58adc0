//! Layers as they stream by, unpacked before anybody knows which image they belong to.
//!
//! What is compressed is set down first, as the blob that it is, and unpacked by a few threads: decompression takes
//! longer than everything else. What is not compressed is unpacked as it comes; where the layer keeps its archive, those
//! threads take its digest.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use berth_content::Verified;
use berth_oci::{Algorithm, ChainId, Digest, Hasher};

use super::contents::wrong_digest;
use super::{LoadEvent, Tell};
use crate::fresh::Fresh;
use crate::layers::incoming::Written;
use crate::pull::decompress::{Form, told};
use crate::record::LayerRecord;
use crate::store::Inner;
use crate::{Error, Lease, Result};

const BUFFER: usize = 256 << 10;
/// Threads that unpack, at most.
const MAX_WORKERS: usize = 4;

/// Where a layer of the archive is.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    /// Among those that came, by number.
    Came(usize),
    /// It was here before the archive came.
    Here(ChainId),
}

/// Layers that came, or what was wrong with them.
pub(super) type Came = Vec<Option<Result<Fresh>>>;

/// What is left to those threads.
enum Job {
    /// To unpack a blob.
    Blob(Verified),
    /// To find out what came uncompressed, and whether that is what its name promises.
    Written(Written, Option<Digest>),
}

/// What those threads have found.
#[derive(Default)]
struct Found {
    came: Mutex<Came>,
    /// That a name was wrong, which ends the load whether an image wants the layer or not.
    wrong: Mutex<Option<Error>>,
}

/// Takes layers.
pub(super) struct Unpacking<'a> {
    inner: &'a Arc<Inner>,
    tell: Tell<'a>,
    /// Blobs and archives that are here, and the layer that each of them is.
    here: HashMap<Digest, ChainId>,
    leases: Mutex<Vec<Lease>>,
    jobs: Sender<(usize, Job)>,
    found: &'a Found,
}

/// Lets `work` take layers, and gives back what it made, with the layers and a claim on those that were here.
pub(super) fn unpacking<T>(
    inner: &Arc<Inner>,
    tell: Tell<'_>,
    work: impl FnOnce(&Unpacking<'_>) -> Result<T>,
) -> Result<(T, Came, Vec<Lease>)> {
    let (found, stop) = (Found::default(), AtomicBool::new(false));
    let (jobs, queue) = channel();
    let queue = Mutex::new(queue);
    let done = thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS) {
            scope.spawn(|| work_off(inner, &queue, &found, &stop));
        }
        let unpacking = Unpacking { inner, tell, here: here(inner)?, leases: Mutex::default(), jobs, found: &found };
        let done = work(&unpacking);
        if done.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        Ok::<_, Error>((done?, unpacking.leases.into_inner().unwrap_or_else(PoisonError::into_inner)))
    });
    let (done, leases) = done?;
    let Found { came, wrong } = found;
    if let Some(error) = wrong.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    Ok((done, came.into_inner().unwrap_or_else(PoisonError::into_inner), leases))
}

fn here(inner: &Inner) -> Result<HashMap<Digest, ChainId>> {
    let mut here = HashMap::new();
    for (key, record) in inner.state.read(|reader| reader.list::<LayerRecord>())? {
        if let Ok(chain) = ChainId::parse(&key) {
            here.insert(record.diff_id.digest().clone(), chain.clone());
            here.insert(record.blob.digest, chain);
        }
    }
    Ok(here)
}

fn work_off(inner: &Inner, queue: &Mutex<Receiver<(usize, Job)>>, found: &Found, stop: &AtomicBool) {
    loop {
        let next = lock(queue).recv();
        let Ok((number, job)) = next else { return };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let fresh = match job {
            Job::Blob(blob) => Fresh::of_blob(inner, blob),
            Job::Written(written, expected) => {
                let fresh = Fresh::of_written(written);
                if let (Ok(fresh), Some(expected)) = (&fresh, expected)
                    && *fresh.diff_id().digest() != expected
                {
                    lock(&found.wrong).get_or_insert(wrong_digest(&expected, fresh.diff_id().digest()));
                    stop.store(true, Ordering::Relaxed);
                }
                fresh
            }
        };
        lock(&found.came)[number] = Some(fresh);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Unpacking<'_> {
    /// Takes the layer at `path`, which promises to have `digest`. What is wrong with it as a layer matters only if
    /// an image wants it.
    ///
    /// # Errors
    /// It is not what its name promises, or the archive cannot be read.
    pub(super) fn take(&self, path: &str, digest: Option<&Digest>, size: u64, data: impl Read + Send) -> Result<Slot> {
        let data = Told { data, tell: self.tell, layer: label(path, digest), current: 0, total: size };
        if let Some(chain) = digest.and_then(|digest| self.here.get(digest)).filter(|chain| self.claim(chain)) {
            let mut hashed = Hashed::new(data, digest);
            io::copy(&mut hashed, &mut io::sink()).map_err(unreadable)?;
            hashed.check(digest)?;
            return Ok(Slot::Here(chain.clone()));
        }
        let (form, data) = told(BufReader::with_capacity(BUFFER, data)).map_err(unreadable)?;
        match form {
            Form::Gzip | Form::Zstd => self.set_down(data, digest),
            form => self.unpack_now(data, digest, form),
        }
    }

    /// Whether the layer is (still) here; it is claimed then.
    fn claim(&self, chain: &ChainId) -> bool {
        let lease = self.inner.lease(vec![chain.clone()], Vec::new());
        let here = self.inner.state.read(|reader| reader.exists::<LayerRecord>(chain.as_str())).unwrap_or(false);
        if here {
            lock(&self.leases).push(lease);
        }
        here
    }

    fn set_down(&self, mut data: impl BufRead, digest: Option<&Digest>) -> Result<Slot> {
        let mut draft = self.inner.content.draft(digest.map_or(Algorithm::Sha256, Digest::algorithm))?;
        loop {
            let piece = data.fill_buf().map_err(unreadable)?;
            if piece.is_empty() {
                break;
            }
            draft.write(piece)?;
            let taken = piece.len();
            data.consume(taken);
        }
        let blob = draft.finish();
        if let Some(expected) = digest.filter(|expected| *expected != blob.digest()) {
            return Err(wrong_digest(expected, blob.digest()));
        }
        Ok(self.leave(Job::Blob(blob)))
    }

    fn leave(&self, job: Job) -> Slot {
        let number = self.number(None);
        // The workers live as long as this does.
        let _ = self.jobs.send((number, job));
        Slot::Came(number)
    }

    fn unpack_now(&self, data: impl BufRead + Send, digest: Option<&Digest>, form: Form) -> Result<Slot> {
        // Where the blob is the archive itself, its digest is found anyway.
        let told_anyway = form == Form::Plain && digest.is_none_or(|d| d.algorithm() == Algorithm::Sha256);
        if told_anyway && self.inner.layers.keeps_archive() {
            return match Fresh::write_down(self.inner, data) {
                Ok(written) => Ok(self.leave(Job::Written(written, digest.cloned()))),
                Err(error) => Ok(Slot::Came(self.number(Some(Err(error))))),
            };
        }
        if told_anyway {
            let fresh = Fresh::of_stream(self.inner, data);
            if let (Ok(fresh), Some(expected)) = (&fresh, digest)
                && fresh.diff_id().digest() != expected
            {
                return Err(wrong_digest(expected, fresh.diff_id().digest()));
            }
            return Ok(Slot::Came(self.number(Some(fresh))));
        }
        let mut hashed = Hashed::new(data, digest);
        let fresh = Fresh::of_stream(self.inner, BufReader::with_capacity(BUFFER, &mut hashed));
        io::copy(&mut hashed, &mut io::sink()).map_err(unreadable)?;
        hashed.check(digest)?;
        Ok(Slot::Came(self.number(Some(fresh))))
    }

    fn number(&self, layer: Option<Result<Fresh>>) -> usize {
        let mut came = lock(&self.found.came);
        came.push(layer);
        came.len() - 1
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::Archive(error.to_string())
}

/// What a layer is called while nobody knows what it is.
fn label(path: &str, digest: Option<&Digest>) -> String {
    let name = digest.map_or_else(|| path.trim_end_matches("/layer.tar"), Digest::hex);
    name.rsplit('/').next().unwrap_or(name).chars().take(12).collect()
}

/// Hashes what is read through it.
struct Hashed<R> {
    data: R,
    hasher: Hasher,
}

impl<R> Hashed<R> {
    fn new(data: R, digest: Option<&Digest>) -> Self {
        Self { data, hasher: Hasher::new(digest.map_or(Algorithm::Sha256, Digest::algorithm)) }
    }

    fn check(self, expected: Option<&Digest>) -> Result<()> {
        let actual = self.hasher.finish();
        match expected.filter(|expected| **expected != actual) {
            Some(expected) => Err(wrong_digest(expected, &actual)),
            None => Ok(()),
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.data.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}

/// Tells how far a layer is.
struct Told<'a, R> {
    data: R,
    tell: Tell<'a>,
    layer: String,
    current: u64,
    total: u64,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.data.read(buffer)?;
        self.current += got as u64;
        if got > 0 {
            (self.tell)(LoadEvent::Layer { layer: self.layer.clone(), current: self.current, total: self.total });
        }
        Ok(got)
    }
}
