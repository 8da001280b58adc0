//! `update` and `events`: limits changed, and figures told.

use std::fs;
use std::io::Read;
use std::time::Duration;

use berth_cgroup::{Cgroup, Stats};
use oci_spec::runtime::LinuxResources;
use serde_json::{Map, Value, json};

use super::arguments::{Flag, Parsed};
use super::control::print;
use super::state::{Container, Status};
use super::{CommandError, Global};

pub(crate) const UPDATE: &[Flag] = &[
    Flag::value(&["resources", "r"]),
    Flag::value(&["blkio-weight"]),
    Flag::value(&["cpu-period"]),
    Flag::value(&["cpu-quota"]),
    Flag::value(&["cpu-burst"]),
    Flag::value(&["cpu-share"]),
    Flag::value(&["cpu-rt-period"]),
    Flag::value(&["cpu-rt-runtime"]),
    Flag::value(&["cpu-idle"]),
    Flag::value(&["cpuset-cpus"]),
    Flag::value(&["cpuset-mems"]),
    Flag::value(&["kernel-memory"]),
    Flag::value(&["kernel-memory-tcp"]),
    Flag::value(&["memory"]),
    Flag::value(&["memory-reservation"]),
    Flag::value(&["memory-swap"]),
    Flag::value(&["pids-limit"]),
];

pub(crate) const EVENTS: &[Flag] = &[Flag::value(&["interval"]), Flag::switch(&["stats"])];

/// `update`: what is not named stays as it is.
pub(crate) fn update(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    let resources = match args.value("resources") {
        Some(path) => from_file(path)?,
        None => from_flags(args)?,
    };
    if let Some(cgroup) = &container.record.cgroup {
        cgroup.update(&resources)?;
    }
    Ok(0)
}

fn from_file(path: &str) -> Result<LinuxResources, CommandError> {
    let text = if path == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(CommandError::file("cannot read", "standard input"))?;
        text
    } else {
        fs::read(path).map_err(CommandError::file("cannot read", path))?
    };
    serde_json::from_slice(&text)
        .map_err(|error| CommandError::usage(format!("{path} is not valid resources: {error}")))
}

/// Each flag, and where its number stands in the specification's resources.
const NUMBERS: &[(&str, &str, &str)] = &[
    ("blkio-weight", "blockIO", "weight"),
    ("cpu-period", "cpu", "period"),
    ("cpu-quota", "cpu", "quota"),
    ("cpu-burst", "cpu", "burst"),
    ("cpu-share", "cpu", "shares"),
    ("cpu-rt-period", "cpu", "realtimePeriod"),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime"),
    ("cpu-idle", "cpu", "idle"),
    ("kernel-memory", "memory", "kernel"),
    ("kernel-memory-tcp", "memory", "kernelTCP"),
    ("memory", "memory", "limit"),
    ("memory-reservation", "memory", "reservation"),
    ("memory-swap", "memory", "swap"),
    ("pids-limit", "pids", "limit"),
];

fn from_flags(args: &Parsed) -> Result<LinuxResources, CommandError> {
    let mut all: Map<String, Value> = Map::new();
    let mut put = |part: &str, key: &str, value: Value| {
        if let Some(part) = all.entry(part).or_insert_with(|| json!({})).as_object_mut() {
            part.insert(key.to_owned(), value);
        }
    };
    for (flag, part, key) in NUMBERS {
        if let Some(number) = args.value(flag).map(|text| size(flag, text)).transpose()? {
            put(part, key, number.into());
        }
    }
    for (flag, key) in [("cpuset-cpus", "cpus"), ("cpuset-mems", "mems")] {
        if let Some(list) = args.value(flag) {
            put("cpu", key, list.into());
        }
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| CommandError::usage(error.to_string()))
}

/// A number, with a unit where it is memory: `100m`, `1G`.
fn size(flag: &str, text: &str) -> Result<i64, CommandError> {
    let wrong = || CommandError::usage(format!("--{flag} takes a number, not {text:?}"));
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: i64 = match text[digits.len()..].to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    digits.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// `events`: figures once with `--stats`, otherwise again and again until the container has ended, with OOM kills.
pub(crate) fn events(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    let Some(cgroup) = &container.record.cgroup else { return Ok(0) };
    let id = &container.record.id;
    if container.status() == Status::Stopped {
        return Err(CommandError::usage(format!("container {id:?} is not running")));
    }
    if args.has("stats") {
        print(&stats_line(id, &cgroup.stats()?));
        return Ok(0);
    }
    let interval = duration(args.value("interval").unwrap_or("5s"))?;
    let mut kills = cgroup.oom_kills().unwrap_or(0);
    while container.status() != Status::Stopped {
        print(&stats_line(id, &cgroup.stats()?));
        std::thread::sleep(interval);
        kills = tell_kills(id, cgroup, kills);
    }
    Ok(0)
}

fn tell_kills(id: &str, cgroup: &Cgroup, before: u64) -> u64 {
    let now = cgroup.oom_kills().unwrap_or(before);
    for _ in before..now {
        print(&json!({ "type": "oom", "id": id }).to_string());
    }
    now
}

/// A duration as Go writes it: `5s`, `1m`, `500ms`.
fn duration(text: &str) -> Result<Duration, CommandError> {
    let wrong = || CommandError::usage(format!("--interval takes a duration such as 5s, not {text:?}"));
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * unit).ok().filter(|interval| !interval.is_zero()).ok_or_else(wrong)
}

/// The figures in runc's shape, which those who read `events` know.
fn stats_line(id: &str, stats: &Stats) -> String {
    let mut data = Map::new();
    if let Some(cpu) = &stats.cpu {
        data.insert(
            "cpu".to_owned(),
            json!({
                "usage": { "total": cpu.total, "percpu": cpu.per_cpu, "kernel": cpu.system, "user": cpu.user },
                "throttling": {
                    "periods": cpu.periods,
                    "throttledPeriods": cpu.throttled_periods,
                    "throttledTime": cpu.throttled_time,
                },
            }),
        );
    }
    if let Some(memory) = &stats.memory {
        data.insert(
            "memory".to_owned(),
            json!({
                "usage": {
                    "usage": memory.usage,
                    "max": memory.max_usage,
                    "limit": memory.limit,
                    "failcnt": memory.failcnt,
                },
                "swap": { "usage": memory.swap, "limit": memory.swap_limit },
                "kernel": { "usage": memory.kernel },
                "kernelTCP": { "usage": memory.kernel_tcp },
                "raw": memory.stat,
            }),
        );
    }
    for (name, value) in [("pids", json!(stats.pids)), ("blkio", json!(stats.blkio)), ("hugetlb", json!(stats.hugetlb))]
    {
        if !value.is_null() {
            data.insert(name.to_owned(), value);
        }
    }
    json!({ "type": "stats", "id": id, "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("memory", "100m").unwrap(), 100 << 20);
        assert_eq!(size("memory", "-1").unwrap(), -1);
        assert_eq!(size("memory", "2GiB").unwrap(), 2 << 30);
        assert!(size("memory", "2x").is_err());
    }

    #[test]
    fn intervals() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert!(duration("0s").is_err());
    }
}
