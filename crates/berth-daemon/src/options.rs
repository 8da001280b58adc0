//! What the daemon is told, with its meaning: addresses, paths, sizes, levels.

use std::path::PathBuf;

use berth_api::host_config::Ulimit;
use berth_engine::spec::LogDriver;
use berth_network::{Ipv4Net, NetworkConfig};

use crate::http::listen::Address;
use crate::settings::{Settings, SettingsError};
use crate::wire::create::{Defaults, check_log_options};

/// berth's own socket.
pub(crate) const DEFAULT_SOCKET: &str = "/run/berth/berth.sock";

/// Docker's socket, taken too where Docker is not installed.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// The file read where none is named; it may be missing.
const CONFIG_FILE: &str = "/etc/berth/daemon.json";

/// Where programs named `dockerd` lie.
const DOCKERD: [&str; 4] = ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/snap/bin/dockerd"];

/// Everything a daemon needs to know.
#[derive(Debug, Clone)]
pub struct DaemonOptions {
    pub(crate) data_root: PathBuf,
    pub(crate) exec_root: PathBuf,
    pub(crate) pidfile: PathBuf,
    pub(crate) addresses: Vec<Address>,
    /// Taken if nobody else has it; no error if somebody has.
    pub(crate) optional: Option<Address>,
    pub(crate) group: String,
    pub(crate) debug: bool,
    pub(crate) log_level: tracing::Level,
    pub(crate) network: NetworkConfig,
    pub(crate) registries: berth_distribution::Config,
    pub(crate) concurrent_downloads: usize,
    pub(crate) cgroup_parent: String,
    pub(crate) defaults: Defaults,
    /// Check and exit.
    pub(crate) validate: bool,
}

/// Options that contradict each other or mean nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot read {path}: {source}")]
    ReadFile { path: String, source: std::io::Error },
    #[error("invalid --{flag} \"{value}\": {why}")]
    Value { flag: &'static str, value: String, why: String },
}

impl DaemonOptions {
    /// Reads the command line after `berth daemon`, and the configuration file.
    pub(crate) fn read(settings: Settings) -> Result<Self, OptionsError> {
        let settings = match settings.text("config-file").map(ToOwned::to_owned) {
            Some(path) => with_file(settings, &path, true)?,
            None => with_file(settings, CONFIG_FILE, false)?,
        };
        let path = |name: &str, otherwise: &str| PathBuf::from(settings.text(name).unwrap_or(otherwise));
        let (addresses, optional) = addresses(&settings)?;
        let exec_root = path("exec-root", "/run/berth");
        Ok(Self {
            data_root: path("data-root", "/var/lib/berth"),
            pidfile: settings.text("pidfile").map_or_else(|| exec_root.join("berth.pid"), PathBuf::from),
            exec_root,
            addresses,
            optional,
            group: settings.text("group").unwrap_or("docker").to_owned(),
            debug: settings.switch("debug").unwrap_or(false),
            log_level: log_level(&settings)?,
            network: network(&settings)?,
            registries: registries(&settings),
            concurrent_downloads: downloads(&settings)?,
            cgroup_parent: settings.text("cgroup-parent").unwrap_or("").to_owned(),
            defaults: defaults(&settings)?,
            validate: settings.switch("validate").unwrap_or(false),
        })
    }
}

fn with_file(settings: Settings, path: &str, required: bool) -> Result<Settings, OptionsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(settings.with_file(path, Settings::from_file(path, &text)?)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(settings),
        Err(source) => Err(OptionsError::ReadFile { path: path.to_owned(), source }),
    }
}

fn value(flag: &'static str, value: &str, why: impl ToString) -> OptionsError {
    OptionsError::Value { flag, value: value.to_owned(), why: why.to_string() }
}

fn addresses(settings: &Settings) -> Result<(Vec<Address>, Option<Address>), OptionsError> {
    let given = settings.list("host");
    if given.is_empty() {
        let docker = (!DOCKERD.iter().any(|path| std::path::Path::new(path).exists()))
            .then(|| Address::Unix(PathBuf::from(DOCKER_SOCKET)));
        return Ok((vec![Address::Unix(PathBuf::from(DEFAULT_SOCKET))], docker));
    }
    let mut addresses = Vec::new();
    for text in given {
        let address = Address::parse(text).map_err(|why| value("host", text, why))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok((addresses, None))
}

fn log_level(settings: &Settings) -> Result<tracing::Level, OptionsError> {
    if settings.switch("debug") == Some(true) {
        return Ok(tracing::Level::DEBUG);
    }
    match settings.text("log-level").unwrap_or("info") {
        "trace" => Ok(tracing::Level::TRACE),
        "debug" => Ok(tracing::Level::DEBUG),
        "info" => Ok(tracing::Level::INFO),
        "warn" | "warning" => Ok(tracing::Level::WARN),
        "error" | "fatal" | "panic" => Ok(tracing::Level::ERROR),
        other => Err(value("log-level", other, "not one of debug, info, warn, error, fatal")),
    }
}

fn network(settings: &Settings) -> Result<NetworkConfig, OptionsError> {
    let defaults = NetworkConfig::default();
    let bip = settings.text("bip").map(|text| text.parse::<Ipv4Net>().map_err(|why| value("bip", text, why)));
    let bridge = settings.text("bridge").map_or(defaults.bridge.clone(), ToOwned::to_owned);
    if bridge == "none" {
        return Err(value("bridge", &bridge, "berth does not run without its bridge yet"));
    }
    if bridge.is_empty() || bridge.len() > 15 || bridge.contains(['/', ' ']) {
        return Err(value("bridge", &bridge, "an interface's name has 1 to 15 characters"));
    }
    let mtu = match settings.number("mtu") {
        None | Some(0) => defaults.mtu,
        Some(mtu) => u32::try_from(mtu).map_err(|_| value("mtu", &mtu.to_string(), "it cannot be negative"))?,
    };
    Ok(NetworkConfig {
        bridge,
        bip: bip.transpose()?,
        mtu,
        ip_forward: settings.switch("ip-forward").unwrap_or(defaults.ip_forward),
        ip_masq: settings.switch("ip-masq").unwrap_or(defaults.ip_masq),
        firewall: settings.switch("iptables").unwrap_or(defaults.firewall),
    })
}

fn registries(settings: &Settings) -> berth_distribution::Config {
    berth_distribution::Config {
        mirrors: settings.list("registry-mirror").to_vec(),
        insecure: settings.list("insecure-registry").to_vec(),
    }
}

fn downloads(settings: &Settings) -> Result<usize, OptionsError> {
    match settings.number("max-concurrent-downloads") {
        None => Ok(3),
        Some(number) => usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| value("max-concurrent-downloads", &number.to_string(), "it must be at least 1")),
    }
}

fn defaults(settings: &Settings) -> Result<Defaults, OptionsError> {
    let log_driver = settings.text("log-driver").unwrap_or("json-file").to_owned();
    let log_options = settings.map("log-opt");
    let driver = if log_driver == "none" { LogDriver::None } else { LogDriver::JsonFile };
    check_log_options(driver, &log_options).map_err(|why| value("log-opt", "", why))?;
    let ulimits = settings
        .list("default-ulimit")
        .iter()
        .map(|text| ulimit(text).ok_or_else(|| value("default-ulimit", text, "expected name=soft[:hard]")));
    Ok(Defaults {
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        ulimits: ulimits.collect::<Result<_, _>>()?,
        log_driver,
        log_options,
        init: settings.switch("init").unwrap_or(false),
        shm_size: match settings.text("default-shm-size") {
            None => 0,
            Some(text) => size(text).ok_or_else(|| value("default-shm-size", text, "no size such as 64m"))?,
        },
    })
}

/// `nofile=1024:2048`.
fn ulimit(text: &str) -> Option<Ulimit> {
    let (name, limits) = text.split_once('=')?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Some(Ulimit { name: name.to_owned(), soft: soft.parse().ok()?, hard: hard.parse().ok()? })
}

/// Bytes, or a number with `k`, `m`, `g`, `t`, and `b` or `ib` behind it: powers of 1024.
fn size(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let shift = match unit.trim_start().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<DaemonOptions, OptionsError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        DaemonOptions::read(Settings::from_args(&args)?)
    }

    #[test]
    fn meanings() {
        let options = options(&[
            "--data-root=/d",
            "--exec-root",
            "/e",
            "-H",
            "unix:///s",
            "-H",
            "unix:///s",
            "--bip",
            "10.9.8.1/24",
            "--bridge",
            "b0",
            "--default-shm-size",
            "128m",
            "--default-ulimit",
            "nofile=10:20",
            "--max-concurrent-downloads=2",
        ])
        .unwrap();
        assert_eq!(options.pidfile, PathBuf::from("/e/berth.pid"));
        assert_eq!(options.addresses, [Address::Unix("/s".into())]);
        assert_eq!(options.optional, None);
        assert_eq!(options.network.bip.unwrap().to_string(), "10.9.8.1/24");
        assert_eq!(options.defaults.shm_size, 128 << 20);
        assert_eq!(options.defaults.ulimits, [Ulimit { name: "nofile".into(), soft: 10, hard: 20 }]);
        assert_eq!(options.concurrent_downloads, 2);
    }

    #[test]
    fn values_that_mean_nothing() {
        for args in [
            &["--bip", "x"][..],
            &["-H", "fd://"],
            &["-l", "loud"],
            &["--bridge", "much-too-long-a-name"],
            &["--default-shm-size", "1x"],
            &["--default-ulimit", "nofile=x"],
            &["--max-concurrent-downloads", "0"],
            &["--log-opt", "nope=1"],
            &["--config-file", "/no/such/file"],
        ] {
            options(args).unwrap_err();
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("5", 5), ("1k", 1024), ("64M", 64 << 20), ("2gb", 2 << 30), ("1 mib", 1 << 20)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        assert_eq!(size("x"), None);
    }
}
