//! All layers of a transfer together: how much, how fast, how long still.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use berth_api::progress::JsonMessage;

use crate::unit::size::human4;

/// What the rate is of.
const WINDOW: Duration = Duration::from_secs(5);
/// A rate of less time is a guess.
const LEAST: Duration = Duration::from_millis(300);

/// The sum of what layers have told.
#[derive(Debug, Default)]
pub(crate) struct Total {
    /// Bytes done and in all, by layer.
    layers: BTreeMap<String, (u64, u64)>,
    /// When how much was done.
    samples: VecDeque<(Instant, u64)>,
}

impl Total {
    /// Takes note of a message.
    pub(crate) fn take(&mut self, message: &JsonMessage, now: Instant) {
        let sizes = message.aux.as_ref().and_then(|aux| aux.get("layers")?.as_object());
        for (layer, size) in sizes.into_iter().flatten() {
            self.layers.entry(layer.clone()).or_insert((0, size.as_u64().unwrap_or(0)));
        }
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        match (message.status.as_str(), &message.progress_detail) {
            ("Downloading" | "Pushing", Some(detail)) if detail.total > 0 => {
                self.layers.insert(message.id.clone(), (number(detail.current), number(detail.total)));
            }
            // It is not counted any longer, or never was.
            ("Waiting" | "Pulling fs layer" | "Preparing", _) => {}
            (status, _) if status.starts_with("Retrying") => {}
            _ => {
                if let Some((done, all)) = self.layers.get_mut(&message.id) {
                    *done = *all;
                }
            }
        }
        let (done, _) = self.sums();
        self.samples.push_back((now, done));
        while self.samples.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.samples.pop_front();
        }
    }

    fn sums(&self) -> (u64, u64) {
        self.layers.values().fold((0, 0), |(done, all), layer| (done + layer.0, all + layer.1))
    }

    /// `Total: 34.5MB/256MB  85.3MB/s  3s left`; nothing where there is nothing to wait for.
    pub(crate) fn text(&self) -> Option<String> {
        let (done, all) = self.sums();
        if done >= all {
            return None;
        }
        let bytes = |n: u64| human4(i64::try_from(n).unwrap_or(i64::MAX));
        let mut text = format!("Total: {}/{}", bytes(done), bytes(all));
        if let Some(rate) = self.rate().filter(|rate| *rate > 0) {
            text.push_str(&format!("  {}/s  {} left", bytes(rate), duration((all - done).div_ceil(rate))));
        }
        Some(text)
    }

    /// Bytes a second, lately.
    fn rate(&self) -> Option<u64> {
        let ((first, before), (last, after)) = (self.samples.front()?, self.samples.back()?);
        let time = *last - *first;
        // What begins anew counts backwards.
        (time >= LEAST).then(|| (after.saturating_sub(*before) as f64 / time.as_secs_f64()) as u64)
    }
}

/// `9s`, `1m05s`, `2h03m`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn how_much_how_fast_how_long() {
        let start = Instant::now();
        let mut total = Total::default();
        let mut take = |seconds: f64, text: &str| {
            total.take(&serde_json::from_str(text).unwrap(), start + Duration::from_secs_f64(seconds));
            total.text()
        };
        let sizes = r#"{"progressDetail":{},"aux":{"layers":{"a":1000000,"b":9000000}}}"#;
        assert_eq!(take(0.0, sizes).unwrap(), "Total: 0B/10MB");
        let half = r#"{"status":"Downloading","progressDetail":{"current":500000,"total":1000000},"id":"a"}"#;
        assert_eq!(take(0.5, half).unwrap(), "Total: 500kB/10MB  1MB/s  10s left");
        let whole = r#"{"status":"Download complete","progressDetail":{},"id":"a"}"#;
        assert_eq!(take(1.0, whole).unwrap(), "Total: 1MB/10MB  1MB/s  9s left");
        assert!(
            take(2.0, r#"{"status":"Waiting","progressDetail":{},"id":"b"}"#).unwrap().starts_with("Total: 1MB/10MB")
        );
        assert_eq!(take(3.0, r#"{"status":"Pull complete","progressDetail":{},"id":"b"}"#), None);
        assert_eq!([duration(0), duration(65), duration(7_380)], ["0s", "1m05s", "2h03m"]);
    }
}
