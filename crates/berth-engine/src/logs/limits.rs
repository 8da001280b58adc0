//! `max-size` and `max-file`.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// Where a log is rotated; `None`: the shim's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes; 0: never.
    pub(crate) max_size: Option<u64>,
    pub(crate) max_file: Option<u32>,
}

const KNOWN: [&str; 8] = ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/// Checks and reads the options of `json-file`.
pub(crate) fn limits(options: &BTreeMap<String, String>) -> Result<Limits> {
    if let Some(unknown) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Error::Invalid(format!("unknown log opt '{unknown}' for json-file log driver")));
    }
    let max_size = match options.get("max-size").map(String::as_str) {
        None => None,
        Some("-1") => Some(0),
        Some(text) => Some(
            size(text).ok_or_else(|| Error::Invalid(format!("invalid value for max-size: invalid size: '{text}'")))?,
        ),
    };
    let max_file = match options.get("max-file") {
        None => None,
        Some(text) => match text.parse::<u32>() {
            Ok(0) => return Err(Error::Invalid("max-file cannot be less than 1".into())),
            Ok(number) => Some(number),
            Err(_) => return Err(Error::Invalid(format!("invalid value for max-file: '{text}'"))),
        },
    };
    Ok(Limits { max_size, max_file })
}

/// `10m`, `1gb`, `512k`, `2048`, `1.5m`: powers of 1024.
fn size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[digits.len()..].trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    let number: f64 = digits.trim().parse().ok()?;
    (number > 0.0).then_some((number * (1_u64 << shift) as f64) as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn table() {
        let options = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let ok = limits(&options(&[("max-size", "10m"), ("max-file", "3"), ("tag", "x")])).unwrap();
        assert_eq!(ok, Limits { max_size: Some(10 << 20), max_file: Some(3) });
        assert_eq!(limits(&options(&[("max-size", "1.5kb")])).unwrap().max_size, Some(1536));
        assert_eq!(limits(&options(&[("max-size", "-1")])).unwrap().max_size, Some(0));
        for bad in [("max-size", "x"), ("max-file", "0"), ("max-file", "-1"), ("nosuch", "1")] {
            assert!(limits(&options(&[bad])).is_err(), "{bad:?}");
        }
    }
}
