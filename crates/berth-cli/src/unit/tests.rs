//! Sizes, durations and times against what Docker prints.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use jiff::Timestamp;
use proptest::prelude::*;

use super::{duration, number, size, time};

#[test]
fn sizes_in() {
    for (text, bytes) in [
        ("0", 0),
        ("512", 512),
        ("64m", 64 << 20),
        ("1k", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("1.5g", 3 << 29),
        ("2 GB", 2 << 30),
        ("3T", 3 << 40),
        ("1P", 1 << 50),
    ] {
        assert_eq!(size::parse(text), Ok(bytes), "{text}");
    }
    for bad in ["", "x", "-1", "1.2.3", "64q", "64mm", "m", "1e3", "9999999P"] {
        assert!(size::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(size::parse("x").unwrap_err(), "invalid size: 'x'");
    assert_eq!(size::parse_swap("-1"), Ok(-1));
}

#[test]
fn sizes_out() {
    for (bytes, three) in [
        (0, "0B"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1kB"),
        (1_982_000, "1.98MB"),
        (4_210_000, "4.21MB"),
        (123_456_789, "123MB"),
        (999_999, "1e+03kB"),
        (1_500_000_000, "1.5GB"),
    ] {
        assert_eq!(size::human3(bytes), three);
    }
    assert_eq!(size::human4(1_982_000), "1.982MB");
    assert_eq!(size::human_binary(25_276_514_304), "23.54GiB");
}

#[test]
fn durations_in() {
    for (text, nanos) in [
        ("0", 0),
        ("1s", 1_000_000_000),
        ("1h2m3s", 3_723_000_000_000),
        ("1.5h", 5_400_000_000_000),
        ("300ms", 300_000_000),
        ("-1m", -60_000_000_000),
        ("10us", 10_000),
    ] {
        assert_eq!(duration::parse(text), Ok(nanos), "{text}");
    }
    assert_eq!(duration::parse("5").unwrap_err(), "time: missing unit in duration \"5\"");
    assert_eq!(duration::parse("5x").unwrap_err(), "time: unknown unit \"x\" in duration \"5x\"");
    for bad in ["", "s", "-", ".s", "1h-2m"] {
        assert!(duration::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn durations_out() {
    let (minute, hour, day) = (60, 3600, 86400);
    for (seconds, words) in [
        (0, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (2 * minute, "2 minutes"),
        (59 * minute, "59 minutes"),
        (hour, "About an hour"),
        (hour + 40 * minute, "2 hours"),
        (47 * hour, "47 hours"),
        (2 * day, "2 days"),
        (13 * day, "13 days"),
        (14 * day, "2 weeks"),
        (60 * day, "2 months"),
        (729 * day, "24 months"),
        (730 * day, "2 years"),
    ] {
        assert_eq!(duration::human(seconds), words, "{seconds}");
    }
}

#[test]
fn numbers() {
    assert_eq!(number::parse_int("-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(number::parse_int("0x10"), Ok(16));
    assert_eq!(number::parse_int("x").unwrap_err(), "strconv.ParseInt: parsing \"x\": invalid syntax");
    assert_eq!(
        number::parse_uint("70000", 16).unwrap_err(),
        "strconv.ParseUint: parsing \"70000\": value out of range"
    );
    assert_eq!(number::parse_cpus("0.5"), Ok(500_000_000));
    assert_eq!(number::parse_cpus("2"), Ok(2_000_000_000));
    assert_eq!(number::parse_cpus("1.0000000001").unwrap_err(), "value is too precise");
    assert_eq!(number::parse_cpus("x").unwrap_err(), "failed to parse x as a rational number");
}

#[test]
fn times() {
    let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    for (text, api) in [
        ("1h", "1795226400.000000000"),
        ("2026-11-21T02:00:00Z", "1795226400.000000000"),
        ("2026-11-21T02:00:00.5Z", "1795226400.500000000"),
        ("2026-11-21T03:00:00+01:00", "1795226400.000000000"),
        ("1795226400", "1795226400"),
        ("1795226400.25", "1795226400.25"),
        ("0", "0"),
    ] {
        assert_eq!(time::parse(text, now).as_deref(), Ok(api), "{text}");
    }
    assert!(time::parse("foo", now).is_err());
}

proptest! {
    #[test]
    fn never_panic(text in "\\PC{0,16}|[0-9a-zA-Z.: +-]{0,20}") {
        let now = Timestamp::UNIX_EPOCH;
        _ = (size::parse(&text), duration::parse(&text), number::parse_int(&text), number::parse_uint(&text, 16));
        _ = (number::parse_cpus(&text), time::parse(&text, now));
    }

    #[test]
    fn bytes_come_back(bytes in 0i64..1 << 52) {
        prop_assert_eq!(size::parse(&bytes.to_string()), Ok(bytes));
        _ = (size::human3(bytes), size::human4(bytes), size::human_binary(bytes), duration::human(bytes));
    }
}

#[test]
fn times_as_go_prints_them() {
    use super::time::go_string_of;
    assert_eq!(go_string_of("2026-11-21T09:49:40.778845929Z"), "2026-11-21 09:49:40.778845929 +0000 UTC");
    assert_eq!(go_string_of("2026-11-21T09:49:40.5Z"), "2026-11-21 09:49:40.5 +0000 UTC");
    assert_eq!(go_string_of("2026-11-21T09:49:40Z"), "2026-11-21 09:49:40 +0000 UTC");
    assert_eq!(go_string_of("odd"), "odd");
}
