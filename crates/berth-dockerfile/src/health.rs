//! `HEALTHCHECK`.

use crate::instruction::{Command, json_list, word};
use crate::{Error, duration};

/// What `HEALTHCHECK` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The image's check is off.
    None,
    /// Checked by a command; times in nanoseconds, 0 where nothing is said.
    Check {
        /// What is run.
        command: Command,
        /// Between checks.
        interval: i64,
        /// Of one check.
        timeout: i64,
        /// Before failures count.
        start_period: i64,
        /// Between checks during the start period.
        start_interval: i64,
        /// Failures in a row.
        retries: i64,
    },
}

fn wrong<T>(sentence: String) -> Result<T, Error> {
    Err(Error::Health(sentence))
}

pub(crate) fn parse(text: &str) -> Result<Health, Error> {
    let (mut interval, mut timeout, mut start_period, mut start_interval, mut retries) = (0, 0, 0, 0, 0);
    let mut rest = text;
    let mut flags = 0;
    while let (flag, after) = word(rest)
        && let Some(flag) = flag.strip_prefix("--")
    {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        match name {
            "interval" => interval = time("interval", value)?,
            "timeout" => timeout = time("timeout", value)?,
            "start-period" => start_period = time("start-period", value)?,
            "start-interval" => start_interval = time("start-interval", value)?,
            "retries" => retries = count(value)?,
            name => return wrong(format!("Unknown flag: {name}")),
        }
        flags += 1;
        rest = after;
    }
    let (kind, rest) = word(rest);
    match kind.to_ascii_uppercase().as_str() {
        "" => Err(Error::NeedsArgument("HEALTHCHECK")),
        "NONE" if !rest.is_empty() || flags > 0 => wrong("HEALTHCHECK NONE takes no arguments".into()),
        "NONE" => Ok(Health::None),
        "CMD" if rest.is_empty() => wrong("Missing command after HEALTHCHECK CMD".into()),
        "CMD" => {
            let command = json_list(rest).map_or_else(|| Command::Shell(rest.to_owned()), Command::Exec);
            Ok(Health::Check { command, interval, timeout, start_period, start_interval, retries })
        }
        kind => wrong(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)")),
    }
}

fn time(name: &str, text: &str) -> Result<i64, Error> {
    const LEAST: i64 = 1_000_000;
    match duration::parse(text) {
        None => wrong(format!("invalid duration {text:?} of --{name}")),
        Some(0) => Ok(0),
        Some(time) if time < LEAST => wrong(format!("Interval {name:?} cannot be less than 1ms")),
        Some(time) => Ok(time),
    }
}

fn count(text: &str) -> Result<i64, Error> {
    match text.parse::<i64>() {
        Ok(count) if count >= 0 => Ok(count),
        Ok(count) => wrong(format!("--retries cannot be negative ({count})")),
        Err(_) => wrong(format!("--retries is no number: {text:?}")),
    }
}
