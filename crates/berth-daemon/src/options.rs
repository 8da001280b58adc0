//! What the daemon is told, with its meaning: addresses, paths, sizes, levels.

mod policy;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use berth_api::ApiVersion;
use berth_api::host_config::Ulimit;
use berth_engine::Policy;
use berth_engine::spec::{LogDriver, LogSpec};
use berth_image::Driver;
use berth_network::{Ipv4Net, NetworkConfig, Resolver};

use crate::http::listen::{Address, DEFAULT_GROUP};
use crate::http::tls::TlsOptions;
use crate::journal::Format;
use crate::live::Live;
use crate::settings::{Settings, SettingsError};
use crate::wire::create::Defaults;

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
    pub(crate) tls: Option<TlsOptions>,
    /// TCP may be open to everybody who reaches it.
    pub(crate) insisted: bool,
    pub(crate) log_format: Format,
    pub(crate) metrics: Option<SocketAddr>,
    /// Older clients are refused; `None`: none is.
    pub(crate) oldest: Option<ApiVersion>,
    pub(crate) network: NetworkConfig,
    /// Compressed layers stay beside the unpacked ones.
    pub(crate) keep_blobs: bool,
    /// The form of new layers, where it is asked for.
    pub(crate) driver: Option<Driver>,
    /// What a reload may change.
    pub(crate) live: Live,
    /// The command line again, which a reload reads anew together with the file.
    pub(crate) given: Settings,
    pub(crate) cgroup_parent: String,
    pub(crate) defaults: Defaults,
    pub(crate) policy: Policy,
    /// `--oom-score-adjust`; `None`: as the daemon was started.
    pub(crate) oom_score: Option<i64>,
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
        let given = settings.clone();
        let settings = match settings.text("config-file").map(ToOwned::to_owned) {
            Some(path) => with_file(settings, &path, true)?,
            None => with_file(settings, CONFIG_FILE, false)?,
        };
        let path = |name: &str, otherwise: &str| PathBuf::from(settings.text(name).unwrap_or(otherwise));
        let tls = tls(&settings);
        let (addresses, optional) = addresses(&settings, tls.is_some())?;
        let exec_root = path("exec-root", "/run/berth");
        Ok(Self {
            data_root: path("data-root", "/var/lib/berth"),
            pidfile: settings.text("pidfile").map_or_else(|| exec_root.join("berth.pid"), PathBuf::from),
            exec_root,
            addresses,
            optional,
            group: settings.text("group").unwrap_or(DEFAULT_GROUP).to_owned(),
            tls,
            insisted: settings.switch("tls") == Some(false) || settings.switch("tlsverify") == Some(false),
            log_format: log_format(&settings)?,
            metrics: metrics(&settings)?,
            oldest: oldest(&settings)?,
            network: network(&settings)?,
            keep_blobs: settings.switch("keep-blobs").unwrap_or(true),
            driver: settings.text("storage-driver").and_then(Driver::parse),
            live: Live::read(&settings)?,
            given,
            cgroup_parent: settings.text("cgroup-parent").unwrap_or("").to_owned(),
            defaults: defaults(&settings)?,
            policy: policy::read(&settings)?,
            oom_score: policy::oom_score(&settings)?,
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

pub(crate) fn value(flag: &'static str, value: &str, why: impl ToString) -> OptionsError {
    OptionsError::Value { flag, value: value.to_owned(), why: why.to_string() }
}

fn addresses(settings: &Settings, tls: bool) -> Result<(Vec<Address>, Option<Address>), OptionsError> {
    let given = settings.list("host");
    if given.is_empty() {
        let docker = (!DOCKERD.iter().any(|path| std::path::Path::new(path).exists()))
            .then(|| Address::Unix(PathBuf::from(DOCKER_SOCKET)));
        return Ok((vec![Address::Unix(PathBuf::from(DEFAULT_SOCKET))], docker));
    }
    let mut addresses = Vec::new();
    for text in given {
        let address = Address::parse(text, tls).map_err(|why| value("host", text, why))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok((addresses, None))
}

/// TLS is wanted where `--tls` says so, and where `--tlsverify` says anything at all.
fn tls(settings: &Settings) -> Option<TlsOptions> {
    let verify = settings.switch("tlsverify");
    if verify.is_none() && settings.switch("tls") != Some(true) {
        return None;
    }
    let usual = std::env::var_os("DOCKER_CERT_PATH").map_or_else(|| PathBuf::from("/root/.docker"), PathBuf::from);
    let path = |flag: &str, name: &str| settings.text(flag).map_or_else(|| usual.join(name), PathBuf::from);
    Some(TlsOptions {
        ca: path("tlscacert", "ca.pem"),
        cert: path("tlscert", "cert.pem"),
        key: path("tlskey", "key.pem"),
        verify: verify.unwrap_or(false),
    })
}

fn log_format(settings: &Settings) -> Result<Format, OptionsError> {
    match settings.text("log-format").unwrap_or("text") {
        "text" => Ok(Format::Text { raw: settings.switch("raw-logs").unwrap_or(false) }),
        "json" => Ok(Format::Json),
        other => Err(value("log-format", other, "there are text and json")),
    }
}

fn metrics(settings: &Settings) -> Result<Option<SocketAddr>, OptionsError> {
    let Some(text) = settings.text("metrics-addr").filter(|text| !text.is_empty()) else { return Ok(None) };
    let address = text.strip_prefix("tcp://").unwrap_or(text).to_socket_addrs();
    let first = address.map_err(|why| value("metrics-addr", text, why))?.next();
    first.map(Some).ok_or_else(|| value("metrics-addr", text, "no such address"))
}

/// Docker has an environment variable for it too.
fn oldest(settings: &Settings) -> Result<Option<ApiVersion>, OptionsError> {
    let environment = std::env::var("DOCKER_MIN_API_VERSION").ok().filter(|text| !text.is_empty());
    let Some(text) = settings.text("min-api-version").map(str::to_owned).or(environment) else { return Ok(None) };
    let (min, max) = (ApiVersion::MIN, ApiVersion::MAX);
    let version = text.parse::<ApiVersion>().ok().filter(|version| (min..=max).contains(version));
    let why = || format!("the minimum API version must be between {min} and {max}");
    version.map(Some).ok_or_else(|| value("min-api-version", &text, why()))
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
        resolver: resolver(settings)?,
    })
}

fn resolver(settings: &Settings) -> Result<Resolver, OptionsError> {
    for server in settings.list("dns") {
        if server.parse::<std::net::IpAddr>().is_err() {
            return Err(value("dns", server, "it must be an IP address"));
        }
    }
    let list = |name: &str| settings.list(name).to_vec();
    Ok(Resolver { servers: list("dns"), search: list("dns-search"), options: list("dns-opt") })
}

fn defaults(settings: &Settings) -> Result<Defaults, OptionsError> {
    let name = settings.text("log-driver").unwrap_or("json-file");
    let log_driver = LogDriver::parse(name).map_err(|why| value("log-driver", name, why))?;
    let log_options = settings.map("log-opt");
    let log = LogSpec { driver: log_driver, options: log_options.clone() };
    let spelled = || log_options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
    berth_engine::check_log(&log).map_err(|why| value("log-opt", &spelled(), why))?;
    let ulimits = settings
        .list("default-ulimit")
        .iter()
        .map(|text| ulimit(text).ok_or_else(|| value("default-ulimit", text, "expected name=soft[:hard]")));
    Ok(Defaults {
        ulimits: ulimits.collect::<Result<_, _>>()?,
        log_driver,
        log_options,
        init: settings.switch("init").unwrap_or(false),
        shm_size: match settings.text("default-shm-size") {
            None => 0,
            Some(text) => size(text).ok_or_else(|| value("default-shm-size", text, "no size such as 64m"))?,
        },
        ipc: policy::ipc(settings)?,
        no_new_privileges: settings.switch("no-new-privileges").unwrap_or(false),
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
        assert_eq!(options.live.concurrent_downloads, 2);
        assert_eq!((options.tls, options.insisted, options.oldest), (None, false, None));
    }

    #[test]
    fn values_that_mean_nothing() {
        for args in [
            &["--bip", "x"][..],
            &["-H", "npipe://x"],
            &["--min-api-version", "1.23"],
            &["--min-api-version", "1.99"],
            &["--log-format", "xml"],
            &["--metrics-addr", "nowhere"],
            &["--label", "x"],
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
    fn tls_is_wanted_where_anything_says_so() {
        let tls = |args: &[&str]| options(args).unwrap().tls.map(|tls| tls.verify);
        assert_eq!(tls(&["--tls=false"]), None);
        assert_eq!(tls(&["--tls"]), Some(false));
        assert_eq!(tls(&["--tlsverify"]), Some(true));
        assert_eq!(tls(&["--tlsverify=false"]), Some(false));
        assert_eq!(tls(&["--tls=false", "--tlsverify"]), Some(true));
        assert!(options(&["--tls=false"]).unwrap().insisted);
        let address = options(&["-H", "tcp://h", "--tlsverify"]).unwrap().addresses[0].to_string();
        assert_eq!(address, "tcp://h:2376");
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("5", 5), ("1k", 1024), ("64M", 64 << 20), ("2gb", 2 << 30), ("1 mib", 1 << 20)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        assert_eq!(size("x"), None);
    }
}
