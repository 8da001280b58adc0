//! A create request becomes a [`ContainerSpec`]: everything is checked here, once.

use std::collections::BTreeMap;

use berth_api::host_config::{HostConfig, Ulimit};
use berth_api::network::NetworkingConfig;
use berth_api::{ContainerConfig, CreateRequest};
use berth_engine::spec::{
    ContainerSpec, IpcMode, LogDriver, LogSpec, NetworkMode, NetworkSpec, ProcessSpec, StdioSpec,
};

use super::{check, health, limits, mounts, refused};
use crate::http::error::ApiError;

/// What the daemon adds to requests that say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// `--default-ulimit`.
    pub(crate) ulimits: Vec<Ulimit>,
    /// `--log-driver`.
    pub(crate) log_driver: LogDriver,
    /// `--log-opt`, for containers with that driver.
    pub(crate) log_options: BTreeMap<String, String>,
    /// `--init`.
    pub(crate) init: bool,
    /// `--default-shm-size`.
    pub(crate) shm_size: i64,
    /// `--default-ipc-mode`.
    pub(crate) ipc: IpcMode,
    /// `--no-new-privileges`.
    pub(crate) no_new_privileges: bool,
}

/// A create request with what surrounds it.
pub(crate) struct Asked<'a> {
    pub(crate) request: CreateRequest,
    /// `os/arch`; empty: none asked for.
    pub(crate) platform: &'a str,
    pub(crate) defaults: &'a Defaults,
}

impl TryFrom<Asked<'_>> for ContainerSpec {
    type Error = ApiError;

    fn try_from(asked: Asked<'_>) -> Result<Self, ApiError> {
        let Asked { request, platform, defaults } = asked;
        let host = request.host_config.as_deref().cloned().unwrap_or_default();
        let restart = check::restart_policy(&host.restart_policy, host.auto_remove)?;
        check::isolation(&host.isolation)?;
        let joined = limits::network_of(&host)?;
        refused::check(&request)?;
        check::storage(&host)?;
        check::config(&request.config)?;
        let mac = mac_address(&request.config, request.networking_config.as_ref())?;
        let config = request.config;
        Ok(Self {
            platform: (!platform.is_empty()).then(|| platform.to_owned()),
            isolation: limits::isolation(&host, defaults)?,
            resources: limits::resources(&host, defaults)?,
            mounts: mounts::all(&host)?,
            volumes: mounts::declared(config.volumes.iter().flatten().map(|(path, _)| path))?,
            volumes_from: mounts::volumes_from(&host)?,
            volume_driver: host.volume_driver.clone(),
            network: network(&config, &host, mac, joined)?,
            log: log(&host, defaults)?,
            auto_remove: host.auto_remove,
            restart,
            health: health::asked(&config, &host)?,
            console_size: console_size(&host),
            runtime: host.runtime,
            annotations: host.annotations,
            container_id_file: host.container_id_file,
            stdio: stdio(&config),
            labels: config.labels.clone().unwrap_or_default(),
            hostname: config.hostname.clone(),
            domainname: config.domainname.clone(),
            stop_signal: (!config.stop_signal.is_empty()).then(|| config.stop_signal.clone()),
            stop_timeout: config.stop_timeout,
            image: config.image.clone(),
            process: process(config),
        })
    }
}

fn process(config: ContainerConfig) -> ProcessSpec {
    ProcessSpec {
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        env: config.env.unwrap_or_default(),
        working_dir: config.working_dir,
        user: config.user,
        tty: config.tty,
    }
}

fn stdio(config: &ContainerConfig) -> StdioSpec {
    StdioSpec {
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
    }
}

fn console_size(host: &HostConfig) -> (u16, u16) {
    let [rows, columns] = host.console_size.map(|cells| u16::try_from(cells).unwrap_or(0));
    (rows, columns)
}

fn network(
    config: &ContainerConfig,
    host: &HostConfig,
    mac: Option<String>,
    joined: Option<NetworkMode>,
) -> Result<NetworkSpec, ApiError> {
    let mode = match (host.network_mode.as_str(), joined) {
        _ if config.network_disabled => NetworkMode::None,
        (_, Some(joined)) => joined,
        ("host", _) => NetworkMode::Host,
        ("none", _) => NetworkMode::None,
        _ => NetworkMode::Bridge,
    };
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (dns, extra_hosts) = (list(&host.dns), list(&host.extra_hosts));
    for address in &dns {
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(ApiError::invalid(format!("bad nameserver address: {address}")));
        }
    }
    for entry in &extra_hosts {
        check_extra_host(entry)?;
    }
    Ok(NetworkSpec {
        mode,
        dns,
        dns_search: list(&host.dns_search),
        dns_options: list(&host.dns_options),
        extra_hosts,
        exposed_ports: config.exposed_ports.keys().cloned().collect(),
        mac_address: mac,
        address: None,
    })
}

/// `name:address` or `name=address`; `host-gateway` stands for the bridge.
fn check_extra_host(entry: &str) -> Result<(), ApiError> {
    let parts = entry.split_once('=').or_else(|| entry.split_once(':')).filter(|(name, _)| !name.is_empty());
    let Some((_, address)) = parts else {
        return Err(ApiError::invalid(format!("bad format for add-host: \"{entry}\"")));
    };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if address != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err() {
        return Err(ApiError::invalid(format!("invalid IP address in add-host: \"{address}\"")));
    }
    Ok(())
}

/// From the endpoint's settings, or from the deprecated place in the configuration.
fn mac_address(config: &ContainerConfig, networking: Option<&NetworkingConfig>) -> Result<Option<String>, ApiError> {
    let endpoints = networking.and_then(|networking| networking.endpoints_config.as_ref());
    let from_endpoint = endpoints.and_then(|endpoints| endpoints.values().flatten().next());
    let text = match from_endpoint {
        Some(endpoint) if !endpoint.mac_address.is_empty() => &endpoint.mac_address,
        _ => &config.mac_address,
    };
    if text.is_empty() {
        return Ok(None);
    }
    let bytes: Vec<&str> = text.split([':', '-']).collect();
    let good = bytes.len() == 6 && bytes.iter().all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok());
    match good {
        true => Ok(Some(text.clone())),
        false => Err(ApiError::invalid(format!("invalid MAC address: {text}"))),
    }
}

/// The daemon's options hold for its own driver, also where the request names it.
fn log(host: &HostConfig, defaults: &Defaults) -> Result<LogSpec, ApiError> {
    let mut options = host.log_config.config.clone().unwrap_or_default();
    let driver = match host.log_config.kind.as_str() {
        "" => defaults.log_driver,
        name => LogDriver::parse(name)?,
    };
    if driver == defaults.log_driver {
        for (name, value) in &defaults.log_options {
            options.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let log = LogSpec { driver, options };
    berth_engine::check_log(&log)?;
    Ok(log)
}
