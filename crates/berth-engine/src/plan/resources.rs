//! Limits: Docker's validation, and what the cgroup is told.

use oci_spec::runtime::{LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder};

use super::{Inputs, devices, unbuildable};
use crate::host::HostFacts;
use crate::spec::ResourceSpec;
use crate::{Error, Result};

const MIB: i64 = 1 << 20;
const PERIOD: i64 = 100_000;

/// Checks what was asked for against itself and the host.
///
/// Gives the warnings for what the host cannot do and a container can be without.
///
/// # Errors
/// Docker's sentence about the first thing that cannot be.
pub fn validate(asked: &ResourceSpec, host: &HostFacts) -> Result<Vec<String>> {
    memory(asked)?;
    cpu(asked, host)?;
    let refuse = |text: String| Err(Error::Invalid(text));
    if !(-1000..=1000).contains(&asked.oom_score_adj) {
        return refuse(format!("Invalid value {}, range for oom score adj is [-1000, 1000]", asked.oom_score_adj));
    }
    if asked.shm_size < 0 {
        return refuse("SHM size can not be less than 0".into());
    }
    Ok(warnings(asked, host))
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
    if asked.memory_reservation > 0 && asked.memory_reservation < 6 * MIB {
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
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set.".into());
    }
    if asked.nano_cpus > 0 && asked.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set.".into());
    }
    let most = i64::try_from(host.cpus).unwrap_or(i64::MAX);
    if asked.nano_cpus < 0 || asked.nano_cpus > most.saturating_mul(1_000_000_000) {
        return refuse(format!("Range of CPUs is from 0.01 to {most}.00, as there are only {most} CPUs available"));
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

fn warnings(asked: &ResourceSpec, host: &HostFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    if asked.memory > 0 && !host.swap_limit {
        warnings.push(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
                .into(),
        );
    }
    if asked.oom_kill_disable == Some(true) && asked.memory == 0 && !host.cgroup_v2 {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
                .into(),
        );
    }
    if asked.oom_kill_disable == Some(true) && host.cgroup_v2 {
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".into());
    }
    warnings
}

/// Fills in what Docker derives: swap twice the memory, 64 MiB of shared memory, no pids limit for 0 and -1.
pub fn complete(asked: &mut ResourceSpec) {
    if asked.memory > 0 && asked.memory_swap == 0 {
        asked.memory_swap = asked.memory.saturating_mul(2);
    }
    if asked.shm_size == 0 {
        asked.shm_size = 64 * MIB;
    }
    if asked.memory_swappiness == Some(-1) {
        asked.memory_swappiness = None;
    }
}

pub(super) fn limits(inputs: Inputs<'_>) -> Result<LinuxResources> {
    let (asked, host) = (&inputs.spec.resources, inputs.host);
    let mut resources = LinuxResourcesBuilder::default().devices(devices::rules(inputs.spec, inputs.devices)?);
    let mut memory = LinuxMemoryBuilder::default();
    if asked.memory > 0 {
        memory = memory.limit(asked.memory);
    }
    if asked.memory_swap != 0 && host.swap_limit {
        memory = memory.swap(asked.memory_swap);
    }
    if asked.memory_reservation > 0 {
        memory = memory.reservation(asked.memory_reservation);
    }
    if let Some(swappiness) = asked.memory_swappiness.and_then(|s| u64::try_from(s).ok())
        && !host.cgroup_v2
    {
        memory = memory.swappiness(swappiness);
    }
    if asked.oom_kill_disable == Some(true) && !host.cgroup_v2 {
        memory = memory.disable_oom_killer(true);
    }
    resources = resources.memory(memory.build().map_err(unbuildable)?);
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
    resources.build().map_err(unbuildable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked, and Docker's answer.
    #[test]
    fn table() {
        let host = HostFacts { cpus: 2, cpu_list: "0-1".into(), memory_nodes: "0".into(), ..HostFacts::default() };
        let asked = ResourceSpec::default;
        let table: [(ResourceSpec, &str); 15] = [
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
                "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            ),
            (
                ResourceSpec { nano_cpus: 1, cpu_quota: 1000, ..asked() },
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set.",
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
        ];
        for (asked, expected) in table {
            let got = validate(&asked, &host).map_or_else(|e| e.to_string(), |_| String::new());
            assert_eq!(got, expected, "{asked:?}");
        }
    }

    #[test]
    fn what_docker_derives() {
        let mut asked = ResourceSpec { memory: 64 * MIB, ..ResourceSpec::default() };
        complete(&mut asked);
        assert_eq!((asked.memory_swap, asked.shm_size), (128 * MIB, 64 * MIB));
    }
}
