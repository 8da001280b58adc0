//! Points in time: what `--since` takes, and how tables print when something was.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// `--since` and `--until`: a Go duration back from now, RFC 3339, a local date with or without time, or seconds
/// since 1970. The result is `seconds.nanoseconds`, as the API takes it.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<String, String> {
    if let Ok(nanos) = super::duration::parse(text)
        && text != "0"
    {
        return Ok(api(Timestamp::from_nanosecond(now.as_nanosecond() - i128::from(nanos)).unwrap_or(now)));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(api(time));
    }
    if let Some(time) = local(text) {
        return Ok(api(time));
    }
    let (seconds, nanos) = text.split_once('.').unwrap_or((text, "0"));
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if number(seconds.strip_prefix('-').unwrap_or(seconds)) && number(nanos) {
        return Ok(text.to_owned());
    }
    Err(format!("failed to parse value as time or duration: {text:?}"))
}

fn local(text: &str) -> Option<Timestamp> {
    let full = match text.matches(':').count() {
        0 if text.contains('T') => format!("{text}:00"),
        _ => text.to_owned(),
    };
    let naive = full.parse::<civil::DateTime>().ok().filter(|_| text.contains('-'))?;
    naive.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
}

fn api(time: Timestamp) -> String {
    format!("{}.{:09}", time.as_second(), time.subsec_nanosecond())
}

/// `2026-11-21 02:44:43 +0000 UTC`, as the CREATED column without abbreviation.
pub(crate) fn go_string(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
        Err(_) => String::new(),
    }
}

/// A point in time of the API (RFC 3339) as Go prints one; anything else as it is.
pub(crate) fn go_string_of(text: &str) -> String {
    let Ok(time) = text.parse::<Timestamp>() else { return text.to_owned() };
    if !text.ends_with('Z') {
        return text.to_owned();
    }
    let fraction = format!(".{:09}", time.subsec_nanosecond());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S"))
}

/// RFC 3339, to the second, where we are.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let Ok(time) = Timestamp::from_second(seconds) else { return String::new() };
    let here = time.to_zoned(TimeZone::system());
    let text = here.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    if here.offset().is_zero() { text.replace("+00:00", "Z") } else { text }
}

/// `3 minutes ago`.
pub(crate) fn ago(seconds: i64, now: Timestamp) -> String {
    format!("{} ago", super::duration::human(now.as_second() - seconds))
}
