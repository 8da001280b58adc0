//! Messages that wait for a log service: their bytes in one piece, and where each ends.

use std::collections::VecDeque;

/// Sent bytes are cut off the front once there are so many.
const COMPACT: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Where the first message begins.
    start: usize,
    lengths: VecDeque<u32>,
    /// How much of the first message a stream has taken.
    taken: usize,
}

impl Queue {
    /// Adds what `write` appends, as one message; nothing is none.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > begin {
            self.lengths.push_back((self.bytes.len() - begin) as u32);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Messages.
    pub(super) fn count(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// Bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() - self.start - self.taken
    }

    /// The first message.
    pub(super) fn first(&self) -> Option<&[u8]> {
        let length = *self.lengths.front()? as usize;
        self.bytes.get(self.start..self.start + length)
    }

    /// All that is left for a stream.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start + self.taken..]
    }

    /// The first message is gone.
    pub(super) fn pop(&mut self) {
        if let Some(length) = self.lengths.pop_front() {
            self.start += length as usize;
            self.taken = 0;
            self.tidy();
        }
    }

    /// A stream took so many bytes.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        while let Some(length) = self.lengths.front().map(|length| *length as usize)
            && length <= self.taken
        {
            self.taken -= length;
            self.start += length;
            self.lengths.pop_front();
        }
        self.tidy();
    }

    /// The connection broke: a message that was sent in part goes again as a whole.
    pub(super) fn rewind(&mut self) {
        self.taken = 0;
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn tidy(&mut self) {
        if self.lengths.is_empty() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start >= COMPACT && self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Gives memory back where nothing waits.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out_however_it_is_taken(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..60),
            steps in prop::collection::vec(1usize..9000, 1..20),
        ) {
            let mut queue = Queue::default();
            let (mut out, mut steps) = (Vec::new(), steps.iter().cycle());
            for message in &messages {
                queue.push(|bytes| bytes.extend_from_slice(message));
                let count = (*steps.next().unwrap()).min(queue.rest().len());
                out.extend_from_slice(&queue.rest()[..count]);
                queue.take(count);
            }
            out.extend_from_slice(queue.rest());
            prop_assert_eq!(out, messages.concat());
            queue.take(queue.rest().len());
            prop_assert!(queue.is_empty() && queue.size() == 0);
        }
    }

    #[test]
    fn a_message_sent_in_part_goes_again_as_a_whole() {
        let mut queue = Queue::default();
        for text in ["one\n", "two\n"] {
            queue.push(|bytes| bytes.extend_from_slice(text.as_bytes()));
        }
        queue.take(6);
        assert_eq!(queue.rest(), b"o\n");
        queue.rewind();
        assert_eq!((queue.rest(), queue.first().unwrap()), (&b"two\n"[..], &b"two\n"[..]));
        queue.pop();
        assert!(queue.is_empty());
    }
}
