//! An update request becomes changed limits and a policy.

use berth_api::host_config::HostConfig;
use berth_engine::spec::{ResourceSpec, RestartPolicy};

use super::check::{self, some};
use crate::http::error::ApiError;

/// What is to change.
#[derive(Debug)]
pub(crate) struct Changes {
    /// What is nothing or zero stays.
    pub(crate) limits: ResourceSpec,
    /// `None`: it stays.
    pub(crate) policy: Option<RestartPolicy>,
    /// Fields that were sent and are as they were made, as with Docker.
    pub(crate) left: Vec<&'static str>,
}

impl TryFrom<&HostConfig> for Changes {
    type Error = ApiError;

    fn try_from(host: &HostConfig) -> Result<Self, ApiError> {
        let policy = &host.restart_policy;
        let policy = match policy.name.as_str() {
            "" if policy.maximum_retry_count == 0 => None,
            _ => Some(check::restart_policy(policy, false)?),
        };
        Ok(Self { limits: limits(host), policy, left: fixed(host) })
    }
}

/// The two that are judged and left as they are, too.
fn limits(host: &HostConfig) -> ResourceSpec {
    ResourceSpec {
        memory_swappiness: host.memory_swappiness.filter(|swappiness| *swappiness != -1),
        oom_kill_disable: host.oom_kill_disable.filter(|disable| *disable),
        ..super::limits::changeable(host)
    }
}

/// What Docker's API lets a client send here and leaves as it is: the names of what was sent.
fn fixed(host: &HostConfig) -> Vec<&'static str> {
    let fields = [
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
    ];
    fields.into_iter().filter_map(|(sent, field)| sent.then_some(field)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn changes(text: &str) -> Result<Changes, ApiError> {
        Changes::try_from(&serde_json::from_str::<HostConfig>(text).unwrap())
    }

    #[test]
    fn what_cannot_change_is_told() {
        let text = r#"{"Memory":9,"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"MemorySwappiness":50,"Devices":[]}"#;
        let changes = changes(text).unwrap();
        assert_eq!((changes.limits.memory, changes.policy), (9, None));
        assert_eq!(changes.left, ["Ulimits", "MemorySwappiness"]);
        assert!(super::tests::changes(r#"{"MemorySwappiness":-1,"OomKillDisable":false}"#).unwrap().left.is_empty());
    }
}
