//! Restart policies: whether a container that ended is started again, and when. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::RestartPolicy;

/// The first pause before a restart.
const FIRST: Duration = Duration::from_millis(100);

/// The longest one.
const LONGEST: Duration = Duration::from_secs(60);

/// A run that lasted so long starts the pauses anew.
const STEADY: Duration = Duration::from_secs(10);

/// What a policy goes by, kept from run to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// Restarts by policy since somebody last started it.
    #[serde(default)]
    pub(crate) count: u32,
    /// The last pause.
    #[serde(default)]
    pub(crate) pause: Duration,
    /// Somebody stopped or killed it, and nobody has started it since.
    #[serde(default)]
    pub(crate) by_hand: bool,
}

impl RestartPolicy {
    fn fires(self, code: i32, count: u32) -> bool {
        match self {
            Self::No => false,
            Self::Always | Self::UnlessStopped => true,
            Self::OnFailure { retries } => code != 0 && (retries == 0 || count < retries),
        }
    }
}

impl History {
    /// Somebody starts it: everything begins anew.
    pub(crate) fn started_by_hand(&mut self) {
        *self = Self::default();
    }

    /// A run has ended: the pause before the next one, where there is to be one.
    pub(crate) fn after(&mut self, policy: RestartPolicy, code: i32, lasted: Duration) -> Option<Duration> {
        self.pause = match self.pause {
            pause if lasted >= STEADY || pause.is_zero() => FIRST,
            pause => (pause * 2).min(LONGEST),
        };
        let again = !self.by_hand && policy.fires(code, self.count);
        if again {
            self.count += 1;
        }
        again.then_some(self.pause)
    }

    /// The daemon begins and finds a container that has run and does not: whether it is to be started. Whoever was
    /// stopped by hand is started all the same, unless its policy says otherwise.
    pub(crate) fn at_daemon_start(&mut self, policy: RestartPolicy, code: i32) -> bool {
        let again = policy.fires(code, self.count) && !(self.by_hand && policy == RestartPolicy::UnlessStopped);
        if again {
            self.started_by_hand();
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALWAYS: RestartPolicy = RestartPolicy::Always;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let mut history = History::default();
        let pauses: Vec<u128> =
            (0..12).filter_map(|_| history.after(ALWAYS, 0, Duration::ZERO)).map(|p| p.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
        assert_eq!(history.after(ALWAYS, 0, STEADY), Some(FIRST));
        assert_eq!(history.count, 13);
    }

    #[test]
    fn on_failure_counts() {
        let policy = RestartPolicy::OnFailure { retries: 3 };
        let mut history = History::default();
        let again: Vec<bool> = (0..5).map(|_| history.after(policy, 5, Duration::ZERO).is_some()).collect();
        assert_eq!(again, [true, true, true, false, false]);
        assert_eq!(history.count, 3);
        assert!(!history.at_daemon_start(policy, 5), "exhausted");
        assert_eq!(History::default().after(policy, 0, Duration::ZERO), None);
    }

    /// Row A120: what the next daemon does with containers that do not run.
    #[test]
    fn matrix_at_daemon_start() {
        let unless = RestartPolicy::UnlessStopped;
        let failure = RestartPolicy::OnFailure { retries: 0 };
        let table = [
            (ALWAYS, true, 137, true),
            (ALWAYS, false, 0, true),
            (unless, true, 137, false),
            (unless, false, 0, true),
            (failure, true, 137, true),
            (failure, false, 0, false),
            (RestartPolicy::No, false, 1, false),
        ];
        for (policy, by_hand, code, expected) in table {
            let mut history = History { by_hand, ..History::default() };
            assert_eq!(history.at_daemon_start(policy, code), expected, "{policy:?} {by_hand} {code}");
        }
    }

    proptest! {
        #[test]
        fn never_after_a_stop_by_hand_and_never_too_often(
            codes in proptest::collection::vec(0i32..3, 0..40), retries in 0u32..6,
        ) {
            let policy = RestartPolicy::OnFailure { retries };
            let mut history = History::default();
            for code in codes {
                let before = history.count;
                let again = history.after(policy, code, Duration::ZERO);
                prop_assert!(again.is_none() || code != 0);
                prop_assert!(again.is_none_or(|pause| (FIRST..=LONGEST).contains(&pause)));
                prop_assert_eq!(history.count, before + u32::from(again.is_some()));
                prop_assert!(retries == 0 || history.count <= retries);
                let mut stopped = History { by_hand: true, ..history.clone() };
                prop_assert!(stopped.after(ALWAYS, code, Duration::ZERO).is_none());
            }
        }
    }
}
