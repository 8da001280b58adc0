//! The plan for cgroup v1.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxResources};

use super::{Facts, Step, or_nothing, page_size, rdma, set, wrong};
use crate::Error;

pub(super) fn plan(resources: &LinuxResources, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    if let Some(memory) = resources.memory() {
        steps.extend(self::memory(memory, facts)?);
    }
    if let Some(cpu) = resources.cpu() {
        steps.extend(self::cpu(cpu));
    }
    if let Some(pids) = resources.pids().filter(|pids| pids.limit() != 0) {
        steps.push(set("pids", "a limit on processes", "pids.max", super::or_max(pids.limit())));
    }
    if let Some(block_io) = resources.block_io() {
        steps.extend(self::block_io(block_io, facts));
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        let size = page_size(limit.page_size())?;
        for kind in ["", "rsvd."] {
            let step =
                set("hugetlb", "a huge page limit", format!("hugetlb.{size}.{kind}limit_in_bytes"), limit.limit());
            steps.push(or_nothing(step, kind == "rsvd."));
        }
    }
    steps.extend(rdma(resources));
    if let Some(network) = resources.network() {
        steps.extend(self::network(network));
    }
    if resources.unified().as_ref().is_some_and(|unified| !unified.is_empty()) {
        steps.push(Err(Error::Version { limit: "a unified resource", version: "v1" }));
    }
    Ok(steps)
}

/// The kernel demands `limit ≤ memory and swap` at every moment, so that the order of the two depends on what holds now.
fn memory(memory: &LinuxMemory, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    let limit = memory.limit().filter(|limit| *limit != 0);
    // No limit on memory means none on swap either, unless it is given.
    let swap = memory.swap().filter(|swap| *swap != 0).or(limit.filter(|limit| *limit < 0));
    if let (Some(limit), Some(swap)) = (limit, swap)
        && swap >= 0
        && (limit < 0 || swap < limit)
    {
        return Err(wrong("memory and swap together", swap, "it is less than the memory limit"));
    }
    let limit_step = limit.map(|limit| set("memory", "a memory limit", "memory.limit_in_bytes", limit));
    let swap_step = swap.map(|swap| {
        or_nothing(set("memory", "a limit on memory and swap", "memory.memsw.limit_in_bytes", swap), swap < 0)
    });
    let mut steps: Vec<Step> = if swap_first(swap, facts) {
        swap_step.into_iter().chain(limit_step).collect()
    } else {
        limit_step.into_iter().chain(swap_step).collect()
    };
    let soft = memory.reservation().filter(|soft| *soft != 0);
    steps.extend(soft.map(|soft| set("memory", "a memory reservation", "memory.soft_limit_in_bytes", soft)));
    let tcp = memory.kernel_tcp().filter(|tcp| *tcp != 0);
    steps.extend(tcp.map(|tcp| set("memory", "a TCP buffer limit", "memory.kmem.tcp.limit_in_bytes", tcp)));
    if memory.disable_oom_killer() == Some(true) || (memory.disable_oom_killer() == Some(false) && !facts.is_new()) {
        let value = i32::from(memory.disable_oom_killer() == Some(true));
        steps.push(set("memory", "disabling the OOM killer", "memory.oom_control", value));
    }
    if let Some(swappiness) = memory.swappiness() {
        if swappiness > 100 {
            return Err(wrong("memory swappiness", swappiness, "it is a percentage, 0 to 100"));
        }
        steps.push(set("memory", "memory swappiness", "memory.swappiness", swappiness));
    }
    Ok(steps)
}

fn swap_first(swap: Option<i64>, facts: &dyn Facts) -> bool {
    let Some(swap) = swap.filter(|_| !facts.is_new()) else { return false };
    let current = facts.read("memory", "memory.limit_in_bytes").and_then(|text| text.trim().parse::<i64>().ok());
    swap < 0 || current.is_some_and(|current| current < swap)
}

fn cpu(cpu: &LinuxCpu) -> Vec<Step> {
    let mut steps = Vec::new();
    let idle = cpu.idle();
    steps.extend(idle.map(|idle| set("cpu", "an idle CPU class", "cpu.idle", idle)));
    // The kernel keeps the weight of an idle group to itself.
    let shares = cpu.shares().filter(|shares| *shares != 0 && idle != Some(1));
    steps.extend(shares.map(|shares| set("cpu", "a CPU weight", "cpu.shares", shares)));
    let rt_period = cpu.realtime_period().filter(|period| *period != 0);
    steps.extend(rt_period.map(|period| set("cpu", "a real-time period", "cpu.rt_period_us", period)));
    let rt_runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    steps.extend(rt_runtime.map(|runtime| set("cpu", "a real-time runtime", "cpu.rt_runtime_us", runtime)));
    steps.extend(cpu.burst().map(|burst| or_nothing(set("cpu", "a CPU burst", "cpu.cfs_burst_us", burst), burst == 0)));
    let period = cpu.period().filter(|period| *period != 0);
    steps.extend(period.map(|period| set("cpu", "a CPU period", "cpu.cfs_period_us", period)));
    let quota = cpu.quota().filter(|quota| *quota != 0);
    steps.extend(quota.map(|quota| set("cpu", "a CPU quota", "cpu.cfs_quota_us", quota)));
    let cpus = cpu.cpus().as_ref().filter(|cpus| !cpus.is_empty());
    steps.extend(cpus.map(|cpus| set("cpuset", "a set of CPUs", "cpuset.cpus", cpus)));
    let mems = cpu.mems().as_ref().filter(|mems| !mems.is_empty());
    steps.extend(mems.map(|mems| set("cpuset", "a set of memory nodes", "cpuset.mems", mems)));
    steps
}

fn block_io(io: &LinuxBlockIo, facts: &dyn Facts) -> Vec<Step> {
    const WEIGHT: &str = "a block I/O weight";
    let mut steps = Vec::new();
    // The weight's file is the scheduler's: BFQ's or, before Linux 5.0, CFQ's.
    let bfq = facts.has("blkio", "blkio.bfq.weight");
    let file = if bfq { "blkio.bfq.weight" } else { "blkio.weight" };
    steps.extend(io.weight().filter(|weight| *weight != 0).map(|weight| set("blkio", WEIGHT, file, weight)));
    let leaf = io.leaf_weight().filter(|weight| *weight != 0);
    steps.extend(leaf.map(|weight| set("blkio", "a block I/O leaf weight", "blkio.leaf_weight", weight)));
    let device_file = if bfq { "blkio.bfq.weight_device" } else { "blkio.weight_device" };
    for device in io.weight_device().iter().flatten() {
        let line = |weight: u16| format!("{}:{} {weight}", device.major(), device.minor());
        let weight = device.weight().filter(|weight| *weight != 0);
        steps.extend(weight.map(|weight| set("blkio", WEIGHT, device_file, line(weight))));
        let leaf = device.leaf_weight().filter(|weight| *weight != 0);
        steps.extend(
            leaf.map(|weight| set("blkio", "a block I/O leaf weight", "blkio.leaf_weight_device", line(weight))),
        );
    }
    for (devices, file) in [
        (io.throttle_read_bps_device(), "blkio.throttle.read_bps_device"),
        (io.throttle_write_bps_device(), "blkio.throttle.write_bps_device"),
        (io.throttle_read_iops_device(), "blkio.throttle.read_iops_device"),
        (io.throttle_write_iops_device(), "blkio.throttle.write_iops_device"),
    ] {
        for device in devices.iter().flatten() {
            let line = format!("{}:{} {}", device.major(), device.minor(), device.rate());
            steps.push(set("blkio", "a block I/O throttle", file, line));
        }
    }
    steps
}

fn network(network: &LinuxNetwork) -> Vec<Step> {
    let class = network.class_id().filter(|class| *class != 0);
    let mut steps: Vec<Step> =
        class.map(|class| set("net_cls", "a network class", "net_cls.classid", class)).into_iter().collect();
    for priority in network.priorities().iter().flatten() {
        let line = format!("{} {}", priority.name(), priority.priority());
        steps.push(set("net_prio", "a network priority", "net_prio.ifpriomap", line));
    }
    steps
}
