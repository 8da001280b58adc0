//! A container's figures as the API tells them.

use std::collections::BTreeMap;

use berth_api::stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, Throttling,
};
use berth_engine::{ContainerView, Figures, NetworkFigures};

/// What Docker tells of v1's `memory.stat`; on v2, all of it.
const V1_MEMORY: [&str; 17] = [
    "active_anon",
    "active_file",
    "cache",
    "dirty",
    "inactive_anon",
    "inactive_file",
    "mapped_file",
    "pgfault",
    "pgmajfault",
    "pgpgin",
    "pgpgout",
    "rss",
    "rss_huge",
    "unevictable",
    "writeback",
    "hierarchical_memory_limit",
    "hierarchical_memsw_limit",
];

/// Of a container that does not run.
pub(crate) fn nothing(view: &ContainerView) -> Stats {
    Stats { id: view.id.to_string(), name: format!("/{}", view.name), ..Stats::default() }
}

/// A moment's figures, and the ones before.
pub(crate) fn stats(view: &ContainerView, now: &Figures, before: Option<&Figures>) -> Stats {
    let mut shown = Stats {
        os_type: "linux".to_owned(),
        read: now.read.to_string(),
        cpu_stats: cpu(now),
        memory_stats: memory(now),
        networks: (!now.networks.is_empty())
            .then(|| now.networks.iter().map(|(name, figures)| (name.clone(), network(figures))).collect()),
        pids_stats: pids(now),
        blkio_stats: blkio(now),
        ..nothing(view)
    };
    if let Some(before) = before {
        shown.preread = before.read.to_string();
        shown.precpu_stats = cpu(before);
    }
    shown
}

fn cpu(figures: &Figures) -> CpuStats {
    let cpu = figures.cgroup.cpu.clone().unwrap_or_default();
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: cpu.total,
            percpu_usage: Some(cpu.per_cpu).filter(|each| !each.is_empty()),
            usage_in_kernelmode: cpu.system,
            usage_in_usermode: cpu.user,
        },
        system_cpu_usage: figures.system,
        online_cpus: figures.cpus,
        throttling_data: Throttling {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled_time,
        },
    }
}

fn memory(figures: &Figures) -> MemoryStats {
    let Some(memory) = &figures.cgroup.memory else { return MemoryStats::default() };
    let told = |name: &str| figures.unified || V1_MEMORY.contains(&name.strip_prefix("total_").unwrap_or(name));
    let stats: BTreeMap<String, u64> =
        memory.stat.iter().filter(|(name, _)| told(name)).map(|(name, value)| (name.clone(), *value)).collect();
    MemoryStats {
        usage: memory.usage,
        max_usage: memory.max_usage.filter(|_| !figures.unified).unwrap_or(0),
        stats,
        failcnt: if figures.unified { 0 } else { memory.failcnt },
        limit: memory.limit.map_or(figures.memory, |limit| limit.min(figures.memory)),
    }
}

fn pids(figures: &Figures) -> PidsStats {
    let Some(pids) = &figures.cgroup.pids else { return PidsStats::default() };
    // Docker says "no limit" with the largest number on v2, and with nothing on v1.
    let none = if figures.unified { u64::MAX } else { 0 };
    PidsStats { current: pids.current, limit: pids.limit.unwrap_or(none) }
}

fn blkio(figures: &Figures) -> BlkioStats {
    let Some(blkio) = &figures.cgroup.blkio else { return BlkioStats::default() };
    let unified = figures.unified;
    let list = |entries: &[berth_engine::BlkioEntry]| {
        let entry = |entry: &berth_engine::BlkioEntry| BlkioEntry {
            major: entry.major,
            minor: entry.minor,
            op: if unified { entry.op.to_lowercase() } else { entry.op.clone() },
            value: entry.value,
        };
        Some(entries.iter().map(entry).collect::<Vec<_>>())
    };
    let counted_on_v1 = |entries: &[berth_engine::BlkioEntry]| if unified { None } else { list(entries) };
    BlkioStats {
        io_service_bytes_recursive: list(&blkio.service_bytes),
        io_serviced_recursive: list(&blkio.serviced),
        io_queue_recursive: counted_on_v1(&blkio.queued),
        io_service_time_recursive: counted_on_v1(&blkio.service_time),
        io_wait_time_recursive: counted_on_v1(&blkio.wait_time),
        io_merged_recursive: counted_on_v1(&blkio.merged),
        io_time_recursive: counted_on_v1(&blkio.time),
        sectors_recursive: counted_on_v1(&blkio.sectors),
    }
}

fn network(figures: &NetworkFigures) -> NetworkStats {
    let ([rx_bytes, rx_packets, rx_errors, rx_dropped], [tx_bytes, tx_packets, tx_errors, tx_dropped]) =
        (figures.received, figures.sent);
    NetworkStats { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped }
}
