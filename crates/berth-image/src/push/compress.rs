//! gzip by several cores at once, the same bytes every time.
//!
//! The input is cut into blocks of a fixed size, each is deflated by itself and ends on a byte's boundary (a "sync
//! flush"), and one after the other they are one ordinary gzip member: RFC 1951, 3.2.4, and RFC 1952. Nothing of the
//! host, of the time or of the number of cores is in it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use berth_oci::{Algorithm, Digest, Hasher};
use flate2::{Compress, Compression, Crc, FlushCompress};

/// What is compressed at once. Changing it, or the level, changes every digest.
const BLOCK: usize = 1 << 20;
/// The fastest: a push waits for this alone, and the next levels cost half as much again for a fifth of the size.
const LEVEL: u32 = 1;
/// Deflate, no name, no time, "fastest", made on an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// A last block with nothing in it.
const LAST: [u8; 2] = [3, 0];

/// What went in.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Where it was asked for.
    pub(crate) digest: Option<Digest>,
    pub(crate) length: u64,
    /// As it is at the end of what came out.
    pub(crate) crc: u32,
}

struct Job {
    block: Vec<u8>,
    done: SyncSender<io::Result<Done>>,
}

struct Done {
    bytes: Vec<u8>,
    crc: Crc,
}

/// Compresses all of `input` by so many threads, and hashes it where that is asked for. `out` gets the pieces in their order. Ends early, with
/// an error, when `stop` is set.
pub(crate) fn gzip(
    input: impl Read + Send,
    digest: Option<Algorithm>,
    threads: usize,
    stop: &AtomicBool,
    mut out: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<Raw> {
    let (jobs, queue) = sync_channel::<Job>(threads);
    let queue = Mutex::new(queue);
    let (order, ordered) = sync_channel::<Receiver<io::Result<Done>>>(2 * threads);
    let mut crc = Crc::new();
    let mut length = 0;
    out(&HEADER, 0)?;
    let digest = std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| work(&queue));
        }
        let reader = scope.spawn(move || read(input, digest, stop, &jobs, &order));
        let written = ordered.iter().try_for_each(|done| {
            let done = done.recv().map_err(|_| io::Error::other("a compressing thread ended early"))??;
            length += u64::from(done.crc.amount());
            crc.combine(&done.crc);
            out(&done.bytes, length)
        });
        // The reader finds nobody to give to, where that failed.
        drop(ordered);
        let digest = reader.join().map_err(|_| io::Error::other("the reading thread ended early"))?;
        written.and(digest)
    })?;
    out(&LAST, length)?;
    out(&crc.sum().to_le_bytes(), length)?;
    // RFC 1952 has the length modulo 2^32.
    out(&(length as u32).to_le_bytes(), length)?;
    Ok(Raw { digest, length, crc: crc.sum() })
}

fn read(
    mut input: impl Read,
    digest: Option<Algorithm>,
    stop: &AtomicBool,
    jobs: &SyncSender<Job>,
    order: &SyncSender<Receiver<io::Result<Done>>>,
) -> io::Result<Option<Digest>> {
    let mut hasher = digest.map(Hasher::new);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "given up"));
        }
        let mut block = Vec::with_capacity(BLOCK);
        input.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(hasher.map(Hasher::finish));
        }
        hasher.iter_mut().for_each(|hasher| hasher.update(&block));
        let (done, result) = sync_channel(1);
        if order.send(result).is_err() || jobs.send(Job { block, done }).is_err() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes what is compressed"));
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { block, done }) = job else { return };
        // Nobody may want it any longer.
        let _ = done.send(compress(&mut deflate, &block));
    }
}

fn compress(deflate: &mut Compress, block: &[u8]) -> io::Result<Done> {
    deflate.reset();
    let mut bytes = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let taken = deflate.total_in() as usize;
        deflate.compress_vec(&block[taken..], &mut bytes, FlushCompress::Sync).map_err(io::Error::other)?;
        // With room left, everything is out.
        if deflate.total_in() as usize == block.len() && bytes.len() < bytes.capacity() {
            break;
        }
        bytes.reserve(block.len() / 2 + 1024);
    }
    let mut crc = Crc::new();
    crc.update(block);
    Ok(Done { bytes, crc })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn packed(input: &[u8], threads: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let digest = (threads > 1).then_some(Algorithm::Sha256);
        let raw = gzip(input, digest, threads, &AtomicBool::new(false), |piece, _| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        let raw = raw.unwrap();
        let mut crc = Crc::new();
        crc.update(input);
        assert_eq!(raw.digest, digest.map(|_| Digest::of(input)));
        assert_eq!((raw.length, raw.crc), (input.len() as u64, crc.sum()));
        bytes
    }

    /// Bytes of which some compress and some do not.
    fn mixed(length: usize) -> Vec<u8> {
        let noise = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 13) as u8;
        (0..length).map(|i| if i / 70_000 % 2 == 0 { noise(i) } else { b'x' }).collect()
    }

    #[test]
    fn it_is_one_gzip_member_however_many_work() {
        for length in [0, 1, 511, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12_345] {
            let input = mixed(length);
            let bytes = packed(&input, 1);
            assert_eq!(bytes, packed(&input, 3), "{length}");
            let mut back = Vec::new();
            // One member only: a decoder of single members reads it to its end.
            let mut decoder = flate2::bufread::GzDecoder::new(&bytes[..]);
            decoder.read_to_end(&mut back).unwrap();
            assert!(back == input && decoder.into_inner().is_empty(), "{length}");
        }
    }

    #[test]
    fn the_form_is_fixed() {
        // Whoever changes this changes the digest of every image that is built again.
        let digest = Digest::of(&packed(&mixed(2 * BLOCK + 777), 2));
        assert_eq!(digest.as_str(), "sha256:af10bcc32c7d4ca05752f3986e6b9947f71f0f9d2037cfa88279064115fabce6");
    }

    #[test]
    fn it_stops_when_told_and_when_nobody_takes_it() {
        let endless = || io::repeat(b'x');
        let stopped = AtomicBool::new(true);
        assert!(gzip(endless(), None, 2, &stopped, |_, _| Ok(())).is_err());
        let full = |piece: &[u8], _| if piece.len() > 10 { Err(io::Error::other("full")) } else { Ok(()) };
        let error = gzip(endless(), None, 2, &AtomicBool::new(false), full).unwrap_err();
        assert_eq!(error.to_string(), "full");
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unreadable"))
            }
        }
        let error = gzip(Broken, None, 2, &AtomicBool::new(false), |_, _| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "unreadable");
    }
}
