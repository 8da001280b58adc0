//! A container's view becomes the answer of inspect.

use std::collections::BTreeMap;

use berth_api::inspect::{ContainerInspect, GraphDriver, MountPoint, NetworkSettings, State};
use berth_api::network::EndpointSettings;
use berth_engine::plan::mounts::clean;
use berth_engine::spec::{MountKind, MountSpec, NetworkMode, Origin};
use berth_engine::view::Paths;
use berth_engine::volumes::DRIVER;
use berth_engine::{ContainerView, State as Life};

use super::{echo, network, time};

/// Facts of the daemon that inspect shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Storage driver.
    pub(crate) driver: String,
    /// `host` or `private`.
    pub(crate) cgroup_namespace: String,
}

/// `GET /containers/{id}/json`, in the newest form.
pub(crate) fn container(view: &ContainerView, facts: &Facts) -> ContainerInspect {
    let mut argv = view.effective.argv().into_iter();
    let started = view.started_at().is_some();
    let path = |path: &std::path::Path| if started { path.display().to_string() } else { String::new() };
    ContainerInspect {
        id: view.id.to_string(),
        created: view.created.to_string(),
        path: argv.next().unwrap_or_default(),
        args: argv.collect(),
        state: state(view),
        image: view.image_id.to_string(),
        resolv_conf_path: path(&view.paths.resolv_conf),
        hostname_path: path(&view.paths.hostname),
        hosts_path: path(&view.paths.hosts),
        log_path: path(&view.paths.log),
        name: format!("/{}", view.name),
        restart_count: view.restarts.into(),
        driver: facts.driver.clone(),
        platform: view.platform.split('/').next().unwrap_or("linux").to_owned(),
        app_armor_profile: view.apparmor.clone(),
        exec_ids: (!view.execs.is_empty()).then(|| view.execs.iter().map(ToString::to_string).collect()),
        host_config: Some(Box::new(echo::host_config(&view.spec, &facts.cgroup_namespace))),
        graph_driver: graph_driver(view, facts),
        mounts: mounts(view),
        config: Some(Box::new(echo::config(view))),
        network_settings: network_settings(view),
        ..ContainerInspect::default()
    }
}

fn state(view: &ContainerView) -> State {
    State {
        status: view.state.status().to_owned(),
        running: view.state.counts_as_running(),
        restarting: view.state.is_restarting(),
        dead: matches!(view.state, Life::Dead { .. }),
        paused: matches!(view.state, Life::Paused { .. }),
        oom_killed: view.state.exit().is_some_and(|exit| exit.oom_killed),
        pid: view.state.pid().map_or(0, |pid| i64::from(pid.0)),
        exit_code: view.exit_code().into(),
        error: view.error().to_owned(),
        started_at: time::text(view.started_at()),
        finished_at: time::text(view.state.exit().map(|exit| exit.finished_at)),
        health: view.health.as_deref().map(super::health::shown),
    }
}

/// There is no merged directory on the host: while it runs, the process's own view of its root stands for it.
fn graph_driver(view: &ContainerView, facts: &Facts) -> GraphDriver {
    let lowers: Vec<String> = view.paths.lowers.iter().map(|path| path.display().to_string()).collect();
    let mut data = BTreeMap::from([
        ("LowerDir".to_owned(), lowers.join(":")),
        ("UpperDir".to_owned(), view.paths.upper.display().to_string()),
        ("WorkDir".to_owned(), view.paths.work.display().to_string()),
    ]);
    if let Some(pid) = view.state.pid() {
        data.insert("MergedDir".to_owned(), format!("/proc/{}/root", pid.0));
    }
    GraphDriver { data: Some(data), name: facts.driver.clone() }
}

/// The mounts that Docker shows: `--tmpfs` is only in `HostConfig`.
pub(crate) fn mounts(view: &ContainerView) -> Vec<MountPoint> {
    view.effective.mounts.iter().filter_map(|mount| mount_point(mount, &view.paths)).collect()
}

fn mount_point(mount: &MountSpec, paths: &Paths) -> Option<MountPoint> {
    let text = mount.bind_text.as_deref().and_then(|text| text.split(':').nth(2)).unwrap_or_default();
    let common = MountPoint {
        destination: clean(&mount.target),
        rw: !mount.readonly,
        mode: text.to_owned(),
        ..MountPoint::default()
    };
    Some(match &mount.kind {
        MountKind::Bind { source, propagation, .. } => MountPoint {
            kind: "bind".to_owned(),
            source: clean(source),
            propagation: if propagation.is_empty() { "rprivate".to_owned() } else { propagation.clone() },
            ..common
        },
        MountKind::Volume(volume) => MountPoint {
            kind: "volume".to_owned(),
            name: volume.name.clone(),
            source: paths.volume(&volume.name).display().to_string(),
            driver: DRIVER.to_owned(),
            // What is asked for by itself is said to be labelled as shared, unless it says something.
            mode: if mount.origin == Origin::Asked && text.is_empty() { "z".to_owned() } else { text.to_owned() },
            ..common
        },
        MountKind::Image { reference, id, .. } => {
            MountPoint { kind: "image".to_owned(), name: reference.clone(), source: id.clone(), ..common }
        }
        MountKind::Tmpfs { .. } if mount.bind_text.is_some() => return None,
        MountKind::Tmpfs { .. } => MountPoint { kind: "tmpfs".to_owned(), mode: String::new(), ..common },
    })
}

/// A container's networks by name: one so far, and none in another container's network.
pub(crate) fn networks(view: &ContainerView) -> BTreeMap<String, EndpointSettings> {
    if matches!(view.spec.network.mode, NetworkMode::Container(_)) {
        return BTreeMap::new();
    }
    let name = echo::network_name(&view.spec.network.mode);
    BTreeMap::from([(name.clone().into_owned(), endpoint(view, &name))])
}

fn endpoint(view: &ContainerView, name: &str) -> EndpointSettings {
    let mut settings = EndpointSettings::default();
    if !view.state.is_alive() {
        return settings;
    }
    settings.network_id = network::id(name);
    settings.endpoint_id = network::endpoint_id(name, view.id.as_str());
    if let Some(endpoint) = &view.endpoint {
        settings.mac_address = endpoint.mac.to_string();
        settings.gateway = endpoint.gateway.to_string();
        settings.ip_address = endpoint.address.to_string();
        settings.ip_prefix_len = endpoint.prefix_len.into();
    }
    settings
}

fn network_settings(view: &ContainerView) -> NetworkSettings {
    let networks = networks(view);
    let bridge = networks.get("bridge").cloned().unwrap_or_default();
    let pid = view.state.pid();
    let exposed = |port: &String| (port.clone(), None);
    let on_bridge = pid.is_some() && view.spec.network.mode == NetworkMode::Bridge;
    let ports = if on_bridge { view.effective.exposed_ports.iter().map(exposed).collect() } else { BTreeMap::new() };
    NetworkSettings {
        sandbox_id: pid.map(|_| network::endpoint_id("sandbox", view.id.as_str())).unwrap_or_default(),
        sandbox_key: pid.map(|pid| format!("/proc/{}/ns/net", pid.0)).unwrap_or_default(),
        ports: Some(ports),
        endpoint_id: bridge.endpoint_id,
        gateway: bridge.gateway,
        ip_address: bridge.ip_address,
        ip_prefix_len: bridge.ip_prefix_len,
        mac_address: bridge.mac_address,
        networks: Some(networks),
        ..NetworkSettings::default()
    }
}
