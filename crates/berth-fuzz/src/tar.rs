//! Archives that are put together of odd parts with checksums that fit: names that climb, sizes that lie, records that
//! contradict headers, sparse maps of every age.

use crate::chance::Chance;

const BLOCK: usize = 512;

const NAMES: [&str; 26] = [
    "a",
    "a/",
    "a/b",
    "a/b/c",
    "b",
    "./a",
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/x",
    "//",
    "a//b",
    ".wh.a",
    "a/.wh.b",
    ".wh..wh..opq",
    "a/.wh..wh..opq",
    ".wh.",
    ".wh...",
    "a/.wh..wh.plnk",
    "a\u{0}b",
    "\u{fe}",
    "a/.",
    "a/..",
    "./././a/",
];

const KINDS: &[u8] = b"0\x001234567gxLKSVNMAD?";

const RECORDS: [&str; 20] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "mtime",
    "atime",
    "comment",
    "hdrcharset",
    "SCHILY.xattr.user.x",
    "SCHILY.xattr.trusted.overlay.opaque",
    "SCHILY.xattr.security.capability",
    "SCHILY.xattr.",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.name",
    "GNU.sparse.realsize",
    "GNU.sparse.map",
    "GNU.sparse.numblocks",
    "GNU.sparse.offset",
];

const VALUES: [&str; 22] = [
    "0",
    "1",
    "-1",
    "7",
    "512",
    "1.5",
    "-1.5",
    "1.",
    ".",
    "99999999999999999999",
    "9223372036854775807",
    "1e9",
    "",
    "a/b",
    "../x",
    "y",
    "0,512",
    "0,512,1024,512",
    "1024,512,0,512",
    "0,18446744073709551615",
    "BINARY",
    "a=b",
];

/// A whole archive.
pub(crate) fn make(chance: &mut Chance) -> Vec<u8> {
    let mut archive = Vec::new();
    for _ in 0..=chance.below(7) {
        entry(&mut archive, chance);
    }
    archive.resize(archive.len() + BLOCK * chance.below(4), 0);
    if chance.below(10) == 0 {
        archive.truncate(chance.below(archive.len() + 1));
    }
    archive
}

fn one_of<'a>(words: &[&'a str], chance: &mut Chance) -> &'a str {
    words[chance.below(words.len())]
}

fn name(chance: &mut Chance) -> Vec<u8> {
    match chance.below(8) {
        0 => vec![b'n'; 90 + chance.below(200)],
        1 => "d/".repeat(chance.below(150)).into_bytes(),
        _ => one_of(&NAMES, chance).as_bytes().to_vec(),
    }
}

fn entry(archive: &mut Vec<u8>, chance: &mut Chance) {
    let kind = match chance.below(3) {
        0 => KINDS[chance.below(KINDS.len())],
        1 => b"xgLKS"[chance.below(5)],
        _ => b"0125"[chance.below(4)],
    };
    let data = match kind {
        b'x' | b'g' => records(chance),
        b'L' | b'K' => [name(chance), vec![0; chance.below(2)]].concat(),
        b'0' | 0 | b'7' | b'S' => content(chance),
        _ if chance.below(6) == 0 => content(chance),
        _ => Vec::new(),
    };
    let mut header = header(kind, data.len(), chance);
    if kind == b'S' {
        sparse(&mut header, data.len(), chance);
    }
    seal(&mut header, chance);
    archive.extend_from_slice(&header);
    if kind == b'S' && header[482] == 1 {
        let mut more = [0; BLOCK];
        (0..21).for_each(|n| number(&mut more[n * 12..n * 12 + 12], chance.below(4096) as u64, chance));
        more[504] = u8::from(chance.below(4) == 0);
        archive.extend_from_slice(&more);
    }
    archive.extend_from_slice(&data);
    if chance.below(12) > 0 {
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
}

fn content(chance: &mut Chance) -> Vec<u8> {
    // A map of GNU's version 1.0 begins with text like this.
    match chance.below(4) {
        0 => format!("{}\n{}\n{}\n", chance.below(4), chance.below(2048), chance.below(2048)).into_bytes(),
        _ => {
            let scale = chance.below(13);
            vec![b'x'; chance.below(1 << scale)]
        }
    }
}

fn header(kind: u8, length: usize, chance: &mut Chance) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put(&mut header[..100], &name(chance));
    number(&mut header[100..108], 0o644, chance);
    number(&mut header[108..116], chance.below(70_000) as u64, chance);
    number(&mut header[116..124], chance.below(70_000) as u64, chance);
    let told = if chance.below(12) == 0 { chance.number() >> chance.below(64) } else { length as u64 };
    number(&mut header[124..136], told, chance);
    number(&mut header[136..148], 1_700_000_000, chance);
    header[156] = kind;
    put(&mut header[157..257], &name(chance));
    match chance.below(4) {
        0 => put(&mut header[257..265], b"ustar  \0"),
        1 => {}
        _ => {
            put(&mut header[257..265], b"ustar\x0000");
            if chance.below(3) == 0 {
                put(&mut header[345..500], &name(chance));
            }
        }
    }
    number(&mut header[329..337], chance.below(300) as u64, chance);
    number(&mut header[337..345], chance.below(300) as u64, chance);
    header
}

/// GNU's old way: four pieces in the header, and perhaps more behind it.
fn sparse(header: &mut [u8; BLOCK], length: usize, chance: &mut Chance) {
    put(&mut header[257..265], b"ustar  \0");
    for piece in 0..chance.below(5).min(4) {
        let at = 386 + piece * 24;
        number(&mut header[at..at + 12], (piece * 1024) as u64, chance);
        number(&mut header[at + 12..at + 24], (length / 4) as u64, chance);
    }
    header[482] = u8::from(chance.below(3) == 0);
    number(&mut header[483..495], (length * 2) as u64, chance);
}

/// `<length> <key>=<value>\n`, mostly with the right length.
fn records(chance: &mut Chance) -> Vec<u8> {
    let mut records = Vec::new();
    for _ in 0..=chance.below(6) {
        let value = if chance.below(8) == 0 { "v".repeat(chance.below(5000)) } else { one_of(&VALUES, chance).into() };
        let rest = format!(" {}={value}\n", one_of(&RECORDS, chance));
        let mut length = rest.len();
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        let length = if chance.below(15) == 0 { chance.below(200) } else { length };
        records.extend_from_slice(format!("{length}{rest}").as_bytes());
    }
    records
}

fn put(field: &mut [u8], bytes: &[u8]) {
    field.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
}

/// Octal, or in base 256, or no number at all.
fn number(field: &mut [u8], value: u64, chance: &mut Chance) {
    let width = field.len();
    match chance.below(14) {
        0 => {
            field.fill(if chance.below(2) == 0 { 0 } else { 0xff });
            let bytes = value.to_be_bytes();
            let some = bytes.len().min(width - 1);
            field[width - some..].copy_from_slice(&bytes[8 - some..]);
            field[0] |= 0x80;
        }
        1 => field.fill(b"7 9-x\0"[chance.below(6)]),
        2 => put(field, format!("{value:o}").as_bytes()),
        _ => put(field, format!("{value:0>fill$o}\0", fill = width - 1).as_bytes()),
    }
}

fn seal(header: &mut [u8; BLOCK], chance: &mut Chance) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    let sum = if chance.below(40) == 0 { sum + 1 } else { sum };
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
