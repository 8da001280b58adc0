//! What blobs unpack to, as far as it was seen here.
//!
//! Decompression gives the same bytes every time: of a blob whose own digest is right and that was unpacked here
//! before, the digest of its archive need not be taken again. It is kept in memory alone, for images that come back:
//! removed and pulled once more, saved and loaded, shared by two stacks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_oci::{Algorithm, Digest};

use super::digesting::{Archive, Digesting};

/// Blobs that are remembered; each takes some 300 bytes.
const MOST: usize = 4096;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Known {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    archives: HashMap<Digest, Archive>,
    /// Oldest first.
    order: VecDeque<Digest>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to come by the digest, in this algorithm, of what a blob unpacks to. The caller makes sure of the blob.
    pub(crate) fn digesting(&self, blob: &Digest, algorithm: Algorithm) -> Digesting {
        let archive = self.lock().archives.get(blob).cloned();
        let known = archive.filter(|archive| archive.diff_id.digest().algorithm() == algorithm);
        // What came compressed is not compressed again.
        known.map_or(Digesting::Take { algorithm, crc: false }, Digesting::Known)
    }

    /// Takes note of what a blob has unpacked to. Both digests were found to be right, of the very same bytes.
    pub(crate) fn learn(&self, blob: &Digest, archive: Archive) {
        let mut seen = self.lock();
        if seen.archives.insert(blob.clone(), archive).is_some() {
            return;
        }
        seen.order.push_back(blob.clone());
        if seen.order.len() > MOST
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.archives.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::DiffId;

    use super::*;

    fn archive(of: &[u8]) -> Archive {
        Archive { diff_id: DiffId(Digest::of(of)), length: of.len() as u64, crc: None }
    }

    #[test]
    fn what_was_learnt_is_known_in_its_algorithm() {
        let known = Known::default();
        let blob = Digest::of(b"packed");
        let take = |algorithm| Digesting::Take { algorithm, crc: false };
        assert_eq!(known.digesting(&blob, Algorithm::Sha256), take(Algorithm::Sha256));
        known.learn(&blob, archive(b"plain"));
        assert_eq!(known.digesting(&blob, Algorithm::Sha256), Digesting::Known(archive(b"plain")));
        assert_eq!(known.digesting(&blob, Algorithm::Sha512), take(Algorithm::Sha512));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let known = Known::default();
        let blob = |n: usize| Digest::of(&n.to_le_bytes());
        for n in 0..=MOST {
            known.learn(&blob(n), archive(b"plain"));
            known.learn(&blob(n), archive(b"plain"));
        }
        assert!(matches!(known.digesting(&blob(0), Algorithm::Sha256), Digesting::Take { .. }));
        assert!(matches!(known.digesting(&blob(1), Algorithm::Sha256), Digesting::Known(_)));
        assert_eq!(known.lock().archives.len(), MOST);
    }
}
