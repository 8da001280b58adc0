//! Sandboxes made ahead of time: how many there are, how many there should be, and who waits for one. Pure.
//!
//! A stock nobody ever took from stays empty; from then on a few are kept ready.

use std::collections::VecDeque;

use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Stock<T> {
    /// Finished ones, and failures for those who wait.
    ready: VecDeque<Result<T>>,
    /// How many are being made now.
    making: usize,
    /// How many takers wait.
    waiting: usize,
    /// How many to keep ready.
    target: usize,
    /// The last one made for the stock failed: no more are tried until somebody asks.
    stalled: bool,
}

impl<T> Stock<T> {
    pub(crate) const fn new() -> Self {
        Self { ready: VecDeque::new(), making: 0, waiting: 0, target: 0, stalled: false }
    }

    /// From now on `target` are to be kept ready.
    pub(crate) const fn keep(&mut self, target: usize) {
        self.target = target;
    }

    /// One less, where there is one; a failure is told to one taker only.
    pub(crate) fn take(&mut self) -> Option<Result<T>> {
        self.stalled = false;
        self.ready.pop_front()
    }

    pub(crate) const fn begin_waiting(&mut self) {
        self.waiting += 1;
    }

    pub(crate) const fn end_waiting(&mut self) {
        self.waiting -= 1;
    }

    /// Whether one should be made; somebody waiting for it makes it urgent.
    pub(crate) fn needs(&self) -> Need {
        let coming = self.ready.len() + self.making;
        if coming < self.waiting {
            Need::Urgent
        } else if !self.stalled && coming < self.waiting + self.target {
            Need::Stock
        } else {
            Need::Nothing
        }
    }

    pub(crate) const fn begin_making(&mut self) {
        self.making += 1;
    }

    /// One is made, for somebody who waits (`urgent`) or for the stock. A failure goes to who waits for it; that of one
    /// for the stock is given back to be logged.
    pub(crate) fn made(&mut self, result: Result<T>, urgent: bool) -> Option<Error> {
        self.making -= 1;
        match result {
            Err(error) if !urgent || self.ready.len() >= self.waiting => {
                self.stalled = true;
                Some(error)
            }
            result => {
                self.ready.push_back(result);
                None
            }
        }
    }

    /// What made it fail may be over.
    pub(crate) const fn retry(&mut self) {
        self.stalled = false;
    }

    /// Everything that is ready, out of the stock.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.ready.drain(..).filter_map(Result::ok).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Urgent,
    Stock,
    Nothing,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_unused_stock_needs_nothing() {
        let mut stock: Stock<u8> = Stock::new();
        assert_eq!(stock.needs(), Need::Nothing);
        stock.keep(2);
        assert_eq!(stock.needs(), Need::Stock);
        stock.begin_making();
        stock.begin_making();
        assert_eq!(stock.needs(), Need::Nothing);
        assert!(stock.made(Ok(1), false).is_none() && stock.made(Ok(2), false).is_none());
        assert_eq!(stock.needs(), Need::Nothing);
        assert_eq!(stock.take().unwrap().unwrap(), 1);
        assert_eq!(stock.needs(), Need::Stock);
    }

    #[test]
    fn who_waits_comes_first_and_learns_of_a_failure() {
        let mut stock: Stock<u8> = Stock::new();
        stock.keep(1);
        stock.begin_waiting();
        assert_eq!(stock.needs(), Need::Urgent);
        stock.begin_making();
        assert_eq!(stock.needs(), Need::Stock);
        assert!(stock.made(Err(Error::ShutDown), true).is_none());
        assert!(matches!(stock.take(), Some(Err(Error::ShutDown))));
        stock.end_waiting();
        stock.begin_making();
        assert!(stock.made(Err(Error::ShutDown), false).is_some(), "nobody waits: to be logged");
        assert_eq!(stock.needs(), Need::Nothing, "not tried over and over");
        stock.retry();
        assert_eq!(stock.needs(), Need::Stock);
    }
}
