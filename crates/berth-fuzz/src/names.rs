//! References that are put together of parts of references.

use crate::chance::Chance;

const PARTS: [&str; 30] = [
    "busybox",
    "library",
    "docker.io",
    "index.docker.io",
    "localhost",
    "localhost:5000",
    "h.example",
    "H.example",
    "127.0.0.1:80",
    "[::1]",
    "[::1]:5",
    ":",
    "/",
    "@",
    ".",
    "..",
    "-",
    "_",
    "__",
    "___",
    "latest",
    "Tag_1.2-3",
    "sha256:",
    "sha512:",
    "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
    "0a",
    " ",
    "\u{e9}",
    "UP",
    "65536",
];

/// Up to nine of them.
pub(crate) fn make(chance: &mut Chance) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..=chance.below(9) {
        text.push_str(PARTS[chance.below(PARTS.len())]);
        match chance.below(4) {
            0 => text.push(':'),
            1 => text.push('/'),
            _ => {}
        }
    }
    text.into_bytes()
}
