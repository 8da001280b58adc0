//! Chance that can be repeated.

/// A generator of numbers (Marsaglia's xorshift64).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Less than `most`, which is not 0.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.number() >> 11).unwrap_or(usize::MAX) % most
    }
}
