//! A container's figures as a line of `stats`: what is counted, reckoned and shown as Docker does. Pure.

use berth_api::stats::{BlkioEntry, MemoryStats, Stats};
use berth_template::Value;

use super::Line;
use crate::unit::size;

/// What a line shows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Figures {
    cpu: f64,
    memory: f64,
    limit: f64,
    received: f64,
    sent: f64,
    read: f64,
    written: f64,
    pids: u64,
}

impl Figures {
    pub(super) fn of(stats: &Stats) -> Self {
        let networks = || stats.networks.iter().flat_map(|networks| networks.values());
        let blocks = stats.blkio_stats.io_service_bytes_recursive.as_deref().unwrap_or_default();
        let moved = |letter: char| {
            let fits = |entry: &&BlkioEntry| entry.op.to_lowercase().starts_with(letter);
            blocks.iter().filter(fits).map(|entry| entry.value as f64).sum()
        };
        Self {
            cpu: cpu(stats),
            memory: used(&stats.memory_stats) as f64,
            limit: stats.memory_stats.limit as f64,
            received: networks().map(|network| network.rx_bytes as f64).sum(),
            sent: networks().map(|network| network.tx_bytes as f64).sum(),
            read: moved('r'),
            written: moved('w'),
            pids: stats.pids_stats.current,
        }
    }
}

/// The share of one processor, in percent: two of them at full load are 200.
fn cpu(stats: &Stats) -> f64 {
    let (now, before) = (&stats.cpu_stats, &stats.precpu_stats);
    let used = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let of = now.system_cpu_usage as f64 - before.system_cpu_usage as f64;
    let each = now.cpu_usage.percpu_usage.as_ref().map_or(0, Vec::len) as f64;
    let cpus = if now.online_cpus == 0 { each } else { f64::from(now.online_cpus) };
    if used > 0.0 && of > 0.0 { used / of * cpus * 100.0 } else { 0.0 }
}

/// Without the page cache that nobody uses: `total_inactive_file` on cgroup v1, `inactive_file` on v2.
fn used(memory: &MemoryStats) -> u64 {
    let idle = ["total_inactive_file", "inactive_file"].into_iter().find_map(|name| memory.stats.get(name));
    match idle {
        Some(idle) if *idle < memory.usage => memory.usage - idle,
        _ => memory.usage,
    }
}

/// The line's fields.
pub(super) fn row(line: &Line, truncate: bool) -> Value {
    let short = |id: &str| if truncate { id.chars().take(12).collect() } else { id.to_owned() };
    let or_dashes = |text: &str| if text.is_empty() { "--".to_owned() } else { text.to_owned() };
    let percent = |value: f64| format!("{value:.2}%");
    let pair = |a: String, b: String| format!("{a} / {b}");
    let shown = line.figures.map(|f| {
        let share = if f.limit > 0.0 { f.memory / f.limit * 100.0 } else { 0.0 };
        [
            percent(f.cpu),
            pair(size::human_binary(f.memory as i64), size::human_binary(f.limit as i64)),
            percent(share),
            pair(size::human3(f.received as i64), size::human3(f.sent as i64)),
            pair(size::human3(f.read as i64), size::human3(f.written as i64)),
            f.pids.to_string(),
        ]
    });
    let unknown = || ["--", "-- / --", "--", "--", "--", "--"].map(str::to_owned);
    let [cpu, memory, share, network, block, pids] = shown.unwrap_or_else(unknown);
    let by_id = line.container == line.id;
    let container = if by_id { short(&line.container) } else { line.container.clone() };
    let fields = [
        ("BlockIO", block),
        ("CPUPerc", cpu),
        ("Container", container),
        ("ID", or_dashes(&short(&line.id))),
        ("MemPerc", share),
        ("MemUsage", memory),
        ("Name", or_dashes(&line.name)),
        ("NetIO", network),
        ("PIDs", pids),
    ];
    let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
    Value::record("*container.statsContext", members)
}

/// The headings of its fields.
pub(super) fn headings() -> Value {
    let fields = [
        ("BlockIO", "BLOCK I/O"),
        ("CPUPerc", "CPU %"),
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("MemPerc", "MEM %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("Name", "NAME"),
        ("NetIO", "NET I/O"),
        ("PIDs", "PIDS"),
    ];
    crate::format::headings(fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use berth_template::Template;

    use super::*;

    fn shown(line: &Line, template: &str) -> String {
        Template::parse(template).unwrap().render(&row(line, true)).unwrap()
    }

    #[test]
    fn figures_are_reckoned_as_docker_does() {
        let json = serde_json::json!({
            "id": "0123456789abcdef", "name": "/web", "read": "2026-11-21T00:00:00Z",
            "cpu_stats": {"cpu_usage": {"total_usage": 600}, "system_cpu_usage": 4000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 2000, "online_cpus": 2},
            "memory_stats": {"usage": 3 << 20, "limit": 64 << 20, "stats": {"total_inactive_file": 1 << 20, "inactive_file": 7}},
            "networks": {"eth0": {"rx_bytes": 736, "tx_bytes": 1000}, "eth1": {"rx_bytes": 264}},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 4096}, {"major": 8, "minor": 0, "op": "write", "value": 12},
                {"major": 8, "minor": 0, "op": "Total", "value": 5000}]},
            "pids_stats": {"current": 2}
        });
        let stats: Stats = serde_json::from_value(json).unwrap();
        let mut line = Line { container: "web".to_owned(), ..Line::default() };
        assert_eq!(shown(&line, "{{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}}"), "-- -- -- -- / --");
        line.take(&stats);
        assert_eq!(
            shown(
                &line,
                "{{.Container}} {{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}"
            ),
            "web 0123456789ab web 50.00% 2MiB / 64MiB 3.12% 1kB / 1kB 4.1kB / 12B 2"
        );
        line.take(&Stats { name: "/web".to_owned(), ..Stats::default() });
        assert_eq!(shown(&line, "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}"), "0.00% 0B / 0B 0");
    }
}
