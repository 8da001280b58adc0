//! A specification shown as what was asked for: `Config` and `HostConfig` of inspect.

mod limits;

use std::borrow::Cow;
use std::collections::BTreeMap;

use berth_api::host_config::{HostConfig, LogConfig, RestartPolicy};
use berth_api::{ContainerConfig, Empty};
use berth_engine::ContainerView;
use berth_engine::spec::{self, ContainerSpec, MountKind, MountSpec, NetworkMode};

use super::echo_mount;

/// Docker's name of a network mode.
pub(crate) fn network_name(mode: &NetworkMode) -> Cow<'static, str> {
    match mode {
        NetworkMode::Bridge => "bridge".into(),
        NetworkMode::Host => "host".into(),
        NetworkMode::None => "none".into(),
        NetworkMode::Container(other) => format!("container:{other}").into(),
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
    let network = &spec.network;
    let (rows, columns) = spec.console_size;
    let rest = limits::isolation(&spec.isolation, cgroup_namespace, limits::limits(&spec.resources));
    HostConfig {
        binds: binds(&spec.mounts),
        mounts: spec.mounts.iter().filter(|mount| mount.bind_text.is_none()).map(echo_mount::mount).collect(),
        tmpfs: tmpfs(&spec.mounts),
        log_config: log_config(spec),
        network_mode: network_name(&network.mode).into_owned(),
        port_bindings: Some(BTreeMap::new()),
        volume_driver: spec.volume_driver.clone(),
        volumes_from: list(&spec.volumes_from.iter().map(|from| from.text.clone()).collect()),
        restart_policy: restart_policy(spec.restart),
        auto_remove: spec.auto_remove,
        console_size: [rows.into(), columns.into()],
        annotations: spec.annotations.clone(),
        container_id_file: spec.container_id_file.clone(),
        dns: list(&network.dns),
        dns_options: list(&network.dns_options),
        dns_search: list(&network.dns_search),
        extra_hosts: list(&network.extra_hosts),
        // Records of before there were others name none.
        runtime: if spec.runtime.is_empty() { "berth".to_owned() } else { spec.runtime.clone() },
        ..rest
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

fn log_config(spec: &ContainerSpec) -> LogConfig {
    LogConfig { kind: spec.log.driver.name().to_owned(), config: Some(spec.log.options.clone()) }
}

fn binds(mounts: &[MountSpec]) -> Option<Vec<String>> {
    let bind = |mount: &MountSpec| match mount.kind {
        MountKind::Tmpfs { .. } => None,
        _ => mount.bind_text.clone(),
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
