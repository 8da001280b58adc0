//! The image that benchmarks pull: six layers, 729 MB of files that gzip makes 256 MB of, in as many files as a
//! distribution's packages have. Made of arithmetic alone, so that it is the same everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{Layout, PATH};

/// Bytes of files.
const TOTAL: usize = 729_000_000;
const LAYERS: usize = 6;
/// Files of a package are between these, small ones being more.
const LEAST: usize = 200;
const MOST: usize = 260_000;
/// Of a file's bytes, so many in a hundred do not compress, as in programs and pictures.
const NOISE: u64 = 24;

/// Writes the image as a layout, unless it is there already; it is called `large:latest` in it.
#[must_use]
pub fn large(cache: &Path) -> PathBuf {
    let path = cache.join("large-1");
    if path.exists() {
        return path;
    }
    let partial = cache.join(format!("large-{}", std::process::id()));
    drop(fs::remove_dir_all(&partial));
    let mut layout = Layout::create(&partial);
    layout.streamed("large:latest", &json!({"Env": [PATH], "Cmd": ["true"]}), (0..LAYERS).map(one));
    layout.finish();
    fs::rename(&partial, &path).unwrap();
    path
}

/// One layer as a tar.
fn one(number: usize) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1) << 32);
    let words = words();
    let mut archive = tar::Builder::new(Vec::with_capacity(TOTAL / LAYERS * 11 / 10));
    let (mut left, mut file) = (TOTAL / LAYERS, 0);
    while left > 0 {
        let size = random.size().min(left);
        left -= size;
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size as u64);
        let path = format!("usr/share/layer{number}/part{}/file{file}", file / 64);
        archive.append_data(&mut header, path, content(&mut random, &words, size).as_slice()).unwrap();
        file += 1;
    }
    archive.into_inner().unwrap()
}

/// Words in no order, with noise between.
fn content(random: &mut Random, words: &[Vec<u8>], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 64);
    while bytes.len() < size {
        match random.below(100) < NOISE {
            true => bytes.extend(random.next().to_le_bytes()),
            // Few words are frequent.
            false => {
                let (a, b) = (random.below(words.len() as u64), random.below(words.len() as u64));
                bytes.extend(&words[(a * b / words.len() as u64) as usize]);
            }
        }
    }
    bytes.truncate(size);
    bytes
}

fn words() -> Vec<Vec<u8>> {
    let mut random = Random(42);
    (0..512)
        .map(|_| {
            let length = 8 + random.below(17);
            (0..length).map(|_| b'a' + random.below(26) as u8).chain([b' ']).collect()
        })
        .collect()
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// Each power of two between the least and the most is as likely as another.
    fn size(&mut self) -> usize {
        let span = (MOST / LEAST).ilog2() as u64;
        let base = LEAST << self.below(span + 1);
        (base + self.below(base as u64) as usize).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn it_compresses_as_promised() {
        let bytes = content(&mut Random(7), &words(), 4_000_000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let ratio = encoder.finish().unwrap().len() as f64 / bytes.len() as f64;
        assert!((0.34..0.36).contains(&ratio), "{ratio}");
    }
}
