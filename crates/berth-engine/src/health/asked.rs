//! What is asked for: the check of an image or a request, with Docker's defaults.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A health check; durations in nanoseconds. Nothing and zero: the image's, then Docker's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `NONE`; `CMD` and words; or `CMD-SHELL` and a command for the shell.
    pub test: Vec<String>,
    /// Between checks; 30 s.
    pub interval: i64,
    /// For one check; 30 s.
    pub timeout: i64,
    /// Failures in this time after the start do not count.
    pub start_period: i64,
    /// Between checks in that time; 5 s.
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy; 3.
    pub retries: i64,
}

/// What is done to a container that becomes unhealthy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is told, and that is all.
    #[default]
    None,
    /// It is killed; its restart policy decides what follows.
    Kill,
    /// It is stopped and started.
    Restart,
    /// It is stopped.
    Stop,
}

impl OnFailure {
    /// Reads the user's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "" | "none" => Self::None,
            "kill" => Self::Kill,
            "restart" => Self::Restart,
            "stop" => Self::Stop,
            _ => return None,
        })
    }
}

fn or(nanoseconds: i64, default: Duration) -> Duration {
    match u64::try_from(nanoseconds) {
        Ok(0) | Err(_) => default,
        Ok(nanoseconds) => Duration::from_nanos(nanoseconds),
    }
}

impl HealthCheck {
    /// The request's check with what it leaves open taken from the image's.
    #[must_use]
    pub(crate) fn merged(asked: Option<&Self>, image: Option<Self>) -> Option<Self> {
        let (asked, image) = match (asked, image) {
            (None, image) => return image,
            (Some(asked), None) => return Some(asked.clone()),
            (Some(asked), Some(image)) => (asked.clone(), image),
        };
        let first = |asked: i64, image: i64| if asked == 0 { image } else { asked };
        Some(Self {
            test: if asked.test.is_empty() { image.test } else { asked.test },
            interval: first(asked.interval, image.interval),
            timeout: first(asked.timeout, image.timeout),
            start_period: first(asked.start_period, image.start_period),
            start_interval: first(asked.start_interval, image.start_interval),
            retries: first(asked.retries, image.retries),
        })
    }

    /// The command to run; `None`: there is no check. `shell` is the image's, where it says one.
    #[must_use]
    pub(crate) fn command(&self, shell: Option<&[String]>) -> Option<Vec<String>> {
        match self.test.split_first() {
            Some((kind, words)) if kind == "CMD" => Some(words.to_vec()).filter(|words| !words.is_empty()),
            Some((kind, words)) if kind == "CMD-SHELL" => {
                let usual = ["/bin/sh".to_owned(), "-c".to_owned()];
                Some(shell.unwrap_or(&usual).iter().chain(words).cloned().collect())
            }
            _ => None,
        }
    }

    /// How long until the next check, seen at `now`.
    pub(crate) fn pause(&self, starting: bool, started: Option<Timestamp>, now: Timestamp) -> Duration {
        if starting && self.is_starting(started, now) {
            or(self.start_interval, Duration::from_secs(5))
        } else {
            or(self.interval, Duration::from_secs(30))
        }
    }

    /// How long one check may take.
    pub(crate) fn timeout(&self) -> Duration {
        or(self.timeout, Duration::from_secs(30))
    }

    pub(crate) fn retries(&self) -> i64 {
        if self.retries > 0 { self.retries } else { 3 }
    }

    /// Whether `now` is in the start period.
    pub(crate) fn is_starting(&self, started: Option<Timestamp>, now: Timestamp) -> bool {
        started.is_some_and(|started| now.duration_since(started).as_nanos() < i128::from(self.start_period))
    }
}

impl From<&berth_oci::HealthConfig> for HealthCheck {
    fn from(image: &berth_oci::HealthConfig) -> Self {
        Self {
            test: image.test.clone().unwrap_or_default(),
            interval: image.interval.unwrap_or(0),
            timeout: image.timeout.unwrap_or(0),
            start_period: image.start_period.unwrap_or(0),
            start_interval: image.start_interval.unwrap_or(0),
            retries: image.retries.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn check(test: &[&str]) -> HealthCheck {
        HealthCheck { test: test.iter().map(|word| (*word).to_owned()).collect(), ..HealthCheck::default() }
    }

    #[test]
    fn commands() {
        assert_eq!(check(&["CMD", "a", "b"]).command(None).unwrap(), ["a", "b"]);
        assert_eq!(check(&["CMD-SHELL", "a b"]).command(None).unwrap(), ["/bin/sh", "-c", "a b"]);
        let shell = ["/bin/bash".to_owned(), "-ec".to_owned()];
        assert_eq!(check(&["CMD-SHELL", "a b"]).command(Some(&shell)).unwrap(), ["/bin/bash", "-ec", "a b"]);
        for none in [&[][..], &["NONE"], &["CMD"], &["BOGUS", "a"]] {
            assert_eq!(check(none).command(None), None, "{none:?}");
        }
    }

    #[test]
    fn the_request_goes_before_the_image() {
        let image = HealthCheck { interval: 5, retries: 7, ..check(&["CMD", "image"]) };
        assert_eq!(HealthCheck::merged(None, Some(image.clone())), Some(image.clone()));
        assert_eq!(HealthCheck::merged(None, None), None);
        let asked = HealthCheck { interval: 9, ..HealthCheck::default() };
        let merged = HealthCheck::merged(Some(&asked), Some(image.clone())).unwrap();
        assert_eq!((merged.test[1].as_str(), merged.interval, merged.retries), ("image", 9, 7));
        let none = HealthCheck::merged(Some(&check(&["NONE"])), Some(image)).unwrap();
        assert_eq!(none.command(None), None);
    }

    #[test]
    fn the_start_interval_holds_in_the_start_period_only() {
        let second = 1_000_000_000;
        let check = HealthCheck { start_period: 10 * second, start_interval: second, ..HealthCheck::default() };
        let at = |second| Timestamp::from_second(second).unwrap();
        let pause = |starting, now| check.pause(starting, Some(at(100)), at(now)).as_secs();
        assert_eq!((pause(true, 101), pause(true, 110), pause(false, 101)), (1, 30, 30));
        assert_eq!(HealthCheck::default().pause(true, Some(at(100)), at(100)).as_secs(), 30);
    }
}
