//! What the containers' calls are told besides a key.

use jiff::Timestamp;

/// `DELETE /containers/{id}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Kill it first if it runs.
    pub force: bool,
    /// Remove its anonymous volumes too.
    pub volumes: bool,
}

/// What `wait` waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// At once where it does not run, else its exit.
    #[default]
    NotRunning,
    /// Its next exit, even where it does not run yet.
    NextExit,
    /// Its removal.
    Removed,
}

/// `attach`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// What the client writes goes to the container's stdin.
    pub stdin: bool,
    /// The client gets stdout.
    pub stdout: bool,
    /// The client gets stderr.
    pub stderr: bool,
    /// Take part from now on; without it, nothing is given.
    pub stream: bool,
    /// The keys that detach, as the user wrote them; empty: ctrl-p,ctrl-q.
    pub detach_keys: String,
}

/// `logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the container exits.
    pub follow: bool,
    /// Give stdout.
    pub stdout: bool,
    /// Give stderr.
    pub stderr: bool,
    /// Nothing before.
    pub since: Option<Timestamp>,
    /// Nothing after.
    pub until: Option<Timestamp>,
    /// Only the last so many lines; `None`: all.
    pub tail: Option<u64>,
    /// Only lines that this pattern is found in; `tail` counts these.
    pub grep: Option<String>,
}

/// `POST /exec/{id}/start`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExecStart {
    /// Nobody takes part.
    pub detach: bool,
    /// The terminal's first size: rows, columns.
    pub console_size: Option<(u16, u16)>,
}

/// The keys that end an attach session without ending the container, and how much of them has been typed.
///
/// The daemon passes what the client types through [`DetachKeys::scan`]; what is held back is given on with the next bytes that are
/// no part of the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    seen: usize,
}

impl DetachKeys {
    /// Parses `ctrl-p,ctrl-q`, `a,b` or a mix; empty text means ctrl-p,ctrl-q.
    ///
    /// # Errors
    /// Docker's sentence about the key that is none.
    pub fn parse(text: &str) -> crate::Result<Self> {
        let text = if text.is_empty() { "ctrl-p,ctrl-q" } else { text };
        let keys = text.split(',').map(parse_key).collect::<Option<Vec<u8>>>();
        match keys {
            Some(keys) => Ok(Self { keys, seen: 0 }),
            None => Err(crate::Error::Invalid(format!("Invalid detach keys ({text}) provided"))),
        }
    }

    /// Takes what was typed: what to pass on, and whether the sequence is complete (then the rest is dropped).
    pub fn scan(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut pass = Vec::with_capacity(typed.len() + self.seen);
        for &byte in typed {
            if self.keys.get(self.seen) == Some(&byte) {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    self.seen = 0;
                    return (pass, true);
                }
                continue;
            }
            pass.extend_from_slice(&self.keys[..self.seen]);
            self.seen = 0;
            if self.keys.first() == Some(&byte) {
                self.seen = 1;
            } else {
                pass.push(byte);
            }
        }
        (pass, false)
    }
}

fn parse_key(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() {
        return Some(*byte);
    }
    match text.strip_prefix("ctrl-")?.as_bytes() {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn the_sequence_is_found_across_reads_and_withheld_bytes_come_back() {
        let mut keys = DetachKeys::parse("").unwrap();
        assert_eq!(keys.scan(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.scan(b"\x10c"), (b"\x10\x10c".to_vec(), false));
        assert_eq!(keys.scan(b"\x10"), (vec![], false));
        assert_eq!(keys.scan(b"\x11zz"), (vec![], true));
    }

    #[test]
    fn keys_are_docker_s() {
        assert_eq!(DetachKeys::parse("ctrl-a,x,ctrl-_").unwrap().keys, [1, b'x', 31]);
        for bad in ["ctrl-", "ctrl-1", "ab", "a,,b"] {
            let text = DetachKeys::parse(bad).unwrap_err().to_string();
            assert_eq!(text, format!("Invalid detach keys ({bad}) provided"));
        }
    }
}
