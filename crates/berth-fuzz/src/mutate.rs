//! What is done to an input.

use crate::chance::Chance;

/// Numbers at which arithmetic turns over, and text on which parsers turn.
const WORDS: [&[u8]; 22] = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0\0\0\0\0",
    b"77777777777\0",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551615",
    b"9223372036854775808",
    b"null",
    b"[]",
    b"{}",
    b"\"",
    b"sha256:",
    b"@",
    b":",
    b"/",
    b"..",
    b"GNU.sparse.map",
    b"size=",
    b"\xed\xa0\x80",
];

const BLOCK: usize = 512;

/// Changes an input in a few places.
pub(crate) fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    for _ in 0..=chance.below(6) {
        if input.is_empty() {
            input.extend_from_slice(WORDS[chance.below(WORDS.len())]);
            continue;
        }
        let at = chance.below(input.len());
        match chance.below(9) {
            0 => input[at] = chance.number() as u8,
            1 => input[at] ^= 1 << chance.below(8),
            2 => input[at] = input[at].wrapping_add(1),
            3 => input.truncate(at),
            4 => {
                let end = (at + 1 + chance.below(64)).min(input.len());
                input.drain(at..end);
            }
            5 => {
                let from = chance.below(input.len());
                let piece = input[from..(from + 1 + chance.below(BLOCK)).min(input.len())].to_vec();
                input.splice(at..at, piece);
            }
            6 => over(input, at, WORDS[chance.below(WORDS.len())]),
            7 => {
                input.splice(at..at, WORDS[chance.below(WORDS.len())].iter().copied());
            }
            _ => {
                let other = &others[chance.below(others.len())];
                if !other.is_empty() {
                    let from = chance.below(other.len());
                    over(input, at, &other[from..(from + chance.below(BLOCK)).min(other.len())]);
                }
            }
        }
    }
}

fn over(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in input[at..].iter_mut().zip(bytes) {
        *place = *byte;
    }
}

/// Makes the checksums of an archive's headers right again, so that what lies behind them is reached.
pub(crate) fn repair(input: &mut [u8], chance: &mut Chance) {
    if chance.below(4) == 0 {
        return;
    }
    for block in input.chunks_exact_mut(BLOCK).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
