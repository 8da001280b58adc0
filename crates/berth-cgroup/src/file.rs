//! Reading and writing the kernel's small files, with errors that say which file, what and why.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::Error;

/// Everything a file says.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    // The kernel's files say their size is 4096 or 0; most are much shorter.
    let mut text = String::with_capacity(256);
    File::open(path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(text)
}

/// [`read`], or `None` where there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, Error> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(Error::Read { source, .. }) if is_absent(&source) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A missing file, or one whose controller went away while it was read.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

/// Writes a value in one go, as these files demand.
pub(crate) fn write(path: &Path, value: &str) -> Result<(), Error> {
    write_raw(path, value).map_err(|source| Error::Write { path: path.to_owned(), value: value.to_owned(), source })
}

pub(crate) fn write_raw(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(value.as_bytes())
}

/// A number, or `None` for the words that mean there is no limit.
pub(crate) fn number(path: &Path) -> Result<Option<u64>, Error> {
    let text = read(path)?;
    parse_number(text.trim()).map_err(|expected| Error::Parse {
        path: path.to_owned(),
        text: beginning(&text),
        expected,
    })
}

/// [`number`] of a file that may be missing.
pub(crate) fn number_if_there(path: &Path) -> Result<Option<u64>, Error> {
    match read_if_there(path)? {
        None => Ok(None),
        Some(text) => parse_number(text.trim()).map_err(|expected| Error::Parse {
            path: path.to_owned(),
            text: beginning(&text),
            expected,
        }),
    }
}

fn parse_number(text: &str) -> Result<Option<u64>, &'static str> {
    match text {
        "max" | "-1" => Ok(None),
        text => text.parse().map(Some).map_err(|_| "a number"),
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The lines `name value` of a file; others are passed over.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        Some((name, value.trim().parse().ok()?))
    })
}

/// The value beside a name among [`pairs`].
pub(crate) fn pair(text: &str, name: &str) -> Option<u64> {
    pairs(text).find(|(one, _)| *one == name).map(|(_, value)| value)
}
