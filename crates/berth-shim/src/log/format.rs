//! Where one entry of a log ends and the next begins.

use super::local;

/// How entries follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A line each.
    Json,
    /// Between their lengths.
    Local,
}

impl Format {
    /// The length of the first entry in `bytes`; all of them, where it is not whole.
    fn first(self, bytes: &[u8]) -> usize {
        match self {
            Self::Json => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1),
            Self::Local => local::first(bytes),
        }
    }

    /// How many entries there are.
    pub(super) fn count(self, mut bytes: &[u8]) -> u64 {
        let mut count = 0;
        while !bytes.is_empty() {
            bytes = &bytes[self.first(bytes)..];
            count += 1;
        }
        count
    }

    /// How much of the entry that was being written when `written` bytes were is missing.
    pub(super) fn torn(self, bytes: &[u8], written: usize) -> usize {
        let mut end = 0;
        while end < written {
            end += self.first(&bytes[end..]);
        }
        end - written
    }
}
