//! A rotated file becoming a `.gz`, slice by slice between other work: the container never waits for a whole file.
//!
//! The compressed file's comment says which file it was made of, so that whoever was reading that one knows where it
//! went on.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use flate2::write::GzEncoder;
use flate2::{Compression as Level, GzBuilder};

#[derive(Debug)]
pub(super) struct Compression {
    source: File,
    plain: PathBuf,
    unfinished: PathBuf,
    encoder: GzEncoder<File>,
    began: Instant,
}

/// `path` with more behind its name.
pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    name.into()
}

/// What a file is known by, whatever it is called and although numbers are used again: inode and birth.
fn identity(file: &File) -> io::Result<String> {
    let metadata = file.metadata()?;
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Ok(format!("{} {}", metadata.ino(), born.as_nanos()))
}

impl Compression {
    pub(super) fn begin(plain: &Path) -> io::Result<Self> {
        let source = File::open(plain)?;
        let unfinished = with(plain, ".tmp");
        let target = File::create(&unfinished)?;
        let encoder = GzBuilder::new().comment(identity(&source)?).write(target, Level::fast());
        Ok(Self { source, plain: plain.to_owned(), unfinished, encoder, began: Instant::now() })
    }

    /// Compresses a slice; true: that was the last, and the compressed file has taken the plain one's place.
    pub(super) fn step(&mut self, slice: &mut [u8]) -> io::Result<bool> {
        let length = self.source.read(slice)?;
        if length > 0 {
            self.encoder.write_all(&slice[..length])?;
            return Ok(false);
        }
        self.encoder.try_finish()?;
        std::fs::rename(&self.unfinished, with(&self.plain, ".gz"))?;
        std::fs::remove_file(&self.plain)?;
        Ok(true)
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// The plain file stays.
    pub(super) fn give_up(self) {
        drop(std::fs::remove_file(&self.unfinished));
    }
}
