//! An update request becomes changed limits and a policy.

use berth_api::host_config::HostConfig;
use berth_engine::spec::{ResourceSpec, RestartPolicy};

use super::check;
use crate::http::error::ApiError;

/// What is to change.
#[derive(Debug)]
pub(crate) struct Changes {
    /// What is nothing or zero stays.
    pub(crate) limits: ResourceSpec,
    /// `None`: it stays.
    pub(crate) policy: Option<RestartPolicy>,
}

impl TryFrom<&HostConfig> for Changes {
    type Error = ApiError;

    fn try_from(host: &HostConfig) -> Result<Self, ApiError> {
        fixed(host)?;
        let policy = &host.restart_policy;
        let policy = match policy.name.as_str() {
            "" if policy.maximum_retry_count == 0 => None,
            _ => Some(check::restart_policy(policy, false)?),
        };
        Ok(Self { limits: limits(host), policy })
    }
}

fn limits(host: &HostConfig) -> ResourceSpec {
    ResourceSpec {
        memory: host.memory,
        memory_swap: host.memory_swap,
        memory_reservation: host.memory_reservation,
        cpu_shares: host.cpu_shares,
        nano_cpus: host.nano_cpus,
        cpu_period: host.cpu_period,
        cpu_quota: host.cpu_quota,
        cpu_realtime_period: host.cpu_realtime_period,
        cpu_realtime_runtime: host.cpu_realtime_runtime,
        cpuset_cpus: host.cpuset_cpus.clone(),
        cpuset_mems: host.cpuset_mems.clone(),
        pids_limit: host.pids_limit,
        blkio_weight: host.blkio_weight,
        ..ResourceSpec::default()
    }
}

/// What the API lets a client send here and cannot be changed once a container is made.
fn fixed(host: &HostConfig) -> Result<(), ApiError> {
    fn some<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    for (asked, field) in [
        (some(host.ulimits.as_ref()), "Ulimits"),
        (some(host.devices.as_ref()), "Devices"),
        (some(host.device_cgroup_rules.as_ref()), "DeviceCgroupRules"),
        (some(host.device_requests.as_ref()), "DeviceRequests"),
        (some(host.blkio_weight_device.as_ref()), "BlkioWeightDevice"),
        (some(host.blkio_device_read_bps.as_ref()), "BlkioDeviceReadBps"),
        (some(host.blkio_device_write_bps.as_ref()), "BlkioDeviceWriteBps"),
        (some(host.blkio_device_read_iops.as_ref()), "BlkioDeviceReadIOps"),
        (some(host.blkio_device_write_iops.as_ref()), "BlkioDeviceWriteIOps"),
        (!host.cgroup_parent.is_empty(), "CgroupParent"),
        (host.memory_swappiness.is_some_and(|swappiness| swappiness != -1), "MemorySwappiness"),
        (host.oom_kill_disable == Some(true), "OomKillDisable"),
    ] {
        if asked {
            return Err(ApiError::not_yet("change this of a container that is made", field));
        }
    }
    Ok(())
}
