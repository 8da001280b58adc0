//! A specification shown as what was asked for: `Config` and `HostConfig` of inspect.

use std::collections::BTreeMap;

use berth_api::host_config::{
    BindOptions, DeviceMapping, HostConfig, LogConfig, Mount, RestartPolicy, TmpfsOptions, Ulimit,
};
use berth_api::{ContainerConfig, Empty};
use berth_engine::ContainerView;
use berth_engine::spec::{
    self, ContainerSpec, IsolationSpec, LogDriver, MountKind, MountSpec, NetworkMode, ResourceSpec, SeccompSpec,
};

/// `/dev/shm` where nobody says otherwise.
const SHM_SIZE: i64 = 64 << 20;

/// Docker's name of a network mode.
pub(crate) const fn network_name(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
    }
}

/// `Config`.
pub(crate) fn config(view: &ContainerView) -> ContainerConfig {
    let (spec, effective) = (&view.spec, &view.effective);
    let keys = |list: &[String]| list.iter().map(|key| (key.clone(), Empty {})).collect::<BTreeMap<_, _>>();
    ContainerConfig {
        hostname: effective.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: effective.user.clone(),
        attach_stdin: spec.stdio.attach_stdin,
        attach_stdout: spec.stdio.attach_stdout,
        attach_stderr: spec.stdio.attach_stderr,
        exposed_ports: keys(&effective.exposed_ports),
        tty: spec.process.tty,
        open_stdin: spec.stdio.open_stdin,
        stdin_once: spec.stdio.stdin_once,
        env: Some(effective.env.clone()),
        cmd: effective.cmd.clone(),
        image: spec.image.clone(),
        volumes: (!effective.volumes.is_empty()).then(|| keys(&effective.volumes)),
        working_dir: effective.working_dir.clone(),
        entrypoint: effective.entrypoint.clone(),
        on_build: effective.on_build.clone(),
        labels: Some(effective.labels.clone()),
        stop_signal: effective.stop_signal.clone(),
        stop_timeout: effective.stop_timeout,
        healthcheck: effective.health.as_ref().map(super::health::config),
        shell: effective.shell.clone(),
        ..ContainerConfig::default()
    }
}

/// `HostConfig`. `cgroup_namespace` is what containers get on this host.
pub(crate) fn host_config(spec: &ContainerSpec, cgroup_namespace: &str) -> HostConfig {
    let list = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let (network, isolation) = (&spec.network, &spec.isolation);
    let (rows, columns) = spec.console_size;
    let (masked_paths, readonly_paths) = hidden_paths(isolation);
    HostConfig {
        binds: binds(&spec.mounts),
        mounts: spec.mounts.iter().filter(|mount| mount.bind_text.is_none()).map(mount).collect(),
        tmpfs: tmpfs(&spec.mounts),
        log_config: log_config(spec),
        network_mode: network_name(network.mode).to_owned(),
        port_bindings: Some(BTreeMap::new()),
        restart_policy: restart_policy(spec.restart),
        auto_remove: spec.auto_remove,
        console_size: [rows.into(), columns.into()],
        annotations: spec.annotations.clone(),
        cap_add: list(&isolation.cap_add),
        cap_drop: list(&isolation.cap_drop),
        cgroupns_mode: cgroup_namespace.to_owned(),
        dns: list(&network.dns),
        dns_options: list(&network.dns_options),
        dns_search: list(&network.dns_search),
        extra_hosts: list(&network.extra_hosts),
        group_add: list(&isolation.group_add),
        ipc_mode: "private".to_owned(),
        privileged: isolation.privileged,
        readonly_rootfs: isolation.readonly_rootfs,
        security_opt: security_options(isolation),
        sysctls: isolation.sysctls.clone(),
        runtime: "berth".to_owned(),
        init: isolation.init.then_some(true),
        masked_paths,
        readonly_paths,
        ..limits(&spec.resources)
    }
}

fn restart_policy(policy: spec::RestartPolicy) -> RestartPolicy {
    let (name, retries) = match policy {
        spec::RestartPolicy::No => ("no", 0),
        spec::RestartPolicy::Always => ("always", 0),
        spec::RestartPolicy::UnlessStopped => ("unless-stopped", 0),
        spec::RestartPolicy::OnFailure { retries } => ("on-failure", retries),
    };
    RestartPolicy { name: name.to_owned(), maximum_retry_count: retries.into() }
}

fn limits(resources: &ResourceSpec) -> HostConfig {
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
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        cpuset_mems: resources.cpuset_mems.clone(),
        devices: (!resources.devices.is_empty()).then(|| resources.devices.iter().map(device).collect()),
        memory_reservation: resources.memory_reservation,
        memory_swap,
        memory_swappiness: resources.memory_swappiness,
        oom_kill_disable: Some(resources.oom_kill_disable.unwrap_or(false)),
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

fn device(device: &berth_engine::spec::DeviceSpec) -> DeviceMapping {
    DeviceMapping {
        path_on_host: device.host.clone(),
        path_in_container: device.container.clone(),
        cgroup_permissions: device.permissions.clone(),
    }
}

fn log_config(spec: &ContainerSpec) -> LogConfig {
    let kind = match spec.log.driver {
        LogDriver::JsonFile => "json-file",
        LogDriver::None => "none",
    };
    LogConfig { kind: kind.to_owned(), config: Some(spec.log.options.clone()) }
}

fn binds(mounts: &[MountSpec]) -> Option<Vec<String>> {
    let bind = |mount: &MountSpec| match mount.kind {
        MountKind::Bind { .. } => mount.bind_text.clone(),
        MountKind::Tmpfs { .. } => None,
    };
    let binds: Vec<String> = mounts.iter().filter_map(bind).collect();
    (!binds.is_empty()).then_some(binds)
}

/// What came by `--tmpfs`.
fn tmpfs(mounts: &[MountSpec]) -> BTreeMap<String, String> {
    let one = |mount: &MountSpec| match &mount.kind {
        MountKind::Tmpfs { options, .. } if mount.bind_text.is_some() => Some((mount.target.clone(), options.clone())),
        _ => None,
    };
    mounts.iter().filter_map(one).collect()
}

/// What came by `--mount`.
fn mount(mount: &MountSpec) -> Mount {
    let common = Mount { target: mount.target.clone(), read_only: mount.readonly, ..Mount::default() };
    match &mount.kind {
        MountKind::Bind { source, propagation, create_source, non_recursive } => {
            let options = BindOptions {
                propagation: propagation.clone(),
                non_recursive: *non_recursive,
                create_mountpoint: *create_source,
                ..BindOptions::default()
            };
            Mount {
                kind: "bind".to_owned(),
                source: source.clone(),
                bind_options: (options != BindOptions::default()).then_some(options),
                ..common
            }
        }
        MountKind::Tmpfs { size, mode, .. } => {
            let options = TmpfsOptions { size_bytes: *size, mode: *mode, options: Vec::new() };
            Mount {
                kind: "tmpfs".to_owned(),
                tmpfs_options: (options != TmpfsOptions::default()).then_some(options),
                ..common
            }
        }
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
        SeccompSpec::Unconfined => options.push("seccomp=unconfined".to_owned()),
        SeccompSpec::Profile(profile) => options.push(format!("seccomp={profile}")),
    }
    (!options.is_empty()).then_some(options)
}

/// The lists in force; a privileged container has none.
fn hidden_paths(isolation: &IsolationSpec) -> (Option<Vec<String>>, Option<Vec<String>>) {
    const MASKED: [&str; 12] = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ];
    const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
    let given = |asked: &Option<Vec<String>>, default: &[&str]| match asked {
        Some(paths) => Some(paths.clone()),
        None if isolation.privileged => None,
        None => Some(default.iter().map(|path| (*path).to_owned()).collect()),
    };
    (given(&isolation.masked_paths, &MASKED), given(&isolation.readonly_paths, &READ_ONLY))
}
