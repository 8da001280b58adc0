//! Figures of cgroup v2: times are microseconds there, and one file holds a whole table.

use std::collections::BTreeMap;
use std::path::Path;

use super::{BlkioEntry, BlkioStats, CpuStats, HugetlbStats, MemoryStats, PidsStats, RdmaStats, Stats};
use crate::cgroup::Cgroup;
use crate::{Error, file};

pub(super) fn read(cgroup: &Cgroup) -> Result<Stats, Error> {
    let Some(directory) = cgroup.directory("") else { return Ok(Stats::default()) };
    Ok(Stats {
        cpu: cpu(directory)?,
        memory: memory(directory)?,
        blkio: blkio(directory)?,
        pids: pids(directory)?,
        hugetlb: hugetlb(directory)?,
        rdma: rdma(directory)?,
    })
}

fn cpu(directory: &Path) -> Result<Option<CpuStats>, Error> {
    let Some(text) = file::read_if_there(&directory.join("cpu.stat"))? else { return Ok(None) };
    let value = |name| file::pair(&text, name).unwrap_or(0);
    Ok(Some(CpuStats {
        total: value("usage_usec") * 1000,
        per_cpu: Vec::new(),
        user: value("user_usec") * 1000,
        system: value("system_usec") * 1000,
        periods: value("nr_periods"),
        throttled_periods: value("nr_throttled"),
        throttled_time: value("throttled_usec") * 1000,
        bursts: value("nr_bursts"),
        burst_time: value("burst_usec") * 1000,
    }))
}

fn memory(directory: &Path) -> Result<Option<MemoryStats>, Error> {
    let Some(usage) = file::number_if_there(&directory.join("memory.current"))? else { return Ok(None) };
    let number = |name: &str| file::number_if_there(&directory.join(name));
    let stat: BTreeMap<String, u64> = file::pairs(&file::read(&directory.join("memory.stat"))?)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let events = file::read_if_there(&directory.join("memory.events"))?.unwrap_or_default();
    Ok(Some(MemoryStats {
        usage,
        max_usage: number("memory.peak")?,
        limit: number("memory.max")?,
        failcnt: file::pair(&events, "max").unwrap_or(0),
        swap: number("memory.swap.current")?,
        swap_limit: number("memory.swap.max")?,
        kernel: stat.get("kernel").copied(),
        kernel_tcp: stat.get("sock").copied(),
        stat,
        oom_kills: file::pair(&events, "oom_kill").unwrap_or(0),
        hierarchical: true,
    }))
}

/// Lines `major:minor rbytes=… wbytes=… rios=… wios=… dbytes=… dios=…`, told as v1 tells them.
fn blkio(directory: &Path) -> Result<Option<BlkioStats>, Error> {
    let Some(text) = file::read_if_there(&directory.join("io.stat"))? else { return Ok(None) };
    let mut stats = BlkioStats::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (Ok(value), Some((bytes, op))) = (value.parse(), meaning(key)) else { continue };
            let entry = BlkioEntry { major, minor, op: op.to_owned(), value };
            if bytes { stats.service_bytes.push(entry) } else { stats.serviced.push(entry) }
        }
    }
    Ok(Some(stats))
}

/// Whether a key of `io.stat` counts bytes (or operations), and of what.
fn meaning(key: &str) -> Option<(bool, &'static str)> {
    match key {
        "rbytes" => Some((true, "Read")),
        "wbytes" => Some((true, "Write")),
        "dbytes" => Some((true, "Discard")),
        "rios" => Some((false, "Read")),
        "wios" => Some((false, "Write")),
        "dios" => Some((false, "Discard")),
        _ => None,
    }
}

fn pids(directory: &Path) -> Result<Option<PidsStats>, Error> {
    let Some(current) = file::number_if_there(&directory.join("pids.current"))? else { return Ok(None) };
    Ok(Some(PidsStats { current, limit: file::number_if_there(&directory.join("pids.max"))? }))
}

fn hugetlb(directory: &Path) -> Result<BTreeMap<String, HugetlbStats>, Error> {
    let mut all = BTreeMap::new();
    for size in page_sizes(directory, ".current") {
        let usage = file::number_if_there(&directory.join(format!("hugetlb.{size}.current")))?.unwrap_or(0);
        let events = file::read_if_there(&directory.join(format!("hugetlb.{size}.events")))?.unwrap_or_default();
        let failcnt = file::pair(&events, "max").unwrap_or(0);
        all.insert(size, HugetlbStats { usage, max_usage: 0, failcnt });
    }
    Ok(all)
}

/// The page sizes there are files `hugetlb.<size><ending>` for.
pub(super) fn page_sizes(directory: &Path, ending: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let size = |name: String| {
        let size = name.strip_prefix("hugetlb.")?.strip_suffix(ending)?;
        (!size.contains('.')).then(|| size.to_owned())
    };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter_map(size).collect()
}

/// Lines `device hca_handle=… hca_object=…`; the same on both versions.
pub(super) fn rdma(directory: &Path) -> Result<BTreeMap<String, RdmaStats>, Error> {
    let Some(text) = file::read_if_there(&directory.join("rdma.current"))? else { return Ok(BTreeMap::new()) };
    let device = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let mut stats = RdmaStats::default();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "hca_handle" => stats.hca_handles = value.parse().unwrap_or(0),
                "hca_object" => stats.hca_objects = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        Some((name, stats))
    };
    Ok(text.lines().filter_map(device).collect())
}
