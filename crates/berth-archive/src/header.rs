//! The 512 bytes before each entry.

use super::ArchiveError;

pub(crate) const BLOCK: usize = 512;

/// Offset and length of each piece of data in a sparse file.
pub(crate) type Segments = Vec<(u64, u64)>;

/// A header block; fields are read where they are needed.
pub(crate) struct Header<'a>(pub(crate) &'a [u8; BLOCK]);

impl Header<'_> {
    pub(crate) fn is_zero(&self) -> bool {
        self.0.iter().all(|&b| b == 0)
    }

    /// Sums the bytes with the checksum field as blanks; old archives summed them signed.
    pub(crate) fn verify(&self) -> Result<(), ArchiveError> {
        let stored = octal(&self.0[148..156]).ok_or(ArchiveError::Checksum)?;
        let (mut unsigned, mut signed) = (0_u64, 0_i64);
        for (n, &byte) in self.0.iter().enumerate() {
            let byte = if (148..156).contains(&n) { b' ' } else { byte };
            unsigned += u64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        if stored == unsigned || i64::try_from(stored) == Ok(signed) { Ok(()) } else { Err(ArchiveError::Checksum) }
    }

    pub(crate) fn typeflag(&self) -> u8 {
        self.0[156]
    }

    /// The name, with ustar's prefix before it (GNU keeps other things there).
    pub(crate) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(crate) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(crate) fn mode(&self) -> Result<u32, ArchiveError> {
        Ok(self.small(100..108, "mode")? & 0o7777)
    }

    pub(crate) fn uid(&self) -> Result<u32, ArchiveError> {
        self.small(108..116, "owner")
    }

    pub(crate) fn gid(&self) -> Result<u32, ArchiveError> {
        self.small(116..124, "group")
    }

    pub(crate) fn size(&self) -> Result<u64, ArchiveError> {
        self.number(124..136, "size")?.try_into().map_err(|_| ArchiveError::Field("size"))
    }

    pub(crate) fn mtime(&self) -> Result<i64, ArchiveError> {
        self.number(136..148, "time")
    }

    pub(crate) fn device(&self) -> Result<(u32, u32), ArchiveError> {
        Ok((self.small(329..337, "device number")?, self.small(337..345, "device number")?))
    }

    /// GNU's old sparse map in the header: up to four segments, whether more blocks follow, and the real size.
    pub(crate) fn gnu_sparse(&self) -> Result<(Segments, bool, u64), ArchiveError> {
        let real = number(&self.0[483..495]).and_then(|n| n.try_into().ok()).ok_or(ArchiveError::Sparse)?;
        Ok((sparse_segments(&self.0[386..482])?, self.0[482] != 0, real))
    }

    fn small(&self, range: std::ops::Range<usize>, what: &'static str) -> Result<u32, ArchiveError> {
        self.number(range, what)?.try_into().map_err(|_| ArchiveError::Field(what))
    }

    fn number(&self, range: std::ops::Range<usize>, what: &'static str) -> Result<i64, ArchiveError> {
        number(&self.0[range]).ok_or(ArchiveError::Field(what))
    }
}

/// Pairs of offset and length, 24 bytes each, as GNU writes them; an empty one ends the list.
pub(crate) fn sparse_segments(bytes: &[u8]) -> Result<Segments, ArchiveError> {
    let mut segments = Vec::new();
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 && pair[12] == 0 {
            break;
        }
        let field = |f| number(f).and_then(|n| u64::try_from(n).ok()).ok_or(ArchiveError::Sparse);
        segments.push((field(&pair[..12])?, field(&pair[12..])?));
    }
    Ok(segments)
}

/// A field up to its NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// Octal digits, or GNU's base 256 where the first bit is set.
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 == 0 {
        return octal(field).and_then(|n| n.try_into().ok());
    }
    let negative = field[0] & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    for (n, &byte) in field.iter().enumerate() {
        let byte = if n == 0 && !negative { byte & 0x7f } else { byte };
        value = value.checked_mul(256)? | i128::from(byte);
    }
    value.try_into().ok()
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|&b| b == 0 || b == b' ').unwrap_or(digits.len());
    let mut value = 0_u64;
    for &byte in &digits[..end] {
        let digit = byte.checked_sub(b'0').filter(|&d| d < 8)?;
        value = value.checked_mul(8)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_both_notations() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"00x\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        assert_eq!(number(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
