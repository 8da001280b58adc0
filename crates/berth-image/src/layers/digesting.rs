//! How the digest of a layer's archive comes to be known: taken of its bytes, or known of the blob they come out of.

use berth_archive::ArchiveError;
use berth_oci::{Algorithm, DiffId, Hasher};
use flate2::Crc;

/// An archive, by what can be said of it without looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) diff_id: DiffId,
    /// Bytes of it.
    pub(crate) length: u64,
    /// As gzip has it at its end, where it was taken.
    pub(crate) crc: Option<u32>,
}

/// How the digest of a layer's archive comes to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digesting {
    /// It is taken while the archive streams by.
    Take {
        /// In which way.
        algorithm: Algorithm,
        /// The checksum too by which it is known again when it is compressed here.
        crc: bool,
    },
    /// It is this one if the blob that the archive comes out of is the right one, which somebody else sees to.
    Known(Archive),
}

impl From<Algorithm> for Digesting {
    fn from(algorithm: Algorithm) -> Self {
        Self::Take { algorithm, crc: true }
    }
}

/// A digest on its way.
pub(super) enum Taking {
    Hashing(Box<Hasher>, Option<Crc>),
    Known(Archive),
}

impl Taking {
    pub(super) fn new(digesting: Digesting) -> Self {
        match digesting {
            Digesting::Take { algorithm, crc } => Self::Hashing(Box::new(Hasher::new(algorithm)), crc.then(Crc::new)),
            Digesting::Known(archive) => Self::Known(archive),
        }
    }

    /// Takes the next of the archive.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if let Self::Hashing(hasher, crc) = self {
            hasher.update(piece);
            crc.iter_mut().for_each(|crc| crc.update(piece));
        }
    }

    /// What the archive is, of which so many bytes came.
    ///
    /// # Errors
    /// It is not as long as it is known to be.
    pub(super) fn finish(self, length: u64) -> Result<Archive, ArchiveError> {
        match self {
            Self::Hashing(hasher, crc) => {
                Ok(Archive { diff_id: DiffId(hasher.finish()), length, crc: crc.map(|crc| crc.sum()) })
            }
            Self::Known(archive) if archive.length == length => Ok(archive),
            Self::Known(_) => Err(ArchiveError::Truncated),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use berth_oci::Digest;

    use super::*;

    fn taken(digesting: impl Into<Digesting>, pieces: &[&[u8]]) -> Result<Archive, ArchiveError> {
        let mut taking = Taking::new(digesting.into());
        pieces.iter().for_each(|piece| taking.take(piece));
        taking.finish(pieces.concat().len() as u64)
    }

    #[test]
    fn of_all_pieces() {
        let mut crc = Crc::new();
        crc.update(b"an archive");
        let expected = Archive { diff_id: DiffId(Digest::of(b"an archive")), length: 10, crc: Some(crc.sum()) };
        assert_eq!(taken(Algorithm::Sha256, &[b"an ", b"", b"archive"]).unwrap(), expected);
        let take = Digesting::Take { algorithm: Algorithm::Sha256, crc: false };
        assert_eq!(taken(take, &[b"an archive"]).unwrap(), Archive { crc: None, ..expected });
    }

    #[test]
    fn what_is_known_has_its_length() {
        let known = Archive { diff_id: DiffId(Digest::of(b"whatever")), length: 5, crc: None };
        assert_eq!(taken(Digesting::Known(known.clone()), &[b"by", b"tes"]).unwrap(), known);
        taken(Digesting::Known(known.clone()), &[b"byte"]).unwrap_err();
        taken(Digesting::Known(known), &[b"bytes!"]).unwrap_err();
    }
}
