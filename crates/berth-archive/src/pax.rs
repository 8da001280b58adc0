//! PAX extended headers: records `length key=value\n` that say what the header has no room for.

use super::{ArchiveError, PATH_MAX};

/// What PAX records said so far; global ones stay, an entry's own come on top.
#[derive(Debug, Default, Clone)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mtime: Option<(i64, u32)>,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// `GNU.sparse.name`.
    pub(crate) sparse_name: Option<Vec<u8>>,
    /// `GNU.sparse.realsize`, or `.size` of the older forms.
    pub(crate) sparse_size: Option<u64>,
    /// Form 1.0: the map lies before the data.
    pub(crate) sparse_in_data: bool,
    /// Forms 0.0 and 0.1: the map itself.
    pub(crate) sparse_map: Option<Vec<(u64, u64)>>,
    sparse_offset: Option<u64>,
}

impl Pax {
    /// Takes the records of one extended header.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        while !bytes.is_empty() {
            // Some writers pad with NULs.
            if bytes.iter().all(|&b| b == 0) {
                break;
            }
            let space = bytes.iter().take(20).position(|&b| b == b' ').ok_or(ArchiveError::Pax)?;
            let length: usize = decimal(&bytes[..space]).and_then(|n| n.try_into().ok()).ok_or(ArchiveError::Pax)?;
            if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
                return Err(ArchiveError::Pax);
            }
            let record = &bytes[space + 1..length - 1];
            let equals = record.iter().position(|&b| b == b'=').ok_or(ArchiveError::Pax)?;
            self.record(&record[..equals], &record[equals + 1..])?;
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let number = || decimal(value).ok_or(ArchiveError::Pax);
        let small = || decimal(value).and_then(|n| u32::try_from(n).ok()).ok_or(ArchiveError::Pax);
        match key {
            // An empty value takes a global record back.
            b"path" => self.path = name(value)?,
            b"linkpath" => self.link = name(value)?,
            b"size" => self.size = if value.is_empty() { None } else { Some(number()?) },
            b"uid" => self.uid = if value.is_empty() { None } else { Some(small()?) },
            b"gid" => self.gid = if value.is_empty() { None } else { Some(small()?) },
            b"mtime" => self.mtime = if value.is_empty() { None } else { Some(time(value)?) },
            b"GNU.sparse.name" => self.sparse_name = name(value)?,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse_size = Some(number()?),
            b"GNU.sparse.major" => self.sparse_in_data = value == b"1",
            b"GNU.sparse.map" => self.sparse_map = Some(map(value)?),
            b"GNU.sparse.offset" => self.sparse_offset = Some(number()?),
            b"GNU.sparse.numbytes" => {
                let offset = self.sparse_offset.take().ok_or(ArchiveError::Sparse)?;
                self.sparse_map.get_or_insert_default().push((offset, number()?));
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.retain(|(other, _)| other != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

fn name(value: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    if value.len() > PATH_MAX {
        return Err(ArchiveError::TooLong("name"));
    }
    if value.contains(&0) {
        return Err(ArchiveError::Pax);
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `seconds[.fraction]`, perhaps before 1970.
fn time(value: &[u8]) -> Result<(i64, u32), ArchiveError> {
    let (whole, fraction) = match value.iter().position(|&b| b == b'.') {
        Some(dot) => (&value[..dot], &value[dot + 1..]),
        None => (value, &[][..]),
    };
    let (negative, digits) = match whole.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, whole),
    };
    let seconds = decimal(digits).and_then(|n| i64::try_from(n).ok()).ok_or(ArchiveError::Pax)?;
    let mut nanos = 0_u32;
    for place in 0..9 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        nanos = nanos * 10 + u32::from(digit.checked_sub(b'0').filter(|&d| d < 10).ok_or(ArchiveError::Pax)?);
    }
    Ok(match (negative, nanos) {
        (false, nanos) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, nanos) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

fn map(value: &[u8]) -> Result<Vec<(u64, u64)>, ArchiveError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Option<Vec<u64>> = value.split(|&b| b == b',').map(decimal).collect();
    let numbers = numbers.filter(|n| n.len() % 2 == 0).ok_or(ArchiveError::Sparse)?;
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let mut pax = Pax::default();
        pax.take(b"9 path=x\n21 mtime=12.50000000\n29 SCHILY.xattr.user.a=b\nc=d\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"x"[..]));
        assert_eq!(pax.mtime, Some((12, 500_000_000)));
        assert_eq!(pax.xattrs, [(b"user.a".to_vec(), b"b\nc=d".to_vec())]);
        for bad in [&b"8 path=x\n"[..], b"99 path=x\n", b"path=x\n", b"0 \n", b"9 pathx=\0"] {
            assert!(Pax::default().take(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_before_the_epoch() {
        assert_eq!(time(b"-1.25").unwrap(), (-2, 750_000_000));
        assert_eq!(time(b"0").unwrap(), (0, 0));
        assert!(time(b"1.x").is_err());
    }
}
