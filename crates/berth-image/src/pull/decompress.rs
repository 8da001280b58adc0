//! A layer's compression, told by its first bytes: what a media type says is often wrong.

use std::io::{self, BufRead, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::xz::Xz;

/// Beyond this, a layer may unpack to so many times its compressed size. Zeros compress a thousandfold, so real
/// layers with huge empty files come near; nothing real goes beyond both.
const FREE: u64 = 4 << 30;
const MAX_RATIO: u64 = 200;

/// So many bytes tell every form.
const LONGEST_MAGIC: usize = 5;

/// The window zstd may ask for (its own default limit for streams).
const ZSTD_WINDOW_LOG: u32 = 27;

/// The uncompressed bytes of `input`: as they are, or out of gzip, zstd, xz or bzip2.
///
/// # Errors
/// It cannot be read, or its first bytes promise what the next do not keep.
pub fn decompress<'a>(input: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let (form, input) = told(input)?;
    form.unpack(input)
}

/// Whether what begins so is certainly not compressed; of too few bytes nothing is certain.
pub fn is_plain(beginning: &[u8]) -> bool {
    beginning.len() >= LONGEST_MAGIC && Form::of(beginning) == Form::Plain
}

/// How `input` is compressed, and all of it again. A network may give its first bytes one by one.
///
/// # Errors
/// It cannot be read.
pub(crate) fn told<R: BufRead>(mut input: R) -> io::Result<(Form, impl BufRead + use<R>)> {
    let mut magic = Vec::with_capacity(LONGEST_MAGIC);
    input.by_ref().take(LONGEST_MAGIC as u64).read_to_end(&mut magic)?;
    Ok((Form::of(&magic), Cursor::new(magic).chain(input)))
}

/// How something is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Not at all, as far as its first bytes tell.
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Form {
    /// What begins with these bytes.
    pub(crate) fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A zstd frame, or one of those that are to be skipped, which zstd:chunked begins with.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Xz,
            _ => Self::Plain,
        }
    }

    /// The uncompressed bytes of what is compressed so.
    ///
    /// # Errors
    /// Its first bytes promise what the next do not keep.
    pub(crate) fn unpack<'a>(self, input: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Xz => Box::new(Xz::new(input)),
            Self::Plain => Box::new(input),
        })
    }
}

/// How many bytes a layer of so many compressed bytes may unpack to.
pub(crate) fn bound(compressed: u64) -> u64 {
    FREE.saturating_add(compressed.saturating_mul(MAX_RATIO))
}

/// Counts what is read through it.
pub(crate) struct Counted<R> {
    input: R,
    came: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(crate) fn new(input: R, came: Arc<AtomicU64>) -> Self {
        Self { input, came }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.came.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// Reads no more than a bound, which may grow meanwhile, and calls the rest what it is.
pub(crate) struct Bounded<R, B> {
    input: R,
    bound: B,
    produced: u64,
}

impl<R, B: Fn() -> u64> Bounded<R, B> {
    pub(crate) fn new(input: R, bound: B) -> Self {
        Self { input, bound, produced: 0 }
    }
}

/// Reads no more than what the compressed bytes that came so far may unpack to.
pub(crate) fn proportioned<R>(input: R, came: Arc<AtomicU64>) -> Bounded<R, impl Fn() -> u64> {
    Bounded::new(input, move || bound(came.load(Ordering::Relaxed)))
}

impl<R: Read, B: Fn() -> u64> Read for Bounded<R, B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.produced += got as u64;
        if self.produced > (self.bound)() {
            let text = "it unpacks to more than 200 times its size: refused as a decompression bomb";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(got)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompress(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
        let mut command = std::process::Command::new(program);
        let pipe = || std::process::Stdio::piped();
        let mut child = command.arg("-c").stdin(pipe()).stdout(pipe()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    #[test]
    fn every_form_is_recognised() {
        assert_eq!(read(b"plain").unwrap(), b"plain");
        assert_eq!(read(b"").unwrap(), b"");
        assert_eq!(read(&[gzip(b"one"), gzip(b"two")].concat()).unwrap(), b"onetwo");
        let frames = [zstd::encode_all(&b"one"[..], 1).unwrap(), zstd::encode_all(&b"two"[..], 1).unwrap()].concat();
        assert_eq!(read(&frames).unwrap(), b"onetwo");
        for program in ["bzip2", "xz"] {
            let packed = [packed(program, b"one"), packed(program, b"two")].concat();
            assert_eq!(read(&packed).unwrap(), b"onetwo", "{program}");
            assert!(read(&packed[..packed.len() - 5]).is_err(), "{program}");
            let mut spoilt = packed.clone();
            spoilt[packed.len() / 4] ^= 0x10;
            assert!(read(&spoilt).is_err(), "{program}");
        }
        assert!(read(&gzip(b"cut off")[..15]).is_err());
    }

    #[test]
    fn bombs_are_bounded() {
        let mut bounded = Bounded::new(io::repeat(0), || 1000);
        assert!(io::copy(&mut bounded, &mut io::sink()).unwrap_err().to_string().contains("bomb"));
    }

    #[test]
    fn bombs_are_bounded_by_what_came() {
        let came = Arc::new(AtomicU64::new(0));
        let mut bounded = proportioned(io::repeat(0), came.clone());
        bounded.produced = bound(0) - 10;
        assert_eq!(bounded.read(&mut [0; 10]).unwrap(), 10);
        came.store(1, Ordering::Relaxed);
        assert_eq!(bounded.read(&mut [0; 200]).unwrap(), 200);
        assert!(bounded.read(&mut [0; 1]).unwrap_err().to_string().contains("bomb"));
    }
}
