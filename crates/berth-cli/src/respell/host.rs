//! The half that depends on the host: limits, isolation, ports, logging.

use berth_api::host_config::{DeviceRequest, PortMap, ThrottleDevice};
use berth_api::{ContainerConfig, HostConfig};

use super::Line;

pub(super) fn spell(line: &mut Line, on: &HostConfig, of: &ContainerConfig) {
    if on.auto_remove {
        line.flag("--rm");
    }
    match (on.restart_policy.name.as_str(), on.restart_policy.maximum_retry_count) {
        ("" | "no", _) => {}
        (name, 0) => line.pair("--restart", name),
        (name, count) => line.pair("--restart", format!("{name}:{count}")),
    }
    network(line, on, of);
    isolation(line, on);
    limits(line, on);
    block_devices(line, on);
    if !matches!(on.log_config.kind.as_str(), "" | "json-file") {
        line.pair("--log-driver", &on.log_config.kind);
    }
    for (name, value) in on.log_config.config.iter().flatten() {
        line.pair("--log-opt", format!("{name}={value}"));
    }
    for (name, value) in &on.annotations {
        line.pair("--annotation", format!("{name}={value}"));
    }
}

fn network(line: &mut Line, on: &HostConfig, of: &ContainerConfig) {
    if !matches!(on.network_mode.as_str(), "" | "default" | "bridge") {
        line.pair("--network", &on.network_mode);
    }
    if on.publish_all_ports {
        line.flag("--publish-all");
    }
    line.each("--publish", on.port_bindings.as_ref().map(published).unwrap_or_default());
    line.each("--dns", on.dns.iter().flatten());
    line.each("--dns-search", on.dns_search.iter().flatten());
    line.each("--dns-option", on.dns_options.iter().flatten());
    line.each("--add-host", on.extra_hosts.iter().flatten());
    line.each("--link", on.links.iter().flatten());
    if of.network_disabled {
        line.unsaid.push("that it has no network at all (NetworkDisabled)".to_owned());
    }
}

fn published(ports: &PortMap) -> Vec<String> {
    let mut out = Vec::new();
    for (port, bindings) in ports {
        for binding in bindings.iter().flatten() {
            let ip = match binding.host_ip.as_str() {
                "" => String::new(),
                ip if ip.contains(':') => format!("[{ip}]:"),
                ip => format!("{ip}:"),
            };
            out.push(match (ip.as_str(), binding.host_port.as_str()) {
                ("", "") => port.clone(),
                (ip, host) => format!("{ip}{host}:{port}"),
            });
        }
    }
    out
}

fn isolation(line: &mut Line, on: &HostConfig) {
    for (flag, on) in [("--privileged", on.privileged), ("--read-only", on.readonly_rootfs)] {
        if on {
            line.flag(flag);
        }
    }
    match on.init {
        Some(true) => line.flag("--init"),
        Some(false) => line.flag("--init=false"),
        None => {}
    }
    line.each("--cap-add", on.cap_add.iter().flatten());
    line.each("--cap-drop", on.cap_drop.iter().flatten());
    line.each("--group-add", on.group_add.iter().flatten());
    line.pair("--pid", &on.pid_mode);
    line.pair("--uts", &on.uts_mode);
    line.pair("--userns", &on.userns_mode);
    if on.ipc_mode != "private" {
        line.pair("--ipc", &on.ipc_mode);
    }
    // `inspect` shows the default as well, which depends on the host.
    let default = if on.privileged || !std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "host"
    } else {
        "private"
    };
    if on.cgroupns_mode != default {
        line.pair("--cgroupns", &on.cgroupns_mode);
    }
    line.pair("--cgroup-parent", &on.cgroup_parent);
    if !matches!(on.runtime.as_str(), "" | "berth" | "runc" | "io.containerd.runc.v2") {
        line.pair("--runtime", &on.runtime);
    }
    security(line, on);
    for (name, value) in &on.sysctls {
        line.pair("--sysctl", format!("{name}={value}"));
    }
    for device in on.devices.iter().flatten() {
        let text = format!("{}:{}:{}", device.path_on_host, device.path_in_container, device.cgroup_permissions);
        line.pair("--device", text);
    }
    line.each("--device-cgroup-rule", on.device_cgroup_rules.iter().flatten());
    on.device_requests.iter().flatten().for_each(|request| gpus(line, request));
}

fn security(line: &mut Line, on: &HostConfig) {
    for option in on.security_opt.iter().flatten() {
        match option.strip_prefix("seccomp=").filter(|profile| profile.starts_with('{')) {
            Some(_) => line.unsaid.push(
                "its seccomp profile, which came from a file: give that with --security-opt seccomp=FILE".to_owned(),
            ),
            None => line.pair("--security-opt", option),
        }
    }
    let unmasked = |paths: &Option<Vec<String>>| paths.as_ref().is_some_and(Vec::is_empty);
    if unmasked(&on.masked_paths) && unmasked(&on.readonly_paths) && !on.privileged {
        line.pair("--security-opt", "systempaths=unconfined");
    }
}

fn gpus(line: &mut Line, request: &DeviceRequest) {
    let mut fields = Vec::new();
    match (&request.device_ids, request.count) {
        (Some(ids), _) if !ids.is_empty() => fields.push(quoted("device", &ids.join(","))),
        (_, -1) => fields.push("count=all".to_owned()),
        (_, count) => fields.push(format!("count={count}")),
    }
    if !request.driver.is_empty() {
        fields.push(format!("driver={}", request.driver));
    }
    let capabilities: Vec<&str> =
        request.capabilities.iter().flatten().flatten().map(String::as_str).filter(|name| *name != "gpu").collect();
    if !capabilities.is_empty() {
        fields.push(quoted("capabilities", &capabilities.join(",")));
    }
    let options: Vec<String> =
        request.options.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    if !options.is_empty() {
        fields.push(quoted("options", &options.join(",")));
    }
    line.pair("--gpus", fields.join(","));
}

/// One field of a comma-separated line.
pub(super) fn quoted(name: &str, value: &str) -> String {
    let field = format!("{name}={value}");
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

fn limits(line: &mut Line, on: &HostConfig) {
    line.number("--memory", on.memory);
    // What Docker takes where nothing was said: twice the memory.
    if on.memory_swap != on.memory.saturating_mul(2) {
        line.number("--memory-swap", on.memory_swap);
    }
    line.number("--memory-reservation", on.memory_reservation);
    if let Some(swappiness) = on.memory_swappiness.filter(|swappiness| *swappiness >= 0) {
        line.pair("--memory-swappiness", swappiness.to_string());
    }
    if on.shm_size != 64 << 20 {
        line.number("--shm-size", on.shm_size);
    }
    if on.nano_cpus != 0 {
        let (whole, rest) = (on.nano_cpus / 1_000_000_000, on.nano_cpus % 1_000_000_000);
        line.pair("--cpus", format!("{whole}.{rest:09}").trim_end_matches('0').trim_end_matches('.'));
    }
    line.number("--cpu-shares", on.cpu_shares);
    line.number("--cpu-period", on.cpu_period);
    line.number("--cpu-quota", on.cpu_quota);
    line.number("--cpu-rt-period", on.cpu_realtime_period);
    line.number("--cpu-rt-runtime", on.cpu_realtime_runtime);
    line.pair("--cpuset-cpus", &on.cpuset_cpus);
    line.pair("--cpuset-mems", &on.cpuset_mems);
    line.number("--pids-limit", on.pids_limit.unwrap_or(0));
    if on.oom_kill_disable == Some(true) {
        line.flag("--oom-kill-disable");
    }
    line.number("--oom-score-adj", on.oom_score_adj);
    for ulimit in on.ulimits.iter().flatten() {
        line.pair("--ulimit", format!("{}={}:{}", ulimit.name, ulimit.soft, ulimit.hard));
    }
    for (name, value) in &on.storage_opt {
        line.pair("--storage-opt", format!("{name}={value}"));
    }
}

fn block_devices(line: &mut Line, on: &HostConfig) {
    line.number("--blkio-weight", on.blkio_weight.into());
    for device in on.blkio_weight_device.iter().flatten() {
        line.pair("--blkio-weight-device", format!("{}:{}", device.path, device.weight));
    }
    let mut rates = |flag: &str, devices: &Option<Vec<ThrottleDevice>>| {
        line.each(flag, devices.iter().flatten().map(|device| format!("{}:{}", device.path, device.rate)));
    };
    rates("--device-read-bps", &on.blkio_device_read_bps);
    rates("--device-write-bps", &on.blkio_device_write_bps);
    rates("--device-read-iops", &on.blkio_device_read_iops);
    rates("--device-write-iops", &on.blkio_device_write_iops);
}
