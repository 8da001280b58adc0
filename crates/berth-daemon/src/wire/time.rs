//! Times as the API writes and reads them, and durations for people.

use jiff::{SignedDuration, Timestamp};

use crate::http::error::ApiError;

/// RFC 3339, or Go's zero time.
pub(crate) fn text(time: Option<Timestamp>) -> String {
    time.map_or_else(|| berth_api::ZERO_TIME.to_owned(), |time| time.to_string())
}

/// Reads `since` and `until`: seconds since 1970 with fraction, or RFC 3339. Nothing and `0` mean no bound.
pub(crate) fn bound(text: &str) -> Result<Option<Timestamp>, ApiError> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let Ok(seconds) = seconds.parse::<i64>()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        let time = Timestamp::new(seconds, nanos.parse().unwrap_or(0));
        return time.map(Some).map_err(|_| ApiError::invalid(format!("invalid time: {text}")));
    }
    text.parse()
        .map(Some)
        .map_err(|_| ApiError::invalid(format!("failed to parse value as time or duration: \"{text}\"")))
}

/// Reads a moment given to a filter: as [`bound`], a date, or a duration before `now` (`10m`, `1h30m`).
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let wrong = || ApiError::invalid(format!("failed to parse value as time or duration: \"{text}\""));
    if let Ok(ago) = berth_api::duration::parse(text) {
        return now.checked_sub(SignedDuration::from_nanos(ago)).map_err(|_| wrong());
    }
    if let Ok(Some(time)) = bound(text) {
        return Ok(time);
    }
    // Without a zone it is this host's.
    let local = text.strip_suffix('Z').unwrap_or(text);
    let date = local.parse::<jiff::civil::DateTime>().or_else(|_| local.parse::<jiff::civil::Date>().map(Into::into));
    let zone = if local.len() < text.len() { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    date.and_then(|date| date.to_zoned(zone)).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

/// How long ago, from `then` to now.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> String {
    human(now.duration_since(then))
}

/// A duration as `ps` shows it: rounded, in its largest unit.
fn human(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn moments_of_filters() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let at = |text: &str| moment(text, now).map(|time| time.as_second()).ok();
        assert_eq!(at("10m"), Some(1_000_000_000 - 600));
        assert_eq!(at("1h30m"), Some(1_000_000_000 - 5400));
        assert_eq!(at("1.5h"), Some(1_000_000_000 - 5400));
        assert_eq!(at("999"), Some(999));
        assert_eq!(at("2001-09-09T01:46:40Z"), Some(1_000_000_000));
        assert_eq!(at("2001-09-09T01:46:40+00:00"), Some(1_000_000_000));
        for bad in ["", "-", "x", "10", "1h30", "5 m", "2001-13-01", "1e9h"] {
            assert!(bad == "10" || at(bad).is_none(), "{bad}");
        }
        assert!(at("2001-09-09").is_some());
    }

    #[test]
    fn durations_for_people() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (86400 * 2, "2 days"),
            (86400 * 15, "2 weeks"),
            (86400 * 61, "2 months"),
            (86400 * 365 * 2, "2 years"),
        ] {
            assert_eq!(human(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn bounds() {
        assert_eq!(bound("").unwrap(), None);
        assert_eq!(bound("0").unwrap(), None);
        assert_eq!(bound("12.5").unwrap().unwrap().as_nanosecond(), 12_500_000_000);
        assert_eq!(bound("1970-01-01T00:00:01Z").unwrap().unwrap().as_second(), 1);
        assert!(bound("yesterday").is_err());
        assert_eq!(text(None), "0001-01-01T00:00:00Z");
    }
}
