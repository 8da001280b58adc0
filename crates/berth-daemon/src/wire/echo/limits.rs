//! Limits, namespaces and confinement as `HostConfig` shows them.

use berth_api::host_config::{DeviceMapping, DeviceRequest, HostConfig, ThrottleDevice, Ulimit, WeightDevice};
use berth_engine::plan;
use berth_engine::spec::{
    CgroupnsMode, DeviceSpec, DeviceValue, IpcMode, IsolationSpec, PidMode, ResourceSpec, SeccompSpec,
};

/// `/dev/shm` where nobody says otherwise.
const SHM_SIZE: i64 = 64 << 20;

pub(super) fn limits(resources: &ResourceSpec) -> HostConfig {
    let memory_swap = match (resources.memory, resources.memory_swap) {
        (memory, 0) if memory > 0 => memory.saturating_mul(2),
        (_, swap) => swap,
    };
    HostConfig {
        oom_score_adj: resources.oom_score_adj,
        shm_size: if resources.shm_size == 0 { SHM_SIZE } else { resources.shm_size },
        cpu_shares: resources.cpu_shares,
        memory: resources.memory,
        nano_cpus: resources.nano_cpus,
        cgroup_parent: resources.cgroup_parent.clone(),
        blkio_weight: resources.blkio_weight,
        blkio_weight_device: shown(&resources.blkio_weight_device, weight),
        blkio_device_read_bps: shown(&resources.device_read_bps, rate),
        blkio_device_write_bps: shown(&resources.device_write_bps, rate),
        blkio_device_read_iops: shown(&resources.device_read_iops, rate),
        blkio_device_write_iops: shown(&resources.device_write_iops, rate),
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpu_realtime_period: resources.cpu_realtime_period,
        cpu_realtime_runtime: resources.cpu_realtime_runtime,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        cpuset_mems: resources.cpuset_mems.clone(),
        devices: shown(&resources.devices, device),
        device_cgroup_rules: shown(&resources.device_rules, ToString::to_string),
        device_requests: shown(&resources.device_requests, request),
        kernel_memory: resources.kernel_memory,
        kernel_memory_tcp: resources.kernel_memory_tcp,
        memory_reservation: resources.memory_reservation,
        memory_swap,
        memory_swappiness: resources.memory_swappiness,
        oom_kill_disable: resources.oom_kill_disable,
        pids_limit: resources.pids_limit,
        ulimits: Some(
            resources
                .ulimits
                .iter()
                .map(|limit| Ulimit { name: limit.name.clone(), hard: limit.hard, soft: limit.soft })
                .collect(),
        ),
        ..HostConfig::default()
    }
}

/// `null` where there are none.
fn shown<T, U>(list: &[T], one: impl Fn(&T) -> U) -> Option<Vec<U>> {
    (!list.is_empty()).then(|| list.iter().map(one).collect())
}

fn device(device: &DeviceSpec) -> DeviceMapping {
    DeviceMapping {
        path_on_host: device.host.clone(),
        path_in_container: device.container.clone(),
        cgroup_permissions: device.permissions.clone(),
    }
}

fn weight(device: &DeviceValue) -> WeightDevice {
    WeightDevice { path: device.path.clone(), weight: u16::try_from(device.value).unwrap_or(u16::MAX) }
}

fn rate(device: &DeviceValue) -> ThrottleDevice {
    ThrottleDevice { path: device.path.clone(), rate: device.value }
}

fn request(request: &berth_engine::spec::DeviceRequest) -> DeviceRequest {
    DeviceRequest {
        driver: request.driver.clone(),
        count: request.count,
        device_ids: (!request.ids.is_empty()).then(|| request.ids.clone()),
        capabilities: (!request.capabilities.is_empty()).then(|| request.capabilities.clone()),
        options: Some(request.options.clone()),
    }
}

/// The container's namespaces and confinement, over `rest`. `cgroup_namespace` is what containers get on this host.
pub(super) fn isolation(isolation: &IsolationSpec, cgroup_namespace: &str, rest: HostConfig) -> HostConfig {
    let list = |list: &Vec<String>| shown(list, Clone::clone);
    let host = |is: bool| if is { "host".to_owned() } else { String::new() };
    HostConfig {
        cap_add: list(&isolation.cap_add),
        cap_drop: list(&isolation.cap_drop),
        cgroupns_mode: match isolation.cgroupns {
            Some(CgroupnsMode::Private) => "private".to_owned(),
            Some(CgroupnsMode::Host) => "host".to_owned(),
            None => cgroup_namespace.to_owned(),
        },
        group_add: list(&isolation.group_add),
        ipc_mode: match &isolation.ipc {
            IpcMode::Private => "private".to_owned(),
            IpcMode::None => "none".to_owned(),
            IpcMode::Shareable => "shareable".to_owned(),
            IpcMode::Host => "host".to_owned(),
            IpcMode::Container(other) => format!("container:{other}"),
        },
        pid_mode: match &isolation.pid {
            PidMode::Private => String::new(),
            PidMode::Host => "host".to_owned(),
            PidMode::Container(other) => format!("container:{other}"),
        },
        uts_mode: host(isolation.uts_host),
        userns_mode: host(isolation.userns_host),
        privileged: isolation.privileged,
        readonly_rootfs: isolation.readonly_rootfs,
        security_opt: security_options(isolation),
        sysctls: isolation.sysctls.clone(),
        init: isolation.init.then_some(true),
        masked_paths: plan::masked_paths(isolation),
        readonly_paths: plan::readonly_paths(isolation),
        ..rest
    }
}

fn security_options(isolation: &IsolationSpec) -> Option<Vec<String>> {
    let mut options: Vec<String> = isolation.labels.iter().map(|label| format!("label={label}")).collect();
    if isolation.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    options.extend(isolation.apparmor.iter().map(|profile| format!("apparmor={profile}")));
    match &isolation.seccomp {
        SeccompSpec::Default => {}
        SeccompSpec::Builtin => options.push("seccomp=builtin".to_owned()),
        SeccompSpec::Unconfined => options.push("seccomp=unconfined".to_owned()),
        SeccompSpec::Profile(profile) => options.push(format!("seccomp={profile}")),
    }
    if isolation.writable_cgroups {
        options.push("writable-cgroups=true".to_owned());
    }
    let of_host = isolation.privileged || isolation.pid == PidMode::Host || isolation.ipc == IpcMode::Host;
    if of_host && isolation.labels.is_empty() {
        options.push("label=disable".to_owned());
    }
    (!options.is_empty()).then_some(options)
}
