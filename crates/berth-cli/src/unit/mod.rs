//! Sizes, durations and times as Docker reads and prints them.

pub(crate) mod duration;
pub(crate) mod number;
pub(crate) mod size;
pub(crate) mod time;

#[cfg(test)]
mod tests;
