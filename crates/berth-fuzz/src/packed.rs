//! Compressed input that gets past the first checks: spoilt streams with checksums that fit, members and frames of every
//! kind behind each other.

use std::io::Write;

use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};

use crate::chance::Chance;
use crate::mutate;

/// As much as a spoilt stream may give.
const MOST: usize = 1 << 20;
/// Magic, deflate, no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Something new, or one of the seeds with a deflated part that is spoilt and fits its checksum.
pub(crate) fn change(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    match chance.below(3) {
        0 => repaired(seeds, chance),
        _ => (0..=chance.below(3)).flat_map(|_| part(chance)).collect(),
    }
}

fn part(chance: &mut Chance) -> Vec<u8> {
    let plain = plain(chance);
    match chance.below(6) {
        0 | 1 => member(&plain, chance),
        2 | 3 => frame(&plain, chance),
        // A frame that is to be skipped, and lies about its length at times (RFC 8878, 3.1.2).
        4 => {
            let length = if chance.below(3) == 0 { chance.number() as u32 } else { plain.len() as u32 };
            [&(0x184d_2a50 + chance.below(16) as u32).to_le_bytes(), &length.to_le_bytes(), &plain[..]].concat()
        }
        _ => plain,
    }
}

fn plain(chance: &mut Chance) -> Vec<u8> {
    let scale = chance.below(17);
    let length = chance.below(1 << scale);
    match chance.below(3) {
        0 => vec![chance.number() as u8; length],
        1 => (0..length).map(|_| chance.number() as u8).collect(),
        _ => (0..length).map(|n| (n * n % 251) as u8).collect(),
    }
}

/// A gzip member with whatever a header may have (RFC 1952, 2.3).
fn member(plain: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut header = flate2::GzBuilder::new();
    if chance.below(3) == 0 {
        header = header.filename(vec![b'n'; chance.below(300)]).comment(vec![b'c'; chance.below(300)]);
    }
    if chance.below(3) == 0 {
        header = header.extra(vec![0; chance.below(70_000).min(65_535)]);
    }
    let mut writer = header.write(Vec::new(), Compression::new(chance.below(10) as u32));
    for piece in plain.chunks(64 + chance.below(plain.len().max(1))) {
        drop(writer.write_all(piece));
        if chance.below(4) == 0 {
            drop(writer.flush());
        }
    }
    writer.finish().unwrap_or_default()
}

fn frame(plain: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Ok(mut encoder) = zstd::Encoder::new(Vec::new(), chance.below(4) as i32) else { return Vec::new() };
    drop(encoder.include_checksum(chance.below(2) == 0));
    drop(encoder.include_contentsize(chance.below(2) == 0));
    drop(encoder.window_log(10 + chance.below(13) as u32));
    drop(encoder.write_all(plain));
    encoder.finish().unwrap_or_default()
}

/// A gzip member of which the deflated part is spoilt, and the checksum and the length are those of what it gives.
fn repaired(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let made = member(&plain(chance), chance);
    let gzip = seeds.iter().find(|seed| seed.starts_with(&HEADER[..4]) && chance.below(2) == 0).unwrap_or(&made);
    let mut deflated = gzip.get(HEADER.len()..gzip.len().saturating_sub(8)).unwrap_or_default().to_vec();
    mutate::mutate(&mut deflated, seeds, chance);
    let (mut inflate, mut out) = (Decompress::new(false), Vec::with_capacity(MOST));
    let ended = inflate.decompress_vec(&deflated, &mut out, FlushDecompress::Finish);
    if matches!(ended, Ok(Status::StreamEnd)) {
        deflated.truncate(inflate.total_in() as usize);
    }
    let mut crc = Crc::new();
    crc.update(&out);
    [&HEADER, &deflated[..], &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}
