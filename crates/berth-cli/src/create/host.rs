//! The half of a container's configuration that depends on the host.

use std::collections::BTreeMap;

use berth_api::container::HEALTH_ON_FAILURE;
use berth_api::host_config::{LogConfig, RestartPolicy};
use berth_api::{ContainerConfig, Empty, HostConfig};

use super::networks;
use crate::flag::Parsed;
use crate::grammar::{device, mount, network, pair, port, security, ulimit};
use crate::unit::{number, size};

/// Reads it from the command line. Published ports also show in `config` as exposed.
pub(super) fn read(parsed: &Parsed, config: &mut ContainerConfig) -> Result<HostConfig, String> {
    let mut host = HostConfig::default();
    limits(parsed, &mut host)?;
    isolation(parsed, &mut host)?;
    mounts(parsed, &mut host)?;
    network_of(parsed, config, &mut host)?;
    host.container_id_file = parsed.text("cidfile");
    host.log_config = log_config(parsed)?;
    host.restart_policy = restart_policy(parsed.get("restart").unwrap_or_default())?;
    host.auto_remove = parsed.on("rm");
    if host.auto_remove && !matches!(host.restart_policy.name.as_str(), "" | "no") {
        return Err("conflicting options: cannot specify both --restart and --rm".to_owned());
    }
    host.annotations = parsed.all("annotation").map(pair).collect();
    if let Some(action) = parsed.get("health-on-failure") {
        host.annotations.insert(HEALTH_ON_FAILURE.to_owned(), action.to_owned());
    }
    host.runtime = parsed.text("runtime");
    host.isolation = parsed.text("isolation");
    if parsed.on("use-api-socket") {
        return Err("--use-api-socket is not built yet (docs/not-yet.md)".to_owned());
    }
    if config.tty
        && let Some((rows, columns)) = crate::terminal::size()
    {
        host.console_size = [rows.into(), columns.into()];
    }
    Ok(host)
}

/// The values of a list, or none where it was not given.
fn list(parsed: &Parsed, name: &str) -> Option<Vec<String>> {
    Some(parsed.strings(name)).filter(|values| !values.is_empty())
}

fn each<T>(parsed: &Parsed, name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<Vec<T>>, String> {
    let values: Vec<T> = parsed.all(name).map(parse).collect::<Result<_, _>>()?;
    Ok(Some(values).filter(|v| !v.is_empty()))
}

fn limits(parsed: &Parsed, host: &mut HostConfig) -> Result<(), String> {
    let bytes = |name: &str| parsed.get(name).map_or(Ok(0), size::parse);
    let int = |name: &str| parsed.int(name).unwrap_or(0);
    host.memory = bytes("memory")?;
    host.memory_reservation = bytes("memory-reservation")?;
    host.memory_swap = parsed.get("memory-swap").map_or(Ok(0), size::parse_swap)?;
    host.kernel_memory = bytes("kernel-memory")?;
    host.shm_size = bytes("shm-size")?;
    host.memory_swappiness = parsed.int("memory-swappiness").filter(|n| *n != -1);
    if let Some(n) = host.memory_swappiness.filter(|n| !(0..=100).contains(n)) {
        return Err(format!("invalid value: {n}. Valid memory swappiness range is 0-100"));
    }
    host.nano_cpus = parsed.get("cpus").map_or(Ok(0), number::parse_cpus)?;
    host.cpu_shares = int("cpu-shares");
    host.cpu_period = int("cpu-period");
    host.cpu_quota = int("cpu-quota");
    host.cpu_realtime_period = int("cpu-rt-period");
    host.cpu_realtime_runtime = int("cpu-rt-runtime");
    host.cpu_count = int("cpu-count");
    host.cpu_percent = int("cpu-percent");
    host.cpuset_cpus = parsed.text("cpuset-cpus");
    host.cpuset_mems = parsed.text("cpuset-mems");
    host.blkio_weight = parsed.get("blkio-weight").map_or(Ok(0), |v| number::parse_uint(v, 16))? as u16;
    host.blkio_weight_device = each(parsed, "blkio-weight-device", device::parse_weight)?;
    host.blkio_device_read_bps = each(parsed, "device-read-bps", device::parse_bps)?;
    host.blkio_device_write_bps = each(parsed, "device-write-bps", device::parse_bps)?;
    host.blkio_device_read_iops = each(parsed, "device-read-iops", device::parse_iops)?;
    host.blkio_device_write_iops = each(parsed, "device-write-iops", device::parse_iops)?;
    host.io_maximum_bandwidth = bytes("io-maxbandwidth")? as u64;
    host.io_maximum_iops = parsed.get("io-maxiops").map_or(Ok(0), |v| number::parse_uint(v, 64))?;
    host.pids_limit = parsed.int("pids-limit");
    host.oom_kill_disable = parsed.has("oom-kill-disable").then(|| parsed.on("oom-kill-disable"));
    host.oom_score_adj = int("oom-score-adj");
    host.ulimits = each(parsed, "ulimit", ulimit::parse)?;
    host.cgroup_parent = parsed.text("cgroup-parent");
    Ok(())
}

fn isolation(parsed: &Parsed, host: &mut HostConfig) -> Result<(), String> {
    let mode = |name: &str, allowed: &[&str], what: &str| {
        let text = parsed.text(name);
        let container = text.strip_prefix("container:").is_some_and(|id| !id.is_empty()) && name == "pid";
        if allowed.contains(&text.as_str()) || container {
            Ok(text)
        } else {
            Err(format!("--{name}: invalid {what} mode"))
        }
    };
    host.pid_mode = mode("pid", &["", "host"], "PID")?;
    host.uts_mode = mode("uts", &["", "host"], "UTS")?;
    host.userns_mode = mode("userns", &["", "host"], "USER")?;
    host.cgroupns_mode = mode("cgroupns", &["", "host", "private"], "CGROUP")?;
    host.ipc_mode = parsed.text("ipc");
    host.privileged = parsed.on("privileged");
    host.cap_add = list(parsed, "cap-add");
    host.cap_drop = list(parsed, "cap-drop");
    host.group_add = list(parsed, "group-add");
    host.readonly_rootfs = parsed.on("read-only");
    host.init = parsed.has("init").then(|| parsed.on("init"));
    host.sysctls = parsed.all("sysctl").map(pair).collect();
    let security = security::parse(&parsed.strings("security-opt"))?;
    host.security_opt = Some(security.options).filter(|options| !options.is_empty());
    if security.unmasked {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
    let (qualified, paths): (Vec<&str>, Vec<&str>) = parsed.all("device").partition(|text| device::is_qualified(text));
    let paths: Vec<_> = paths.into_iter().map(device::parse).collect::<Result<_, _>>()?;
    host.devices = Some(paths).filter(|paths| !paths.is_empty());
    host.device_cgroup_rules = list(parsed, "device-cgroup-rule");
    let mut requests: Vec<_> = parsed.all("gpus").map(device::parse_gpus).collect::<Result<_, _>>()?;
    if !qualified.is_empty() {
        requests.push(device::qualified(qualified.into_iter().map(str::to_owned).collect()));
    }
    host.device_requests = Some(requests).filter(|requests| !requests.is_empty());
    Ok(())
}

fn mounts(parsed: &Parsed, host: &mut HostConfig) -> Result<(), String> {
    let mut binds = Vec::new();
    for text in parsed.all("volume") {
        if let mount::Volume::Bind(bind) = mount::parse_volume(text)? {
            binds.push(bind);
        }
    }
    host.binds = Some(binds).filter(|b| !b.is_empty());
    host.mounts = parsed.all("mount").map(mount::parse).collect::<Result<_, _>>()?;
    host.tmpfs = parsed.all("tmpfs").map(mount::parse_tmpfs).collect();
    host.volumes_from = list(parsed, "volumes-from");
    host.volume_driver = parsed.text("volume-driver");
    for option in parsed.all("storage-opt") {
        let (name, value) = option.split_once('=').ok_or("invalid storage option")?;
        host.storage_opt.insert(name.to_owned(), value.to_owned());
    }
    Ok(())
}

fn network_of(parsed: &Parsed, config: &mut ContainerConfig, host: &mut HostConfig) -> Result<(), String> {
    host.network_mode = networks::given(parsed)?.into_iter().next().map_or("default".to_owned(), |n| n.name);
    host.dns = list(parsed, "dns");
    host.dns_search = list(parsed, "dns-search");
    host.dns_options =
        Some(parsed.all("dns-option").chain(parsed.all("dns-opt")).map(str::to_owned).collect::<Vec<_>>())
            .filter(|options| !options.is_empty());
    host.extra_hosts = each(parsed, "add-host", network::extra_host)?;
    host.links = list(parsed, "link");
    host.publish_all_ports = parsed.on("publish-all");
    let mut ports = BTreeMap::new();
    parsed.all("publish").try_for_each(|text| port::publish(text, &mut ports))?;
    config.exposed_ports.extend(ports.keys().map(|port| (port.clone(), Empty {})));
    host.port_bindings = Some(ports).filter(|p| !p.is_empty());
    Ok(())
}

fn log_config(parsed: &Parsed) -> Result<LogConfig, String> {
    let options: BTreeMap<String, String> = parsed.all("log-opt").map(pair).collect();
    let kind = parsed.text("log-driver");
    if kind == "none" && !options.is_empty() {
        return Err("invalid logging opts for driver none".to_owned());
    }
    Ok(LogConfig { kind, config: Some(options).filter(|o| !o.is_empty()) })
}

/// `NAME[:N]`; which names there are is the daemon's to say.
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    if name.is_empty() && count.is_some() {
        return Err("invalid restart policy format: no policy provided before colon".to_owned());
    }
    let maximum_retry_count = match count {
        None | Some("") => 0,
        Some(count) => count
            .parse()
            .map_err(|_| "invalid restart policy format: maximum retry count must be an integer".to_owned())?,
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count })
}
