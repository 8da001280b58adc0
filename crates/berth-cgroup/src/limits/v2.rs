//! The plan for cgroup v2, whose units differ from those OCI took over from v1.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};

use super::{Facts, Step, only_v1, or_max, or_nothing, page_size, rdma, set, wrong};
use crate::Error;

pub(super) fn plan(resources: &LinuxResources, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    if let Some(memory) = resources.memory() {
        steps.extend(self::memory(memory, facts)?);
    }
    if let Some(cpu) = resources.cpu() {
        steps.extend(self::cpu(cpu, facts));
    }
    if let Some(pids) = resources.pids().filter(|pids| pids.limit() != 0) {
        steps.push(set("pids", "a limit on processes", "pids.max", or_max(pids.limit())));
    }
    if let Some(io) = resources.block_io() {
        steps.extend(block_io(io, facts));
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        let size = page_size(limit.page_size())?;
        for kind in ["", "rsvd."] {
            let step = set("hugetlb", "a huge page limit", format!("hugetlb.{size}.{kind}max"), limit.limit());
            steps.push(or_nothing(step, kind == "rsvd."));
        }
    }
    steps.extend(rdma(resources));
    if let Some(network) = resources.network() {
        if network.class_id().is_some_and(|class| class != 0) {
            steps.push(only_v1("a network class"));
        }
        if network.priorities().as_ref().is_some_and(|all| !all.is_empty()) {
            steps.push(only_v1("a network priority"));
        }
    }
    steps.extend(unified(resources)?);
    Ok(steps)
}

fn memory(memory: &LinuxMemory, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    let limit = memory.limit().filter(|limit| *limit != 0);
    let mut steps = Vec::new();
    if let Some(limit) = limit.filter(|_| memory.check_before_update() == Some(true)) {
        check_usage(limit, facts)?;
    }
    steps.extend(swap(memory, limit)?);
    steps.extend(limit.map(|limit| set("memory", "a memory limit", "memory.max", or_max(limit))));
    let low = memory.reservation().filter(|low| *low != 0);
    steps.extend(low.map(|low| set("memory", "a memory reservation", "memory.low", or_max(low))));
    if memory.disable_oom_killer() == Some(true) {
        steps.push(only_v1("disabling the OOM killer"));
    }
    if memory.swappiness().is_some() {
        steps.push(only_v1("memory swappiness"));
    }
    if memory.kernel_tcp().is_some_and(|limit| limit != 0) {
        steps.push(only_v1("a TCP buffer limit"));
    }
    Ok(steps)
}

fn check_usage(limit: i64, facts: &dyn Facts) -> Result<(), Error> {
    let usage = facts.read("memory", "memory.current").and_then(|text| text.trim().parse::<i64>().ok());
    match usage {
        Some(usage) if limit > 0 && usage > limit => {
            Err(wrong("a memory limit", limit, format!("{usage} bytes are in use")))
        }
        _ => Ok(()),
    }
}

/// OCI's `swap` is memory and swap together; v2 limits swap alone.
fn swap(memory: &LinuxMemory, limit: Option<i64>) -> Result<Option<Step>, Error> {
    const LIMIT: &str = "a swap limit";
    let swap = memory.swap().filter(|swap| *swap != 0);
    let value = match (swap, limit) {
        (None, Some(limit)) if limit < 0 => "max".to_owned(),
        (None, _) => return Ok(None),
        (Some(swap), _) if swap < 0 => "max".to_owned(),
        (Some(swap), None) => return Err(wrong("memory and swap together", swap, "it needs a memory limit beside it")),
        (Some(swap), Some(limit)) if limit < 0 || swap < limit => {
            return Err(wrong("memory and swap together", swap, "it is less than the memory limit"));
        }
        (Some(swap), Some(limit)) => (swap - limit).to_string(),
    };
    let dispensable = value == "max";
    Ok(Some(or_nothing(set("memory", LIMIT, "memory.swap.max", value), dispensable)))
}

fn cpu(cpu: &LinuxCpu, facts: &dyn Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    let idle = cpu.idle();
    steps.extend(idle.map(|idle| set("cpu", "an idle CPU class", "cpu.idle", idle)));
    let shares = cpu.shares().filter(|shares| *shares != 0 && idle != Some(1));
    steps.extend(shares.map(|shares| set("cpu", "a CPU weight", "cpu.weight", cpu_weight(shares))));
    steps.extend(cpu.burst().map(|burst| or_nothing(set("cpu", "a CPU burst", "cpu.max.burst", burst), burst == 0)));
    steps.extend(quota(cpu, facts).map(|line| set("cpu", "a CPU quota", "cpu.max", line)));
    if cpu.realtime_runtime().is_some_and(|us| us != 0) || cpu.realtime_period().is_some_and(|us| us != 0) {
        steps.push(only_v1("a real-time limit"));
    }
    let cpus = cpu.cpus().as_ref().filter(|cpus| !cpus.is_empty());
    steps.extend(cpus.map(|cpus| set("cpuset", "a set of CPUs", "cpuset.cpus", cpus)));
    let mems = cpu.mems().as_ref().filter(|mems| !mems.is_empty());
    steps.extend(mems.map(|mems| set("cpuset", "a set of memory nodes", "cpuset.mems", mems)));
    steps
}

/// v1's shares (2 to 262144, usually 1024) as a weight (1 to 10000, usually 100): the curve through the ends and the
/// defaults that runtimes agreed on.
pub(crate) fn cpu_weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let l = (shares as f64).log2();
    let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    10_f64.powf(exponent).ceil() as u64
}

/// `quota period`. What is not given keeps what holds.
fn quota(cpu: &LinuxCpu, facts: &dyn Facts) -> Option<String> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_none() && period.is_none() {
        return None;
    }
    let current = if facts.is_new() { None } else { facts.read("cpu", "cpu.max") };
    let mut current = current.as_deref().unwrap_or("max 100000").split_whitespace();
    let (old_quota, old_period) = (current.next().unwrap_or("max"), current.next().unwrap_or("100000"));
    let quota = quota.map_or(old_quota.to_owned(), or_max);
    let period = period.map_or(old_period.to_owned(), |period| period.to_string());
    Some(format!("{quota} {period}"))
}

/// BFQ's weights are v1's (10 to 1000); `io.weight` goes from 1 to 10000.
pub(crate) fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.clamp(10, 1000) - 10) * 9999 / 990
}

fn block_io(io: &LinuxBlockIo, facts: &dyn Facts) -> Vec<Step> {
    const WEIGHT: &str = "a block I/O weight";
    let mut steps = Vec::new();
    let bfq = facts.has("io", "io.bfq.weight");
    let (file, convert): (_, fn(u16) -> u64) =
        if bfq { ("io.bfq.weight", u64::from) } else { ("io.weight", io_weight) };
    let weight = io.weight().filter(|weight| *weight != 0);
    steps.extend(weight.map(|weight| set("io", WEIGHT, file, format!("default {}", convert(weight)))));
    for device in io.weight_device().iter().flatten() {
        let weight = device.weight().filter(|weight| *weight != 0);
        let line = |weight| format!("{}:{} {}", device.major(), device.minor(), convert(weight));
        steps.extend(weight.map(|weight| set("io", WEIGHT, file, line(weight))));
    }
    if io.leaf_weight().is_some_and(|weight| weight != 0) {
        steps.push(only_v1("a block I/O leaf weight"));
    }
    for (devices, key) in [
        (io.throttle_read_bps_device(), "rbps"),
        (io.throttle_write_bps_device(), "wbps"),
        (io.throttle_read_iops_device(), "riops"),
        (io.throttle_write_iops_device(), "wiops"),
    ] {
        for device in devices.iter().flatten() {
            // 0 lifts a throttle on v1, and io.max spells that differently.
            let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
            let line = format!("{}:{} {key}={rate}", device.major(), device.minor());
            steps.push(set("io", "a block I/O throttle", "io.max", line));
        }
    }
    steps
}

/// The files that `unified` names, as they are; in the order of their names, so that a plan is the same every time.
fn unified(resources: &LinuxResources) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut entries: Vec<_> = resources.unified().iter().flatten().collect();
    entries.sort();
    for (file, value) in entries {
        if file.contains('/') || !file.contains('.') {
            return Err(wrong("a unified resource", format!("{file:?}"), "it is not the name of a cgroup file"));
        }
        for line in value.lines() {
            steps.push(set(controller(file), "a unified resource", file.clone(), line));
        }
    }
    Ok(steps)
}

fn controller(file: &str) -> &'static str {
    const ALL: [&str; 9] = ["cpu", "cpuset", "io", "memory", "hugetlb", "pids", "rdma", "misc", "dmem"];
    let prefix = file.split('.').next().unwrap_or_default();
    ALL.into_iter().find(|one| *one == prefix).unwrap_or("cgroup")
}
