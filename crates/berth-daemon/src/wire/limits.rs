//! `HostConfig`'s limits and namespaces: from Docker's fields to the domain's types.

use berth_api::host_config::{self, DeviceMapping, HostConfig, ThrottleDevice, Ulimit, WeightDevice};
use berth_engine::spec::{
    CgroupnsMode, DeviceRequest, DeviceRule, DeviceSpec, DeviceValue, IpcMode, IsolationSpec, NetworkMode, PidMode,
    ResourceSpec, UlimitSpec,
};

use super::create::Defaults;
use super::{check, security};
use crate::http::error::ApiError;

/// Limits. Whether the host can set them, and what they must be to each other, the engine judges.
pub(crate) fn resources(host: &HostConfig, defaults: &Defaults) -> Result<ResourceSpec, ApiError> {
    let ulimits = merged_ulimits(host.ulimits.as_deref().unwrap_or_default(), &defaults.ulimits);
    check::ulimits(&ulimits)?;
    check::windows_only(host)?;
    Ok(ResourceSpec {
        memory_swappiness: host.memory_swappiness.filter(|swappiness| *swappiness != -1),
        kernel_memory: host.kernel_memory,
        kernel_memory_tcp: host.kernel_memory_tcp,
        oom_kill_disable: host.oom_kill_disable,
        oom_score_adj: host.oom_score_adj,
        blkio_weight_device: host.blkio_weight_device.iter().flatten().map(weight).collect(),
        device_read_bps: rates(host.blkio_device_read_bps.as_ref()),
        device_write_bps: rates(host.blkio_device_write_bps.as_ref()),
        device_read_iops: rates(host.blkio_device_read_iops.as_ref()),
        device_write_iops: rates(host.blkio_device_write_iops.as_ref()),
        ulimits: ulimits.into_iter().map(|Ulimit { name, hard, soft }| UlimitSpec { name, soft, hard }).collect(),
        shm_size: if host.shm_size == 0 { defaults.shm_size } else { host.shm_size },
        devices: host.devices.iter().flatten().map(device).collect(),
        device_rules: host.device_cgroup_rules.iter().flatten().map(|text| rule(text)).collect::<Result<_, _>>()?,
        device_requests: host.device_requests.iter().flatten().map(request).collect(),
        cgroup_parent: host.cgroup_parent.clone(),
        ..changeable(host)
    })
}

/// Those limits that an update can change.
pub(crate) fn changeable(host: &HostConfig) -> ResourceSpec {
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

/// The request's, and the daemon's for names that the request leaves alone.
fn merged_ulimits(asked: &[Ulimit], defaults: &[Ulimit]) -> Vec<Ulimit> {
    let absent = |limit: &&Ulimit| !asked.iter().any(|asked| asked.name == limit.name);
    asked.iter().chain(defaults.iter().filter(absent)).cloned().collect()
}

fn device(device: &DeviceMapping) -> DeviceSpec {
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    DeviceSpec {
        host: device.path_on_host.clone(),
        container: or(&device.path_in_container, &device.path_on_host),
        permissions: or(&device.cgroup_permissions, "rwm"),
    }
}

fn weight(device: &WeightDevice) -> DeviceValue {
    DeviceValue { path: device.path.clone(), value: device.weight.into() }
}

fn rates(devices: Option<&Vec<ThrottleDevice>>) -> Vec<DeviceValue> {
    let one = |device: &ThrottleDevice| DeviceValue { path: device.path.clone(), value: device.rate };
    devices.into_iter().flatten().map(one).collect()
}

fn rule(text: &str) -> Result<DeviceRule, ApiError> {
    DeviceRule::parse(text).ok_or_else(|| ApiError::invalid(format!("invalid device cgroup rule format: '{text}'")))
}

fn request(request: &host_config::DeviceRequest) -> DeviceRequest {
    DeviceRequest {
        driver: request.driver.clone(),
        count: request.count,
        ids: request.device_ids.clone().unwrap_or_default(),
        capabilities: request.capabilities.clone().unwrap_or_default(),
        options: request.options.clone().unwrap_or_default(),
    }
}

/// Namespaces, privileges and confinement.
pub(crate) fn isolation(host: &HostConfig, defaults: &Defaults) -> Result<IsolationSpec, ApiError> {
    let mut isolation = IsolationSpec {
        privileged: host.privileged,
        cap_add: host.cap_add.clone().unwrap_or_default(),
        cap_drop: host.cap_drop.clone().unwrap_or_default(),
        readonly_rootfs: host.readonly_rootfs,
        no_new_privileges: defaults.no_new_privileges,
        masked_paths: host.masked_paths.clone(),
        readonly_paths: host.readonly_paths.clone(),
        init: host.init.unwrap_or(defaults.init),
        group_add: host.group_add.clone().unwrap_or_default(),
        sysctls: host.sysctls.clone(),
        pid: pid(&host.pid_mode)?,
        ipc: ipc(&host.ipc_mode, &defaults.ipc)?,
        uts_host: is_host("UTS", &host.uts_mode)?,
        userns_host: is_host("user namespace", &host.userns_mode)?,
        cgroupns: cgroupns(&host.cgroupns_mode)?,
        ..IsolationSpec::default()
    };
    security::check_capabilities("CapAdd", &isolation.cap_add)?;
    security::check_capabilities("CapDrop", &isolation.cap_drop)?;
    security::apply(host.security_opt.as_deref().unwrap_or_default(), &mut isolation)?;
    Ok(isolation)
}

fn invalid<T>(what: &str, mode: &str) -> Result<T, ApiError> {
    Err(ApiError::invalid(format!("invalid {what} mode: {mode}")))
}

/// `container:NAME`.
fn container(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:").filter(|name| !name.is_empty())
}

fn pid(mode: &str) -> Result<PidMode, ApiError> {
    match (mode, container(mode)) {
        (_, Some(name)) => Ok(PidMode::Container(name.to_owned())),
        ("", _) => Ok(PidMode::Private),
        ("host", _) => Ok(PidMode::Host),
        _ => invalid("PID", mode),
    }
}

fn ipc(mode: &str, default: &IpcMode) -> Result<IpcMode, ApiError> {
    match (mode, container(mode)) {
        (_, Some(name)) => Ok(IpcMode::Container(name.to_owned())),
        ("", _) => Ok(default.clone()),
        ("private", _) => Ok(IpcMode::Private),
        ("none", _) => Ok(IpcMode::None),
        ("shareable", _) => Ok(IpcMode::Shareable),
        ("host", _) => Ok(IpcMode::Host),
        _ => invalid("IPC", mode),
    }
}

fn is_host(what: &str, mode: &str) -> Result<bool, ApiError> {
    match mode {
        "" => Ok(false),
        "host" => Ok(true),
        _ => invalid(what, mode),
    }
}

/// `--cgroupns`, also as the daemon's own default.
pub(crate) fn cgroupns(mode: &str) -> Result<Option<CgroupnsMode>, ApiError> {
    match mode {
        "" => Ok(None),
        "private" => Ok(Some(CgroupnsMode::Private)),
        "host" => Ok(Some(CgroupnsMode::Host)),
        _ => invalid("cgroup namespace", mode),
    }
}

/// `--network container:NAME`; `None`: another mode.
pub(crate) fn network_of(host: &HostConfig) -> Result<Option<NetworkMode>, ApiError> {
    let mode = host.network_mode.as_str();
    if !mode.starts_with("container:") && mode != "container" {
        return Ok(None);
    }
    let Some(name) = container(mode) else {
        return Err(ApiError::invalid("Invalid network mode: invalid container format container:<name|id>"));
    };
    let published = host.publish_all_ports || host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty());
    let linked = host.links.as_ref().is_some_and(|links| !links.is_empty());
    for (wrong, what) in [
        (linked, "container type network can't be used with links. This would result in undefined behavior"),
        (published, "port publishing and the container type network mode"),
    ] {
        if wrong {
            return Err(ApiError::invalid(format!("conflicting options: {what}")));
        }
    }
    Ok(Some(NetworkMode::Container(name.to_owned())))
}
