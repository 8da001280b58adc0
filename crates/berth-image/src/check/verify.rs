//! Bytes against digests.
//!
//! A blob is what its digest says, or it is not. A layer made here, or one that keeps its archive, gives its archive
//! again, and that has the diff id. A directory that was unpacked of somebody else's archive gives another archive
//! than it came in; where its blob is kept, it is unpacked once more beside it, and both directories must hold the
//! same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use berth_archive::{ArchiveError, Kind, Limits, Reader, unpack};
use berth_oci::{ChainId, Digest, Hasher};

use super::survey::Survey;
use super::{Object, Problem, ProblemKind};
use crate::layers::archive::packed;
use crate::pull::decompress::decompress;
use crate::record::LayerRecord;
use crate::room::is_full;
use crate::store::Inner;
use crate::{Error, Result};

/// What reading everything came to.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) bytes: u64,
    pub(super) unverified: usize,
    pub(super) problems: Vec<Problem>,
}

pub(super) fn verify(inner: &Inner, survey: &Survey) -> Result<Read> {
    let mut read = Read::default();
    for digest in &survey.blobs {
        match of_file(inner, digest) {
            Ok((actual, bytes)) if actual == *digest => read.bytes += bytes,
            Ok((actual, _)) => read.blob(survey, digest, format!("its bytes are those of {actual}")),
            // Deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => read.blob(survey, digest, format!("it cannot be read: {error}")),
        }
    }
    for (chain, layer) in &survey.layers {
        let blob = Object::Blob(layer.blob.digest.clone());
        if read.problems.iter().any(|problem| problem.object == blob) {
            read.unverified += 1;
            continue;
        }
        match of_layer(inner, chain, layer) {
            Ok(Verdict::Right(bytes)) => read.bytes += bytes,
            Ok(Verdict::Wrong(why)) => read.layer(survey, chain, why),
            Ok(Verdict::Unknown) => read.unverified += 1,
            // No room to unpack it once more.
            Err(error) if is_full(&error) => read.unverified += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// What a layer's bytes say.
enum Verdict {
    /// So many are right.
    Right(u64),
    Wrong(String),
    /// There is nothing to compare them with.
    Unknown,
}

fn of_layer(inner: &Inner, chain: &ChainId, layer: &LayerRecord) -> Result<Verdict> {
    if let Err(error) = inner.layers.lower(chain).open() {
        return Ok(Verdict::Wrong(error.to_string()));
    }
    if layer.archive.is_some() || !layer.kept && layer.blob.digest == *layer.diff_id.digest() {
        let read = inner.layers.open_archive(chain, layer.archive).map_err(io::Error::other);
        let hasher = Hasher::new(layer.diff_id.digest().algorithm());
        let (actual, bytes) = match read.and_then(|archive| digest_with(hasher, archive)) {
            Ok(read) => read,
            Err(error) => return Ok(Verdict::Wrong(format!("it cannot be read: {error}"))),
        };
        return Ok(match actual == *layer.diff_id.digest() {
            true => Verdict::Right(bytes),
            false => Verdict::Wrong(format!("its archive is {actual} and should be {}", layer.diff_id)),
        });
    }
    let Ok(directory) = File::open(inner.layers.diff(chain)) else { return Ok(Verdict::Unknown) };
    let incoming = inner.layers.scratch()?;
    if !unpack_again(inner, layer, &incoming.diff())? {
        return Ok(Verdict::Unknown);
    }
    let fresh = File::open(incoming.diff()).map_err(Error::file("opening", &incoming.diff()))?;
    let expected = entries(fresh).map_err(|e| Error::Content(e.to_string()))?;
    Ok(match entries(directory) {
        Ok(found) => compare(&found, &expected, layer.size),
        Err(error) => Verdict::Wrong(format!("it cannot be read: {error}")),
    })
}

/// Unpacks a layer's blob once more; tells whether there is one.
fn unpack_again(inner: &Inner, layer: &LayerRecord, diff: &Path) -> Result<bool> {
    let blob = match inner.content.open_blob(&layer.blob.digest) {
        Ok(blob) => blob,
        Err(berth_content::Error::Missing(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let bad = |reason: String| Error::BadLayer { blob: layer.blob.digest.clone(), reason };
    let plain = decompress(BufReader::with_capacity(64 << 10, blob)).map_err(|e| bad(e.to_string()))?;
    let archive = BufReader::with_capacity(128 << 10, plain);
    unpack(archive, diff, Limits::default()).map_err(|e| bad(e.to_string()))?;
    Ok(true)
}

/// What is in a directory: each path with a digest of what it is and holds.
type Entries = BTreeMap<Vec<u8>, Digest>;

/// Of the archive that the directory gives. When a directory or a whiteout was changed is left out: directories that
/// only other entries' paths name, and whiteouts of earlier versions, were made when the layer was unpacked.
fn entries(directory: File) -> Result<Entries, ArchiveError> {
    let mut reader = Reader::new(packed(directory, BTreeSet::new()));
    let mut entries = Entries::new();
    let mut buffer = vec![0; 128 << 10];
    while let Some(mut entry) = reader.next()? {
        let name = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if entry.kind == Kind::Directory || name.starts_with(b".wh.") {
            entry.mtime = (0, 0);
        }
        let mut hasher = Hasher::default();
        hasher.update(format!("{entry:?}").as_bytes());
        loop {
            let (at, got) = reader.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            hasher.update(&at.to_le_bytes());
            hasher.update(&buffer[..got]);
        }
        entries.insert(entry.path, hasher.finish());
    }
    Ok(entries)
}

fn compare(found: &Entries, expected: &Entries, size: u64) -> Verdict {
    let lost = expected.keys().find(|path| !found.contains_key(*path)).map(|path| (path, "is not there"));
    let more = found.keys().find(|path| !expected.contains_key(*path)).map(|path| (path, "does not belong to it"));
    let other = found.iter().find(|(path, digest)| expected.get(*path).is_some_and(|expected| expected != *digest));
    let other = other.map(|(path, _)| (path, "is not what it came as"));
    match lost.or(more).or(other) {
        None => Verdict::Right(size),
        Some((path, what)) => Verdict::Wrong(format!("{:?} {what}", String::from_utf8_lossy(path))),
    }
}

/// The digest of a blob's bytes, and how many they are.
fn of_file(inner: &Inner, blob: &Digest) -> io::Result<(Digest, u64)> {
    let hasher = Hasher::new(blob.algorithm());
    digest_with(hasher, File::open(inner.content.path(blob))?)
}

fn digest_with(mut hasher: Hasher, mut input: impl io::Read) -> io::Result<(Digest, u64)> {
    let (mut length, mut buffer) = (0, vec![0; 256 << 10]);
    loop {
        let got = input.read(&mut buffer)?;
        if got == 0 {
            return Ok((hasher.finish(), length));
        }
        hasher.update(&buffer[..got]);
        length += got as u64;
    }
}

impl Read {
    fn blob(&mut self, survey: &Survey, digest: &Digest, why: String) {
        let again = survey.users.pull_again(survey.users.of_blob(digest));
        let hint = format!("`berth system check --repair` removes it; then {again}");
        self.damaged(Object::Blob(digest.clone()), why, hint);
    }

    fn layer(&mut self, survey: &Survey, chain: &ChainId, why: String) {
        let hint = match survey.users.of_layer(chain) {
            Some(name) => format!("remove the containers and the images that stand on it, and get {name} again"),
            None => "remove the containers that stand on it".into(),
        };
        self.damaged(Object::Layer(chain.clone()), why, hint);
    }

    fn damaged(&mut self, object: Object, why: String, hint: String) {
        self.problems.push(Problem { kind: ProblemKind::Damaged, object, why, hint, repaired: false });
    }
}
