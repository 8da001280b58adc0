//! What `update` may change of a container, and which changes contradict what holds. Pure.

use crate::spec::{ContainerSpec, ResourceSpec, RestartPolicy};
use crate::{Error, Result};

/// The limits after a change: what `asked` leaves at nothing or zero stays.
///
/// # Errors
/// Docker's sentence about a change that contradicts what was set before.
pub(crate) fn merge(now: &ResourceSpec, asked: &ResourceSpec) -> Result<ResourceSpec> {
    conflicts(now, asked)?;
    let number = |asked: i64, now: i64| if asked == 0 { now } else { asked };
    let text = |asked: &str, now: &str| if asked.is_empty() { now.to_owned() } else { asked.to_owned() };
    Ok(ResourceSpec {
        memory: number(asked.memory, now.memory),
        memory_swap: number(asked.memory_swap, now.memory_swap),
        memory_reservation: number(asked.memory_reservation, now.memory_reservation),
        cpu_shares: number(asked.cpu_shares, now.cpu_shares),
        nano_cpus: number(asked.nano_cpus, now.nano_cpus),
        cpu_period: number(asked.cpu_period, now.cpu_period),
        cpu_quota: number(asked.cpu_quota, now.cpu_quota),
        cpu_realtime_period: number(asked.cpu_realtime_period, now.cpu_realtime_period),
        cpu_realtime_runtime: number(asked.cpu_realtime_runtime, now.cpu_realtime_runtime),
        blkio_weight: if asked.blkio_weight == 0 { now.blkio_weight } else { asked.blkio_weight },
        cpuset_cpus: text(&asked.cpuset_cpus, &now.cpuset_cpus),
        cpuset_mems: text(&asked.cpuset_mems, &now.cpuset_mems),
        pids_limit: asked.pids_limit.or(now.pids_limit),
        ..now.clone()
    })
}

fn conflicts(now: &ResourceSpec, asked: &ResourceSpec) -> Result<()> {
    for (wrong, text) in [
        (
            asked.nano_cpus > 0 && now.cpu_period > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            asked.nano_cpus > 0 && now.cpu_quota > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            asked.cpu_period > 0 && now.nano_cpus > 0,
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            asked.cpu_quota > 0 && now.nano_cpus > 0,
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            asked.memory != 0 && asked.memory > now.memory_swap && asked.memory_swap == 0,
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
        (
            now.memory > 0 && asked.memory == 0 && (1..now.memory).contains(&asked.memory_swap),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
    ] {
        if wrong {
            return Err(Error::State(text.to_owned()));
        }
    }
    Ok(())
}

/// Whether a container may have a restart policy.
///
/// # Errors
/// Docker's sentence.
pub(crate) fn may_restart(spec: &ContainerSpec, policy: RestartPolicy) -> std::result::Result<(), &'static str> {
    match spec.auto_remove && policy != RestartPolicy::No {
        true => Err("Restart policy cannot be updated because AutoRemove is enabled for the container"),
        false => Ok(()),
    }
}

/// What is judged of a change by itself: swap alone is a change of what is limited already.
pub(crate) fn by_itself(asked: &ResourceSpec) -> ResourceSpec {
    let memory_swap = if asked.memory == 0 { 0 } else { asked.memory_swap };
    ResourceSpec { memory_swap, ..asked.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    const MIB: i64 = 1 << 20;

    fn limits(memory: i64, swap: i64) -> ResourceSpec {
        ResourceSpec { memory: memory * MIB, memory_swap: swap * MIB, ..ResourceSpec::default() }
    }

    #[test]
    fn only_what_is_named_changes() {
        let now = ResourceSpec { cpu_shares: 5, pids_limit: Some(7), cpuset_cpus: "0".into(), ..limits(64, 128) };
        let asked = ResourceSpec { memory: 32 * MIB, pids_limit: Some(-1), ..ResourceSpec::default() };
        let after = merge(&now, &asked).unwrap();
        let expected = ResourceSpec { memory: 32 * MIB, pids_limit: Some(-1), ..now.clone() };
        assert_eq!(after, expected);
        assert_eq!(merge(&now, &ResourceSpec::default()).unwrap(), now);
    }

    #[test]
    fn contradictions() {
        let refused = |now: &ResourceSpec, asked: &ResourceSpec| {
            merge(now, asked).err().map_or_else(String::new, |error| error.to_string())
        };
        assert!(refused(&limits(64, 128), &limits(256, 0)).starts_with("Memory limit should be smaller"));
        assert!(refused(&limits(0, 0), &limits(64, 0)).starts_with("Memory limit should be smaller"));
        assert_eq!(refused(&limits(64, 128), &limits(256, 512)), "");
        assert!(refused(&limits(64, 128), &limits(0, 32)).starts_with("Minimum memoryswap"));
        let nano = ResourceSpec { nano_cpus: 1_000_000_000, ..ResourceSpec::default() };
        let quota = ResourceSpec { cpu_quota: 50_000, ..ResourceSpec::default() };
        let period = ResourceSpec { cpu_period: 50_000, ..ResourceSpec::default() };
        assert!(refused(&quota, &nano).contains("CPU Quota has already been set"));
        assert!(refused(&period, &nano).contains("CPU Period has already been set"));
        assert!(refused(&nano, &quota).contains("CPU Quota cannot be updated"));
        assert!(refused(&nano, &period).contains("CPU Period cannot be updated"));
    }
}
