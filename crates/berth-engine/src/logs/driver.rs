//! The log drivers, the options each takes, and what the options mean: the one table of them.
//!
//! Sentences are Docker's. What Docker finds wrong only when the container starts is found here at its creation
//! already, in the same words.

use std::collections::BTreeMap;

use berth_shim::protocol::LogPlan;
use regex_lite::Regex;

use super::syslog::{self, Syslog};
use super::tag::Tag;
use crate::spec::{LogDriver, LogSpec};
use crate::{Error, Result};

/// A driver's row.
struct Row {
    driver: LogDriver,
    name: &'static str,
    options: &'static [&'static str],
}

/// Any driver takes these.
const COMMON: [&str; 2] = ["mode", "max-buffer-size"];

/// Those of a driver that keeps nothing here, whose lines are kept for `logs` all the same.
const CACHE: [&str; 4] = ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];

const DRIVERS: [Row; 5] = [
    Row {
        driver: LogDriver::JsonFile,
        name: "json-file",
        options: &["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"],
    },
    Row { driver: LogDriver::Local, name: "local", options: &["max-size", "max-file", "compress"] },
    Row {
        driver: LogDriver::Journald,
        name: "journald",
        options: &["labels", "labels-regex", "env", "env-regex", "tag"],
    },
    Row {
        driver: LogDriver::Syslog,
        name: "syslog",
        options: &[
            "syslog-address",
            "syslog-facility",
            "syslog-format",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
            "labels",
            "labels-regex",
            "env",
            "env-regex",
            "tag",
        ],
    },
    Row { driver: LogDriver::None, name: "none", options: &[] },
];

/// What waits for a driver in non-blocking mode unless told otherwise.
const BUFFER: u64 = 1 << 20;

impl LogDriver {
    /// Every driver's name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        DRIVERS.iter().map(|row| row.name)
    }

    /// The driver of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(name: &str) -> Result<Self> {
        let row = DRIVERS.iter().find(|row| row.name == name).map(|row| row.driver);
        row.ok_or_else(|| {
            let known: Vec<_> = Self::names().collect();
            Error::Invalid(format!(
                "error looking up logging plugin {name}: plugin \"{name}\" not found: berth's log drivers are {}",
                known.join(", ")
            ))
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        DRIVERS.iter().find(|row| row.driver == self).map_or("", |row| row.name)
    }

    /// Its lines go elsewhere; what is kept here is for `logs` alone.
    pub(super) fn is_remote(self) -> bool {
        matches!(self, Self::Journald | Self::Syslog)
    }
}

/// What is kept of a file that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// Bytes; 0: never.
    pub(crate) max_size: u64,
    pub(crate) max_file: u32,
    pub(crate) compress: bool,
}

/// Which labels and variables a line says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    pub(crate) names: Vec<String>,
    pub(crate) pattern: Option<Regex>,
}

/// The options, understood.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The file kept here, be it the log or a cache of it; `None`: nothing is.
    pub(crate) rotation: Option<Rotation>,
    /// `mode=non-blocking`.
    pub(crate) buffer: Option<u64>,
    pub(crate) labels: Extras,
    pub(crate) env: Extras,
    pub(crate) tag: Option<Tag>,
    pub(crate) syslog: Option<Syslog>,
}

/// Checks a driver's options.
///
/// # Errors
/// The first that is wrong.
pub fn check(log: &LogSpec) -> Result<()> {
    settings(log).map(drop)
}

/// Checks and reads a driver's options.
pub(crate) fn settings(log: &LogSpec) -> Result<Settings> {
    let options = &log.options;
    known(log)?;
    Ok(Settings {
        buffer: buffer(options)?,
        syslog: (log.driver == LogDriver::Syslog).then(|| syslog::parse(options)).transpose()?,
        rotation: kept(log)?,
        labels: extras(options, "labels")?,
        env: extras(options, "env")?,
        tag: options.get("tag").map(|text| Tag::parse(text)).transpose().map_err(starting)?,
    })
}

pub(super) fn invalid(text: impl Into<String>) -> Error {
    Error::Invalid(text.into())
}

/// What Docker says when the container starts.
pub(super) fn starting(text: impl std::fmt::Display) -> Error {
    Error::Invalid(format!("failed to initialize logging driver: {text}"))
}

fn known(log: &LogSpec) -> Result<()> {
    let (driver, name) = (log.driver, log.driver.name());
    if driver == LogDriver::None && !log.options.is_empty() {
        return Err(invalid("invalid logging opts for driver none"));
    }
    let options = DRIVERS.iter().find(|row| row.driver == driver).map_or(&[][..], |row| row.options);
    let is_known = |option: &str| {
        options.contains(&option) || COMMON.contains(&option) || (driver.is_remote() && CACHE.contains(&option))
    };
    match log.options.keys().find(|option| !is_known(option)) {
        Some(unknown) if driver == LogDriver::Local => {
            Err(invalid(format!("unknown log opt '{unknown}' for log driver {name}")))
        }
        Some(unknown) => Err(invalid(format!("unknown log opt '{unknown}' for {name} log driver"))),
        None => Ok(()),
    }
}

pub(super) type Options = BTreeMap<String, String>;

fn buffer(options: &Options) -> Result<Option<u64>> {
    let non_blocking = match options.get("mode").map(String::as_str) {
        None | Some("" | "blocking") => false,
        Some("non-blocking") => true,
        Some(other) => return Err(invalid(format!("logger: logging mode not supported: {other}"))),
    };
    let Some(text) = options.get("max-buffer-size") else { return Ok(non_blocking.then_some(BUFFER)) };
    if !non_blocking {
        return Err(invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'"));
    }
    let bytes =
        size(text).ok_or_else(|| invalid(format!("error parsing option max-buffer-size: invalid size: '{text}'")))?;
    Ok(Some(bytes))
}

/// The file kept here; its options bear other names where it is a cache.
fn kept(log: &LogSpec) -> Result<Option<Rotation>> {
    let options = &log.options;
    match log.driver {
        LogDriver::None => Ok(None),
        LogDriver::JsonFile => rotation(options, "", false).map(Some),
        LogDriver::Local => rotation(options, "", true).map(Some),
        LogDriver::Journald | LogDriver::Syslog => match options.get("cache-disabled").map(|text| (text, switch(text)))
        {
            Some((_, Some(true))) => Ok(None),
            Some((text, None)) => Err(invalid(format!("invalid value for option cache-disabled: {text}"))),
            _ => rotation(options, "cache-", true).map(Some),
        },
    }
}

fn rotation(options: &Options, prefix: &str, compress: bool) -> Result<Rotation> {
    let option = |name: &str| options.get(&format!("{prefix}{name}")).map(String::as_str);
    let max_size = match option("max-size") {
        None => LogPlan::MAX_SIZE,
        Some("-1") if !compress => 0,
        Some(text) => {
            size(text).ok_or_else(|| starting(format!("invalid value for max-size: invalid size: '{text}'")))?
        }
    };
    let max_file = match option("max-file") {
        None => LogPlan::MAX_FILE,
        Some(text) => match text.parse::<i32>().map(u32::try_from) {
            Ok(Ok(number @ 1..)) => number,
            Ok(_) => return Err(starting("max-file cannot be less than 1")),
            Err(_) => return Err(starting(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
        },
    };
    let asked = match option("compress") {
        None => None,
        Some(text) => match switch(text) {
            None => return Err(starting(format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
            asked => asked,
        },
    };
    if asked == Some(true) && (max_file < 2 || max_size == 0) {
        return Err(starting("compress cannot be true when max-file is less than 2 or max-size is not set"));
    }
    Ok(Rotation { max_size, max_file, compress: asked.unwrap_or(compress) && max_file > 1 })
}

fn extras(options: &Options, name: &str) -> Result<Extras> {
    let names = options.get(name).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let pattern = options.get(&format!("{name}-regex")).filter(|text| !text.is_empty());
    let compile =
        |text: &String| Regex::new(text).map_err(|e| starting(format!("error parsing regexp: {e}: `{text}`")));
    Ok(Extras { names, pattern: pattern.map(compile).transpose()? })
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
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

    fn with(driver: LogDriver, pairs: &[(&str, &str)]) -> Result<Settings> {
        let options = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        settings(&LogSpec { driver, options })
    }

    #[test]
    fn options_and_their_meaning() {
        let json = with(LogDriver::JsonFile, &[("max-size", "10m"), ("max-file", "3"), ("tag", "x")]).unwrap();
        assert_eq!(json.rotation.unwrap(), Rotation { max_size: 10 << 20, max_file: 3, compress: false });
        assert!(with(LogDriver::Local, &[]).unwrap().rotation.unwrap().compress);
        let size = |text| with(LogDriver::JsonFile, &[("max-size", text)]).unwrap().rotation.unwrap().max_size;
        assert_eq!((size("1.5kb"), size("-1")), (1536, 0));
        let syslog = with(LogDriver::Syslog, &[("syslog-address", "udp://h"), ("syslog-facility", "local0")]).unwrap();
        assert_eq!(syslog.syslog.unwrap().facility, 16);
        assert!(with(LogDriver::Syslog, &[("cache-disabled", "1")]).unwrap().rotation.is_none());
        assert_eq!(with(LogDriver::JsonFile, &[("mode", "non-blocking")]).unwrap().buffer, Some(1 << 20));
    }

    #[test]
    fn wrong_options_are_told_in_dockers_words() {
        use LogDriver::{Journald, JsonFile, Local, None, Syslog};
        let start = "failed to initialize logging driver: ";
        let table = [
            (JsonFile, ("nope", "1"), "unknown log opt 'nope' for json-file log driver".to_owned()),
            (Local, ("tag", "1"), "unknown log opt 'tag' for log driver local".into()),
            (Syslog, ("nope", "1"), "unknown log opt 'nope' for syslog log driver".into()),
            (Journald, ("cache-nope", "1"), "unknown log opt 'cache-nope' for journald log driver".into()),
            (Journald, ("cache-disabled", "maybe"), "invalid value for option cache-disabled: maybe".into()),
            (JsonFile, ("cache-disabled", "1"), "unknown log opt 'cache-disabled' for json-file log driver".into()),
            (None, ("nope", "1"), "invalid logging opts for driver none".into()),
            (JsonFile, ("mode", "x"), "logger: logging mode not supported: x".into()),
            (
                JsonFile,
                ("max-buffer-size", "1m"),
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'".into(),
            ),
            (JsonFile, ("max-file", "0"), format!("{start}max-file cannot be less than 1")),
            (JsonFile, ("max-file", "x"), format!("{start}strconv.Atoi: parsing \"x\": invalid syntax")),
            (JsonFile, ("compress", "maybe"), format!("{start}strconv.ParseBool: parsing \"maybe\": invalid syntax")),
            (JsonFile, ("tag", "{{"), format!("{start}template: log-tag:1: unclosed action")),
            (Syslog, ("syslog-address", "foo"), "syslog-address should be in form proto://address, got foo".into()),
            (
                Syslog,
                ("syslog-address", "foo://x"),
                "syslog-address should be in form proto://address, got foo://x".into(),
            ),
            (Syslog, ("syslog-address", "unix:///nosuch"), "stat /nosuch: no such file or directory".into()),
            (Syslog, ("syslog-facility", "zz"), "invalid syslog facility".into()),
            (Syslog, ("syslog-format", "zz"), "Invalid syslog format".into()),
        ];
        for (driver, option, text) in table {
            assert_eq!(with(driver, &[option]).unwrap_err().to_string(), text, "{option:?}");
        }
        for bad in ["x", "-5"] {
            assert!(with(JsonFile, &[("max-size", bad)]).unwrap_err().to_string().contains("invalid size: '"));
        }
        let regex = with(JsonFile, &[("env-regex", "(")]).unwrap_err().to_string();
        assert!(regex.starts_with(&format!("{start}error parsing regexp: ")), "{regex}");
    }
}
