//! Limits: Docker's validation, and what the cgroup is told.
//!
//! [`validate`] judges, [`complete`] fills in and takes out what the host cannot do, [`controls`] and [`limits`] translate.

use oci_spec::runtime::{
    LinuxBlockIo, LinuxBlockIoBuilder, LinuxCpuBuilder, LinuxMemory, LinuxMemoryBuilder, LinuxPidsBuilder,
    LinuxResources, LinuxResourcesBuilder, LinuxThrottleDevice, LinuxThrottleDeviceBuilder, LinuxWeightDeviceBuilder,
};

use super::{Inputs, devices, unbuildable};
use crate::host::{HostFacts, Limit};
use crate::spec::ResourceSpec;
use crate::{Error, Result};

mod discard;

const MIB: i64 = 1 << 20;
const PERIOD: i64 = 100_000;
/// The kernel's least and greatest weight of CPU time.
const SHARES: std::ops::RangeInclusive<i64> = 2..=262_144;

/// A block device by its number, and its weight or rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockDevice {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Weight, or rate a second.
    pub value: u64,
}

/// Limits on block devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockLimits {
    /// Relative weights.
    pub weights: Vec<BlockDevice>,
    /// Bytes read.
    pub read_bps: Vec<BlockDevice>,
    /// Bytes written.
    pub write_bps: Vec<BlockDevice>,
    /// Reads.
    pub read_iops: Vec<BlockDevice>,
    /// Writes.
    pub write_iops: Vec<BlockDevice>,
}

/// Checks what was asked for against itself and the host.
///
/// Gives the warnings for what the host cannot do and a container can be without; [`complete`] then takes that out.
///
/// # Errors
/// Docker's sentence about the first thing that cannot be.
pub fn validate(asked: &ResourceSpec, host: &HostFacts) -> Result<Vec<String>> {
    let mut kept = asked.clone();
    let warnings = discard::what_the_host_cannot(&mut kept, host);
    memory(&kept)?;
    cpu(&kept, host)?;
    realtime(&kept, host)?;
    block_io(&kept)?;
    let refuse = |text: String| Err(Error::Invalid(text));
    if !(-1000..=1000).contains(&asked.oom_score_adj) {
        return refuse(format!("Invalid value {}, range for oom score adj is [-1000, 1000]", asked.oom_score_adj));
    }
    if asked.shm_size < 0 {
        return refuse("SHM size can not be less than 0".into());
    }
    Ok(warnings)
}

fn memory(asked: &ResourceSpec) -> Result<()> {
    let refuse = |text: &str| Err(Error::Invalid(text.into()));
    if asked.memory != 0 && asked.memory < 6 * MIB {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if asked.memory > 0 && asked.memory_swap > 0 && asked.memory_swap < asked.memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if asked.memory == 0 && asked.memory_swap > 0 {
        return refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if let Some(swappiness) = asked.memory_swappiness
        && !(-1..=100).contains(&swappiness)
    {
        return Err(Error::Invalid(format!("Invalid value: {swappiness}, valid memory swappiness range is 0-100")));
    }
    if asked.memory_reservation != 0 && asked.memory_reservation < 6 * MIB {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if asked.memory > 0 && asked.memory < asked.memory_reservation {
        return refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
    }
    Ok(())
}

fn cpu(asked: &ResourceSpec, host: &HostFacts) -> Result<()> {
    let refuse = |text: String| Err(Error::Invalid(text));
    if asked.nano_cpus > 0 && asked.cpu_period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set".into());
    }
    if asked.nano_cpus > 0 && asked.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set".into());
    }
    if asked.nano_cpus > 0 && !host.can(Limit::CpuQuota) {
        return refuse(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
                .into(),
        );
    }
    let most = i64::try_from(host.cpus).unwrap_or(i64::MAX);
    if asked.nano_cpus < 0 || asked.nano_cpus > most.saturating_mul(1_000_000_000) {
        return refuse(format!("range of CPUs is from 0.01 to {most}.00, as there are only {most} CPUs available"));
    }
    if asked.cpu_period != 0 && !(1000..=1_000_000).contains(&asked.cpu_period) {
        return refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)".into());
    }
    if asked.cpu_quota > 0 && asked.cpu_quota < 1000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)".into());
    }
    list(&asked.cpuset_cpus, "cpus", "CPUs", &host.cpu_list)?;
    list(&asked.cpuset_mems, "mems", "memory nodes", &host.memory_nodes)
}

/// These two have no warning in Docker: without them the kernel's real-time scheduling would be somebody else's.
fn realtime(asked: &ResourceSpec, host: &HostFacts) -> Result<()> {
    let (period, runtime) = (asked.cpu_realtime_period, asked.cpu_realtime_runtime);
    let refuse = |text: &str| Err(Error::Invalid(text.into()));
    match host.can(Limit::CpuRealtime) {
        false if period > 0 => refuse("Your kernel does not support cgroup cpu real-time period"),
        false if runtime > 0 => refuse("Your kernel does not support cgroup cpu real-time runtime"),
        _ if period != 0 && runtime != 0 && runtime > period => {
            refuse("cpu real-time runtime cannot be higher than cpu real-time period")
        }
        _ => Ok(()),
    }
}

fn block_io(asked: &ResourceSpec) -> Result<()> {
    let refuse = |text: String| Err(Error::Invalid(text));
    if asked.blkio_weight != 0 && !(10..=1000).contains(&asked.blkio_weight) {
        return refuse("Range of blkio weight is from 10 to 1000".into());
    }
    if let Some(device) = asked.blkio_weight_device.iter().find(|d| d.value != 0 && !(10..=1000).contains(&d.value)) {
        return refuse(format!("Range of blkio weight is from 10 to 1000: {}:{}", device.path, device.value));
    }
    Ok(())
}

/// A list such as `0-2,5`, and whether the host has each of them.
fn list(asked: &str, field: &str, what: &str, available: &str) -> Result<()> {
    let Some(wanted) = parse_list(asked) else {
        return Err(Error::Invalid(format!("Invalid value {asked} for cpuset {field}")));
    };
    let has = parse_list(available).unwrap_or_default();
    if !available.is_empty() && !wanted.is_subset(&has) {
        return Err(Error::Invalid(format!(
            "Requested {what} are not available - requested {asked}, available: {available}"
        )));
    }
    Ok(())
}

fn parse_list(text: &str) -> Option<std::collections::BTreeSet<u32>> {
    let mut set = std::collections::BTreeSet::new();
    for part in text.split(',').filter(|p| !text.is_empty() || !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (from.trim().parse::<u32>().ok()?, to.trim().parse::<u32>().ok()?);
        if from > to || to > 8191 {
            return None;
        }
        set.extend(from..=to);
    }
    Some(set)
}

/// Fills in what Docker derives (swap twice the memory, 64 MiB of shared memory, no pids limit for 0 and -1), and takes out
/// what the host cannot do, of which [`validate`] has warned.
pub fn complete(asked: &mut ResourceSpec, host: &HostFacts) {
    discard::what_the_host_cannot(asked, host);
    if asked.memory > 0 && asked.memory_swap == 0 {
        asked.memory_swap = asked.memory.saturating_mul(2);
    }
    if asked.shm_size == 0 {
        asked.shm_size = 64 * MIB;
    }
    if asked.memory_swappiness == Some(-1) {
        asked.memory_swappiness = None;
    }
    if asked.cpu_shares != 0 {
        asked.cpu_shares = asked.cpu_shares.clamp(*SHARES.start(), *SHARES.end());
    }
    asked.pids_limit = asked.pids_limit.filter(|limit| *limit > 0);
    if asked.oom_kill_disable.is_none() && host.can(Limit::OomKillDisable) {
        asked.oom_kill_disable = Some(false);
    }
}

/// What of a change this host can do.
pub(crate) fn possible(asked: &ResourceSpec, host: &HostFacts) -> ResourceSpec {
    let mut kept = asked.clone();
    discard::what_the_host_cannot(&mut kept, host);
    kept
}

/// What a new container's cgroup is told.
pub(super) fn limits(inputs: Inputs<'_>) -> Result<LinuxResources> {
    let mut resources = controls(&inputs.spec.resources, inputs.host)?;
    resources.set_devices(Some(devices::rules(inputs.spec, inputs.devices)?));
    resources.set_block_io(block_controls(&inputs.spec.resources, inputs.block)?);
    Ok(resources)
}

/// What can be told a cgroup at any time: everything but devices, and limits by device.
///
/// # Errors
/// None that a validated specification can have.
pub fn controls(asked: &ResourceSpec, host: &HostFacts) -> Result<LinuxResources> {
    let mut resources = LinuxResourcesBuilder::default().memory(memory_controls(asked, host)?);
    let mut cpu = LinuxCpuBuilder::default();
    if asked.cpu_shares > 0 {
        cpu = cpu.shares(asked.cpu_shares.unsigned_abs());
    }
    let (quota, period) = if asked.nano_cpus > 0 {
        (asked.nano_cpus / (1_000_000_000 / PERIOD), PERIOD)
    } else {
        (asked.cpu_quota, asked.cpu_period)
    };
    if quota != 0 {
        cpu = cpu.quota(quota);
    }
    if period > 0 {
        cpu = cpu.period(period.unsigned_abs());
    }
    if asked.cpu_realtime_period > 0 {
        cpu = cpu.realtime_period(asked.cpu_realtime_period.unsigned_abs());
    }
    if asked.cpu_realtime_runtime != 0 {
        cpu = cpu.realtime_runtime(asked.cpu_realtime_runtime);
    }
    if !asked.cpuset_cpus.is_empty() {
        cpu = cpu.cpus(asked.cpuset_cpus.clone());
    }
    if !asked.cpuset_mems.is_empty() {
        cpu = cpu.mems(asked.cpuset_mems.clone());
    }
    resources = resources.cpu(cpu.build().map_err(unbuildable)?);
    if let Some(limit) = asked.pids_limit.filter(|limit| *limit > 0) {
        resources = resources.pids(LinuxPidsBuilder::default().limit(limit).build().map_err(unbuildable)?);
    }
    if let Some(block) = block_controls(asked, &BlockLimits::default())? {
        resources = resources.block_io(block);
    }
    resources.build().map_err(unbuildable)
}

fn memory_controls(asked: &ResourceSpec, host: &HostFacts) -> Result<LinuxMemory> {
    let mut memory = LinuxMemoryBuilder::default();
    if asked.memory > 0 {
        memory = memory.limit(asked.memory);
    }
    if asked.memory_swap != 0 && host.can(Limit::Swap) {
        memory = memory.swap(asked.memory_swap);
    }
    if asked.memory_reservation > 0 {
        memory = memory.reservation(asked.memory_reservation);
    }
    if asked.kernel_memory_tcp > 0 {
        memory = memory.kernel_tcp(asked.kernel_memory_tcp);
    }
    if let Some(swappiness) = asked.memory_swappiness.and_then(|s| u64::try_from(s).ok()) {
        memory = memory.swappiness(swappiness);
    }
    if asked.oom_kill_disable == Some(true) {
        memory = memory.disable_oom_killer(true);
    }
    memory.build().map_err(unbuildable)
}

fn block_controls(asked: &ResourceSpec, devices: &BlockLimits) -> Result<Option<LinuxBlockIo>> {
    if asked.blkio_weight == 0 && *devices == BlockLimits::default() {
        return Ok(None);
    }
    let throttles = |devices: &[BlockDevice]| devices.iter().map(throttle).collect::<Result<Vec<_>>>();
    let mut block = LinuxBlockIoBuilder::default()
        .throttle_read_bps_device(throttles(&devices.read_bps)?)
        .throttle_write_bps_device(throttles(&devices.write_bps)?)
        .throttle_read_iops_device(throttles(&devices.read_iops)?)
        .throttle_write_iops_device(throttles(&devices.write_iops)?);
    if asked.blkio_weight > 0 {
        block = block.weight(asked.blkio_weight);
    }
    let mut weights = Vec::with_capacity(devices.weights.len());
    for device in &devices.weights {
        let weight = u16::try_from(device.value).unwrap_or(u16::MAX);
        let built = LinuxWeightDeviceBuilder::default().major(device.major).minor(device.minor).weight(weight).build();
        weights.push(built.map_err(unbuildable)?);
    }
    block.weight_device(weights).build().map(Some).map_err(unbuildable)
}

fn throttle(device: &BlockDevice) -> Result<LinuxThrottleDevice> {
    let builder = LinuxThrottleDeviceBuilder::default().major(device.major).minor(device.minor).rate(device.value);
    builder.build().map_err(unbuildable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able() -> HostFacts {
        HostFacts {
            cpus: 2,
            cpu_list: "0-1".into(),
            memory_nodes: "0".into(),
            limits: Limit::ALL.into_iter().collect(),
            ..HostFacts::default()
        }
    }

    /// What is asked, and Docker's answer.
    #[test]
    fn table() {
        let host = able();
        let asked = ResourceSpec::default;
        let table: [(ResourceSpec, &str); 18] = [
            (ResourceSpec { memory: 6 * MIB, ..asked() }, ""),
            (ResourceSpec { memory: 5 * MIB, ..asked() }, "Minimum memory limit allowed is 6MB"),
            (
                ResourceSpec { memory: 64 * MIB, memory_swap: 32 * MIB, ..asked() },
                "Minimum memoryswap limit should be larger than memory limit, see usage",
            ),
            (
                ResourceSpec { memory_swap: 32 * MIB, ..asked() },
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ),
            (
                ResourceSpec { memory_swappiness: Some(101), ..asked() },
                "Invalid value: 101, valid memory swappiness range is 0-100",
            ),
            (ResourceSpec { memory_reservation: MIB, ..asked() }, "Minimum memory reservation allowed is 6MB"),
            (
                ResourceSpec { nano_cpus: 3_000_000_000, ..asked() },
                "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            ),
            (
                ResourceSpec { nano_cpus: 1, cpu_quota: 1000, ..asked() },
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
            ),
            (
                ResourceSpec { cpu_period: 5, ..asked() },
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            ),
            (ResourceSpec { cpu_quota: 5, ..asked() }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
            (ResourceSpec { cpuset_cpus: "0,1".into(), ..asked() }, ""),
            (ResourceSpec { cpuset_cpus: "x".into(), ..asked() }, "Invalid value x for cpuset cpus"),
            (
                ResourceSpec { cpuset_cpus: "0-9".into(), ..asked() },
                "Requested CPUs are not available - requested 0-9, available: 0-1",
            ),
            (
                ResourceSpec { oom_score_adj: 1001, ..asked() },
                "Invalid value 1001, range for oom score adj is [-1000, 1000]",
            ),
            (ResourceSpec { shm_size: -1, ..asked() }, "SHM size can not be less than 0"),
            (ResourceSpec { blkio_weight: 9, ..asked() }, "Range of blkio weight is from 10 to 1000"),
            (
                ResourceSpec { cpu_realtime_period: 10, cpu_realtime_runtime: 11, ..asked() },
                "cpu real-time runtime cannot be higher than cpu real-time period",
            ),
            (ResourceSpec { blkio_weight: 500, memory: 64 * MIB, memory_reservation: 6 * MIB, ..asked() }, ""),
        ];
        for (asked, expected) in table {
            let got = validate(&asked, &host).map_or_else(|e| e.to_string(), |_| String::new());
            assert_eq!(got, expected, "{asked:?}");
        }
    }

    #[test]
    fn what_docker_derives() {
        let mut asked =
            ResourceSpec { memory: 64 * MIB, pids_limit: Some(-1), cpu_shares: 1, ..ResourceSpec::default() };
        complete(&mut asked, &able());
        assert_eq!((asked.memory_swap, asked.shm_size), (128 * MIB, 64 * MIB));
        assert_eq!((asked.pids_limit, asked.cpu_shares, asked.oom_kill_disable), (None, 2, Some(false)));
    }
}
