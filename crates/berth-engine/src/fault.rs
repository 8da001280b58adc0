//! Faults on purpose: a step of create, start, exec or remove that fails, or at which the daemon dies.
//!
//! Only debug builds have them: in others, [`Faults::at`] is nothing. Tests ask for one by the daemon's environment.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Result;

/// The steps that can fail, in the order in which a container meets them.
pub const STEPS: [&str; 12] = [
    "create.reserved",
    "create.files",
    "create.recorded",
    "start.shim",
    "start.mount",
    "start.network",
    "start.planned",
    "start.launched",
    "start.recorded",
    "exec.planned",
    "remove.asked",
    "remove.forgotten",
];

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fail,
    Die,
}

/// One fault: a step, and what happens there the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    step: &'static str,
    kind: Kind,
}

impl Fault {
    /// Reads `STEP=fail` or `STEP=die`; `None`: it is neither, or no such step.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (step, kind) = text.split_once('=')?;
        let kind = match kind {
            "fail" => Kind::Fail,
            "die" => Kind::Die,
            _ => return None,
        };
        Some(Self { step: STEPS.iter().find(|known| **known == step)?, kind })
    }
}

/// The fault asked for, if one was; it happens once.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    #[cfg(debug_assertions)]
    fault: Option<Fault>,
    #[cfg(debug_assertions)]
    over: AtomicBool,
}

#[cfg(debug_assertions)]
impl Faults {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, over: AtomicBool::new(false) }
    }

    /// This step has been reached.
    pub(crate) fn at(&self, step: &'static str) -> Result<()> {
        debug_assert!(STEPS.contains(&step), "{step} is no step");
        let Some(fault) = self.fault.as_ref().filter(|fault| fault.step == step) else { return Ok(()) };
        if self.over.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        if fault.kind == Kind::Die {
            // As `kill -9` does: nothing is cleaned up.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        Err(crate::Error::Internal(format!("a fault was asked for at {step}")))
    }
}

#[cfg(not(debug_assertions))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "release builds have no faults")]
impl Faults {
    pub(crate) const fn new(_: Option<Fault>) -> Self {
        Self {}
    }

    #[inline]
    pub(crate) const fn at(&self, _: &'static str) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_once_and_where_it_was_asked_for() {
        let faults = Faults::new(Fault::parse("start.mount=fail"));
        assert!(faults.at("start.shim").is_ok());
        assert!(faults.at("start.mount").is_err());
        assert!(faults.at("start.mount").is_ok());
        for bad in ["start.mount", "start.mount=", "start.nowhere=fail", "=die"] {
            assert_eq!(Fault::parse(bad), None, "{bad}");
        }
    }
}
