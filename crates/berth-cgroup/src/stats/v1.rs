//! Figures of cgroup v1: a file or more a controller.

use std::collections::BTreeMap;
use std::path::Path;

use super::{BlkioEntry, BlkioStats, CpuStats, HugetlbStats, MemoryStats, PidsStats, Stats};
use crate::cgroup::Cgroup;
use crate::{Error, file};

/// v1 says "no limit" with the largest number of whole pages.
const UNLIMITED: u64 = i64::MAX as u64 & !0xffff;

/// What `cpuacct.stat` counts in: a hundredth of a second (USER_HZ).
const NANOSECONDS_A_TICK: u64 = 10_000_000;

pub(super) fn read(cgroup: &Cgroup) -> Result<Stats, Error> {
    Ok(Stats {
        cpu: cpu(cgroup)?,
        memory: cgroup.directory("memory").map(memory).transpose()?,
        blkio: cgroup.directory("blkio").map(blkio).transpose()?,
        pids: cgroup.directory("pids").map(pids).transpose()?,
        hugetlb: cgroup.directory("hugetlb").map(hugetlb).transpose()?.unwrap_or_default(),
        rdma: cgroup.directory("rdma").map(super::v2::rdma).transpose()?.unwrap_or_default(),
    })
}

fn cpu(cgroup: &Cgroup) -> Result<Option<CpuStats>, Error> {
    let Some(accounting) = cgroup.directory("cpuacct") else { return Ok(None) };
    let times = file::read(&accounting.join("cpuacct.stat"))?;
    let per_cpu = file::read(&accounting.join("cpuacct.usage_percpu"))?;
    let ticks = |name| file::pair(&times, name).unwrap_or(0) * NANOSECONDS_A_TICK;
    let mut stats = CpuStats {
        total: file::number(&accounting.join("cpuacct.usage"))?.unwrap_or(0),
        per_cpu: per_cpu.split_whitespace().filter_map(|time| time.parse().ok()).collect(),
        user: ticks("user"),
        system: ticks("system"),
        ..CpuStats::default()
    };
    if let Some(scheduling) = cgroup.directory("cpu") {
        let text = file::read(&scheduling.join("cpu.stat"))?;
        let value = |name| file::pair(&text, name).unwrap_or(0);
        stats.periods = value("nr_periods");
        stats.throttled_periods = value("nr_throttled");
        stats.throttled_time = value("throttled_time");
        stats.bursts = value("nr_bursts");
        stats.burst_time = value("burst_time");
    }
    Ok(Some(stats))
}

fn limited(value: Option<u64>) -> Option<u64> {
    value.filter(|limit| *limit < UNLIMITED)
}

fn memory(directory: &Path) -> Result<MemoryStats, Error> {
    let number = |name: &str| file::number_if_there(&directory.join(name));
    let usage = number("memory.usage_in_bytes")?.unwrap_or(0);
    let limit = limited(number("memory.limit_in_bytes")?);
    let together = number("memory.memsw.usage_in_bytes")?;
    let together_limit = limited(number("memory.memsw.limit_in_bytes")?);
    let stat: BTreeMap<String, u64> = file::pairs(&file::read(&directory.join("memory.stat"))?)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(MemoryStats {
        usage,
        max_usage: number("memory.max_usage_in_bytes")?,
        limit,
        failcnt: number("memory.failcnt")?.unwrap_or(0),
        swap: together.map(|together| together.saturating_sub(usage)),
        swap_limit: together_limit.zip(limit).map(|(together, limit)| together.saturating_sub(limit)),
        kernel: number("memory.kmem.usage_in_bytes")?,
        kernel_tcp: number("memory.kmem.tcp.usage_in_bytes")?,
        stat,
        oom_kills: file::pair(&file::read(&directory.join("memory.oom_control"))?, "oom_kill").unwrap_or(0),
        hierarchical: number("memory.use_hierarchy")? == Some(1),
    })
}

/// Throttling counts for every scheduler; where BFQ counts too it is the more exact.
fn blkio(directory: &Path) -> Result<BlkioStats, Error> {
    let table = |names: &[&str]| -> Result<Vec<BlkioEntry>, Error> {
        for name in names {
            let entries = file::read_if_there(&directory.join(name))?.map(|text| entries(&text)).unwrap_or_default();
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(Vec::new())
    };
    Ok(BlkioStats {
        service_bytes: table(&[
            "blkio.bfq.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes",
        ])?,
        serviced: table(&[
            "blkio.bfq.io_serviced_recursive",
            "blkio.throttle.io_serviced_recursive",
            "blkio.throttle.io_serviced",
        ])?,
        queued: table(&["blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"])?,
        service_time: table(&["blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive"])?,
        wait_time: table(&["blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"])?,
        merged: table(&["blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"])?,
        time: table(&["blkio.bfq.time_recursive", "blkio.time_recursive"])?,
        sectors: table(&["blkio.bfq.sectors_recursive", "blkio.sectors_recursive"])?,
    })
}

/// Lines `major:minor [op] value`; the grand total at the end bears no device.
fn entries(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split([' ', ':']);
        let (major, minor) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (first, second) = (words.next()?, words.next());
        let (op, value) = second.map_or(("", first), |value| (first, value));
        Some(BlkioEntry { major, minor, op: op.to_owned(), value: value.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

fn pids(directory: &Path) -> Result<PidsStats, Error> {
    Ok(PidsStats {
        current: file::number(&directory.join("pids.current"))?.unwrap_or(0),
        limit: file::number_if_there(&directory.join("pids.max"))?,
    })
}

fn hugetlb(directory: &Path) -> Result<BTreeMap<String, HugetlbStats>, Error> {
    let mut all = BTreeMap::new();
    for size in super::v2::page_sizes(directory, ".usage_in_bytes") {
        let number = |name: &str| file::number_if_there(&directory.join(format!("hugetlb.{size}.{name}")));
        let stats = HugetlbStats {
            usage: number("usage_in_bytes")?.unwrap_or(0),
            max_usage: number("max_usage_in_bytes")?.unwrap_or(0),
            failcnt: number("failcnt")?.unwrap_or(0),
        };
        all.insert(size, stats);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_tables() {
        let rows = entries("8:0 Read 4096\n8:0 Total 4096\n8:16 Write 1\nTotal 4097\n");
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[2].major, rows[2].minor, rows[2].op.as_str(), rows[2].value), (8, 16, "Write", 1));
        assert_eq!(entries("8:0 77\n")[0], BlkioEntry { major: 8, minor: 0, op: String::new(), value: 77 });
        assert!(entries("Total 0\n").is_empty());
    }
}
