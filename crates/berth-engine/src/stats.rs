//! A moment's figures of a running container: its cgroup's, its network's, and the host's to compare with.

use std::collections::BTreeMap;
use std::fs;

use berth_cgroup::Stats;
use jiff::Timestamp;

use crate::view::ContainerView;
use crate::{Error, Result};

/// Nanoseconds in a clock tick, as `/proc/stat` counts (USER_HZ).
const NANOSECONDS_A_TICK: u64 = 10_000_000;

/// A moment's figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// When they were read.
    pub read: Timestamp,
    /// What the cgroup says.
    pub cgroup: Stats,
    /// By interface; of a container in the host's namespace, none: they would be everybody's.
    pub networks: BTreeMap<String, NetworkFigures>,
    /// Nanoseconds that all processors of the host have worked or idled.
    pub system: u64,
    /// Processors of the host.
    pub cpus: u32,
    /// Bytes of memory of the host.
    pub memory: u64,
    /// The host's cgroups are v2.
    pub unified: bool,
}

/// What went over one interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkFigures {
    /// Bytes, packets, errors and dropped packets that came.
    pub received: [u64; 4],
    /// The same of what went.
    pub sent: [u64; 4],
}

/// Adds the host's and the network's figures. Blocks for reading `/proc`.
pub(crate) fn read(view: &ContainerView, cgroup: Stats) -> Result<Figures> {
    let text = |path: &str| fs::read_to_string(path).map_err(Error::file("reading", path));
    let (system, cpus) = system(&text("/proc/stat")?);
    let memory = memory(&text("/proc/meminfo")?);
    let networks = match view.state.pid() {
        // One that has just ended has none.
        Some(pid) if view.spec.network.mode != crate::spec::NetworkMode::Host => {
            networks(&fs::read_to_string(format!("/proc/{}/net/dev", pid.0)).unwrap_or_default())
        }
        _ => BTreeMap::new(),
    };
    // v2 does not tell the use of each processor.
    let unified = cgroup.cpu.as_ref().is_some_and(|cpu| cpu.per_cpu.is_empty());
    Ok(Figures { read: Timestamp::now(), cgroup, networks, system, cpus, memory, unified })
}

/// The first line's first seven numbers, and how many processors follow.
fn system(stat: &str) -> (u64, u32) {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks = all.unwrap_or_default().split_whitespace().take(7).filter_map(|word| word.parse::<u64>().ok());
    let each =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let cpus = u32::try_from(stat.lines().filter(each).count()).unwrap_or(u32::MAX);
    (ticks.sum::<u64>().saturating_mul(NANOSECONDS_A_TICK), cpus)
}

fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Lines `name: 8 numbers received, 8 sent` under two of headings; the loopback is nobody's traffic.
fn networks(dev: &str) -> BTreeMap<String, NetworkFigures> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let received = numbers.first_chunk::<4>()?;
        let sent = numbers.get(8..)?.first_chunk::<4>()?;
        Some((name.trim().to_owned(), NetworkFigures { received: *received, sent: *sent }))
    };
    dev.lines().filter_map(line).filter(|(name, _)| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_s_files() {
        let stat = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n";
        assert_eq!(system(stat), (28 * NANOSECONDS_A_TICK, 2));
        assert_eq!(system(""), (0, 0));
        assert_eq!(memory("MemTotal:       16 kB\nMemFree: 1 kB\n"), 16384);
    }

    #[test]
    fn the_namespace_s_interfaces() {
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  \
                   eth0: 736 8 1 2 0 0 0 0 126 3 4 5 0 0 0 0\n  odd: 1 2\n";
        let networks = networks(dev);
        let expected = NetworkFigures { received: [736, 8, 1, 2], sent: [126, 3, 4, 5] };
        assert_eq!(networks, BTreeMap::from([("eth0".to_owned(), expected)]));
    }
}
