//! What this host's kernel cannot limit is taken out of a request, with Docker's warning for each.

use crate::host::{HostFacts, Limit};
use crate::spec::ResourceSpec;

/// One limit: whether a request has it, how it is taken out, and what the user is told.
struct Row {
    limit: Limit,
    asked: fn(&ResourceSpec) -> bool,
    drop: fn(&mut ResourceSpec),
    warning: &'static str,
}

macro_rules! rows {
    ($($limit:ident, $asked:expr, $drop:expr, $warning:literal;)*) => {
        &[$(Row { limit: Limit::$limit, asked: $asked, drop: $drop, warning: $warning }),*]
    };
}

/// In the order in which Docker warns.
const ROWS: &[Row] = rows! {
    Memory, |r| r.memory > 0, |r| (r.memory, r.memory_swap) = (0, -1),
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.";
    Swap, |r| r.memory > 0 && r.memory_swap != -1, |r| r.memory_swap = -1,
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.";
    MemorySwappiness, |r| r.memory_swappiness.is_some_and(|s| s != -1), |r| r.memory_swappiness = None,
        "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.";
    MemoryReservation, |r| r.memory_reservation > 0, |r| r.memory_reservation = 0,
        "Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.";
    KernelMemory, |r| r.kernel_memory > 0, |r| r.kernel_memory = 0,
        "Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.";
    KernelMemoryTcp, |r| r.kernel_memory_tcp > 0, |r| r.kernel_memory_tcp = 0,
        "Your kernel does not support kernel memory TCP limit capabilities or the cgroup is not mounted. Limitation discarded.";
    OomKillDisable, |r| r.oom_kill_disable == Some(true), |r| r.oom_kill_disable = None,
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.";
    Pids, |r| r.pids_limit.is_some_and(|limit| limit > 0), |r| r.pids_limit = None,
        "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.";
    CpuShares, |r| r.cpu_shares > 0, |r| r.cpu_shares = 0,
        "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.";
    CpuQuota, |r| r.cpu_period != 0 || r.cpu_quota != 0, |r| (r.cpu_period, r.cpu_quota) = (0, 0),
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.";
    Cpuset, |r| !(r.cpuset_cpus.is_empty() && r.cpuset_mems.is_empty()), |r| {
            r.cpuset_cpus.clear();
            r.cpuset_mems.clear();
        },
        "Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.";
    BlkioWeight, |r| r.blkio_weight > 0, |r| r.blkio_weight = 0,
        "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.";
    BlkioWeightDevice, |r| !r.blkio_weight_device.is_empty(), |r| r.blkio_weight_device.clear(),
        "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.";
    DeviceReadBps, |r| !r.device_read_bps.is_empty(), |r| r.device_read_bps.clear(),
        "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.";
    DeviceWriteBps, |r| !r.device_write_bps.is_empty(), |r| r.device_write_bps.clear(),
        "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O BPS write limit discarded.";
    DeviceReadIops, |r| !r.device_read_iops.is_empty(), |r| r.device_read_iops.clear(),
        "Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS read limit discarded.";
    DeviceWriteIops, |r| !r.device_write_iops.is_empty(), |r| r.device_write_iops.clear(),
        "Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded.";
};

/// Takes out what cannot be, and says so.
pub(super) fn what_the_host_cannot(asked: &mut ResourceSpec, host: &HostFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    for row in ROWS {
        if (row.asked)(asked) && !host.can(row.limit) {
            (row.drop)(asked);
            warnings.push(row.warning.to_owned());
        }
    }
    if asked.oom_kill_disable == Some(true) && asked.memory == 0 {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
                .to_owned(),
        );
    }
    if !host.can(Limit::OomKillDisable) {
        asked.oom_kill_disable = None;
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DeviceValue;

    /// Everything that can be asked for; the two that are refused rather than discarded are not.
    fn everything() -> ResourceSpec {
        let device = || vec![DeviceValue { path: "/dev/x".into(), value: 100 }];
        ResourceSpec {
            memory: 64 << 20,
            memory_swap: 128 << 20,
            memory_reservation: 32 << 20,
            memory_swappiness: Some(10),
            kernel_memory: 32 << 20,
            kernel_memory_tcp: 32 << 20,
            oom_kill_disable: Some(true),
            pids_limit: Some(5),
            cpu_shares: 10,
            cpu_quota: 5000,
            cpuset_cpus: "0".into(),
            blkio_weight: 100,
            blkio_weight_device: device(),
            device_read_bps: device(),
            device_write_bps: device(),
            device_read_iops: device(),
            device_write_iops: device(),
            ..ResourceSpec::default()
        }
    }

    #[test]
    fn a_host_that_can_do_nothing_warns_of_everything() {
        let (mut asked, host) = (everything(), HostFacts::default());
        let warnings = what_the_host_cannot(&mut asked, &host);
        // Without a memory limit there is no swap to speak of.
        assert_eq!(warnings.len(), ROWS.len() - 1, "{warnings:#?}");
        assert!(warnings[0].starts_with("Your kernel does not support memory limit"));
        assert_eq!(asked, ResourceSpec { memory_swap: -1, ..ResourceSpec::default() });
    }

    #[test]
    fn a_host_that_can_do_everything_takes_it_as_it_is() {
        let (mut asked, host) =
            (everything(), HostFacts { limits: Limit::ALL.into_iter().collect(), ..HostFacts::default() });
        assert_eq!(what_the_host_cannot(&mut asked, &host), Vec::<String>::new());
        assert_eq!(asked, everything());
        asked.memory = 0;
        let warnings = what_the_host_cannot(&mut asked, &host);
        assert!(warnings[0].starts_with("OOM killer is disabled for the container"), "{warnings:?}");
    }
}
