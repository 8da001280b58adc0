//! The daemon about itself: version and info.

use std::collections::BTreeMap;

use berth_api::ApiVersion;
use berth_api::system::{
    Component, IndexInfo, Info, PlatformName, Plugins, RegistryConfig, RuntimePath, SwarmInfo, Version,
};
use berth_distribution::Proxies;
use berth_engine::runtimes::{self, Runtimes};
use berth_engine::spec::LogDriver;
use jiff::Timestamp;

use crate::live::Live;

/// Ours.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What clients compare with the Docker version that they need: the one whose API is served, and behind the plus, as
/// distributions do it, whose build this is.
pub(crate) const COMPATIBLE: &str = concat!("28.3.0+berth", env!("CARGO_PKG_VERSION"));

/// Docker Hub's index, which clients take for the registry without a name.
const INDEX: &str = "https://index.docker.io/v1/";

/// The architecture as Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `GET /version`; below `oldest` clients are refused.
pub(crate) fn version(kernel: &str, oldest: Option<ApiVersion>) -> Version {
    let (newest, oldest) = (ApiVersion::MAX.to_string(), oldest.unwrap_or(ApiVersion::MIN).to_string());
    let detail = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let details = BTreeMap::from([
        detail("ApiVersion", &newest),
        detail("Arch", architecture()),
        detail("Experimental", "false"),
        detail("KernelVersion", kernel),
        detail("MinAPIVersion", &oldest),
        detail("Os", "linux"),
    ]);
    Version {
        platform: PlatformName { name: "berth".to_owned() },
        version: COMPATIBLE.to_owned(),
        api_version: newest,
        min_api_version: oldest,
        os: "linux".to_owned(),
        arch: architecture().to_owned(),
        components: vec![
            Component { name: "Engine".to_owned(), version: COMPATIBLE.to_owned(), details },
            Component { name: "berth".to_owned(), version: VERSION.to_owned(), details: BTreeMap::new() },
        ],
        kernel_version: kernel.to_owned(),
        ..Version::default()
    }
}

/// What `info` shows besides the engine's own facts.
pub(crate) struct Beside<'a> {
    pub(crate) images: usize,
    pub(crate) listeners: usize,
    pub(crate) log_driver: &'a str,
    pub(crate) live: &'a Live,
}

/// The log drivers in order; `none` is the want of one.
fn log_drivers() -> Vec<String> {
    let mut names: Vec<String> = LogDriver::names().filter(|name| *name != "none").map(ToOwned::to_owned).collect();
    names.sort_unstable();
    names
}

/// `GET /info`
pub(crate) fn info(engine: berth_engine::Info, beside: &Beside<'_>) -> Info {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let proxies = beside.live.registries.proxies.clone().unwrap_or_default();
    Info {
        id: engine.id,
        containers: number(engine.containers.total),
        containers_running: number(engine.containers.running),
        containers_paused: number(engine.containers.paused),
        containers_stopped: number(engine.containers.stopped),
        images: number(beside.images),
        driver: engine.driver.to_owned(),
        driver_status: engine.driver_status.into_iter().map(|(name, value)| [name, value]).collect(),
        plugins: Plugins {
            volume: words(&["local"]),
            network: words(&["bridge", "host", "null"]),
            authorization: None,
            log: log_drivers(),
        },
        memory_limit: engine.memory_limit,
        swap_limit: engine.swap_limit,
        cpu_cfs_period: engine.cpu_cfs_quota,
        cpu_cfs_quota: engine.cpu_cfs_quota,
        cpu_shares: engine.cpu_shares,
        cpu_set: engine.cpuset,
        pids_limit: engine.pids_limit,
        ipv4_forwarding: engine.ipv4_forwarding,
        debug: beside.live.debug,
        labels: beside.live.labels.clone(),
        n_fd: number(std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)),
        oom_kill_disable: engine.cgroup_version == "1",
        n_goroutines: number(std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)),
        system_time: Timestamp::now().to_string(),
        logging_driver: beside.log_driver.to_owned(),
        cgroup_driver: engine.cgroup_driver.to_owned(),
        cgroup_version: engine.cgroup_version.to_owned(),
        n_events_listener: number(beside.listeners),
        kernel_version: engine.kernel_version,
        operating_system: engine.operating_system,
        os_version: engine.os_version,
        os_type: "linux".to_owned(),
        architecture: engine.architecture,
        index_server_address: INDEX.to_owned(),
        registry_config: Some(registry_config(&beside.live.registries)),
        ncpu: number(engine.cpus),
        mem_total: i64::try_from(engine.memory).unwrap_or(i64::MAX),
        docker_root_dir: engine.data_root.display().to_string(),
        http_proxy: Proxies::masked(&proxies.http),
        https_proxy: Proxies::masked(&proxies.https),
        no_proxy: proxies.none,
        name: engine.hostname,
        server_version: COMPATIBLE.to_owned(),
        runtimes: runtimes(&beside.live.runtimes),
        default_runtime: beside.live.runtimes.default.clone(),
        swarm: SwarmInfo { local_node_state: "inactive".to_owned(), ..SwarmInfo::default() },
        live_restore_enabled: beside.live.live_restore,
        init_binary: "berth".to_owned(),
        security_options: engine.security_options,
        warnings: (!engine.warnings.is_empty()).then_some(engine.warnings),
        ..Info::default()
    }
}

/// Ours, and those that the daemon was told of.
fn runtimes(runtimes: &Runtimes) -> BTreeMap<String, RuntimePath> {
    let foreign = runtimes.foreign.iter().map(|(name, one)| {
        let (path, runtime_args) = (one.path.display().to_string(), one.args.clone());
        (name.clone(), RuntimePath { path, runtime_args, ..RuntimePath::default() })
    });
    let own = RuntimePath { path: "berth".to_owned(), runtime_args: vec!["runtime".to_owned()], ..Default::default() };
    foreign.chain([(runtimes::OWN.to_owned(), own)]).collect()
}

fn registry_config(registries: &berth_distribution::Config) -> RegistryConfig {
    let (mut cidrs, mut indexes) = (vec!["::1/128".to_owned(), "127.0.0.0/8".to_owned()], BTreeMap::new());
    let of = |name: &str| registries.mirrors.get(name).cloned().unwrap_or_default();
    let mirrors = of(berth_oci::DEFAULT_DOMAIN);
    for name in registries.mirrors.keys().map(String::as_str).chain([berth_oci::DEFAULT_DOMAIN]) {
        let official = name == berth_oci::DEFAULT_DOMAIN;
        let index = IndexInfo { name: name.to_owned(), mirrors: of(name), secure: true, official };
        indexes.insert(index.name.clone(), index);
    }
    for registry in &registries.insecure {
        if registry.contains('/') {
            cidrs.push(registry.clone());
        } else {
            let index = IndexInfo { name: registry.clone(), mirrors: of(registry), ..IndexInfo::default() };
            indexes.insert(registry.clone(), index);
        }
    }
    RegistryConfig { insecure_registry_cidrs: cidrs, index_configs: indexes, mirrors }
}
