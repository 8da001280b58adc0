//! Files with holes: where the bytes in the archive belong in the file.

use super::ArchiveError;

/// More segments than this is no map but an attack.
const MAX_SEGMENTS: usize = 1 << 20;

/// The data segments of a sparse file, in order, and how far they were read.
#[derive(Debug)]
pub(crate) struct SparseMap {
    segments: Vec<(u64, u64)>,
    current: usize,
    done: u64,
}

impl SparseMap {
    /// Checks that segments run forward, within the file, and are as many bytes as the archive has.
    pub(crate) fn new(segments: Vec<(u64, u64)>, real: u64, stored: u64) -> Result<Self, ArchiveError> {
        let (mut end, mut sum) = (0_u64, 0_u64);
        for &(offset, length) in &segments {
            if offset < end {
                return Err(ArchiveError::Sparse);
            }
            end = offset.checked_add(length).filter(|&e| e <= real).ok_or(ArchiveError::Sparse)?;
            sum += length;
        }
        if sum != stored || segments.len() > MAX_SEGMENTS {
            return Err(ArchiveError::Sparse);
        }
        Ok(Self { segments, current: 0, done: 0 })
    }

    pub(crate) fn segments(&self) -> &[(u64, u64)] {
        &self.segments
    }

    /// Where the next byte goes, and how many go there in a row.
    pub(crate) fn position(&mut self) -> Option<(u64, u64)> {
        loop {
            let &(offset, length) = self.segments.get(self.current)?;
            if self.done < length {
                return Some((offset + self.done, length - self.done));
            }
            self.current += 1;
            self.done = 0;
        }
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
    }
}

pub(crate) fn check_count(segments: usize) -> Result<(), ArchiveError> {
    if segments > MAX_SEGMENTS { Err(ArchiveError::Sparse) } else { Ok(()) }
}
