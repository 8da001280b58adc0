//! Key sequences that detach (`ctrl-p,ctrl-q`), and finding them in what is typed.

/// Docker's default.
pub(crate) const DEFAULT: &[u8] = &[16, 17];

/// Reads a sequence: single characters and `ctrl-` with a letter or one of `@[\]^_`, separated by commas.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut keys = Vec::new();
    for key in text.split(',') {
        match key.as_bytes() {
            [one] => keys.push(*one),
            _ => keys.push(control(key).ok_or_else(|| format!("Unknown character: '{key}'"))?),
        }
    }
    Ok(keys)
}

fn control(key: &str) -> Option<u8> {
    match key.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'@'] => Some(0),
        [b'['] => Some(27),
        [b'\\'] => Some(28),
        [b']'] => Some(29),
        [b'^'] => Some(30),
        [b'_'] => Some(31),
        _ => None,
    }
}

/// Watches typed bytes for the sequence. Keys of an unfinished sequence are held back until it is clear that they
/// are not one.
#[derive(Debug)]
pub(crate) struct Watch {
    keys: Vec<u8>,
    matched: usize,
}

impl Watch {
    pub(crate) fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// What of `typed` may be sent on; `None` once the sequence is complete.
    pub(crate) fn feed(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.keys.get(self.matched) == Some(byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return None;
                }
                continue;
            }
            out.extend_from_slice(&self.keys[..self.matched]);
            self.matched = usize::from(self.keys.first() == Some(byte));
            if self.matched == 0 {
                out.push(*byte);
            } else if self.keys.len() == 1 {
                return None;
            }
        }
        Some(out)
    }
}
