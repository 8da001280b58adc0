//! `--ulimit name=soft[:hard]`.

use berth_api::host_config::Ulimit;

use crate::unit::number::parse_int;

const NAMES: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Reads one limit; the hard limit is the soft one where it is not given.
pub(crate) fn parse(text: &str) -> Result<Ulimit, String> {
    let (name, values) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = match values.split_once(':') {
        Some((_, hard)) if hard.contains(':') => {
            return Err(format!("too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"));
        }
        Some((soft, hard)) => (soft, Some(decimal(hard)?)),
        None => (values, None),
    };
    let soft = decimal(soft)?;
    let hard = hard.unwrap_or(soft);
    if hard != -1 && soft == -1 {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        ));
    }
    if hard != -1 && soft > hard {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}

fn decimal(text: &str) -> Result<i64, String> {
    text.parse().or_else(|_| parse_int(text))
}
