//! The portable half of a container's configuration.

use berth_api::{ContainerConfig, Empty};

use super::health;
use crate::flag::Parsed;
use crate::grammar::{env, mount, network, port};

/// Reads it from the command line.
pub(super) fn read(parsed: &Parsed) -> Result<ContainerConfig, String> {
    let attached: Vec<String> = parsed.all("attach").map(str::to_ascii_lowercase).collect();
    let detached = parsed.on("detach");
    let stdin = parsed.on("interactive");
    let attach = |stream: &str, default: bool| match attached.is_empty() {
        true => default && !detached,
        false => attached.iter().any(|a| a == stream),
    };
    let attach_stdin = attach("stdin", stdin);
    let (image, command) = parsed.args.split_first().ok_or("an image is needed")?;
    let mac_address = parsed.text("mac-address");
    if !mac_address.is_empty() && !network::is_mac(mac_address.trim()) {
        return Err(format!("{mac_address} is not a valid mac address"));
    }
    let mut exposed_ports = std::collections::BTreeMap::new();
    for text in parsed.all("expose") {
        exposed_ports.extend(port::expose(text)?.into_iter().map(|port| (port, Empty {})));
    }
    let labels = env::labels(parsed.all("label-file"), parsed.all("label"))?;
    Ok(ContainerConfig {
        hostname: parsed.text("hostname"),
        domainname: parsed.text("domainname"),
        user: parsed.text("user"),
        attach_stdin,
        attach_stdout: attach("stdout", true),
        attach_stderr: attach("stderr", true),
        exposed_ports,
        tty: parsed.on("tty"),
        open_stdin: stdin,
        stdin_once: stdin && attach_stdin,
        env: Some(env::collect(parsed.all("env-file"), parsed.all("env"), &env::own)?),
        cmd: (!command.is_empty()).then(|| command.to_vec()),
        healthcheck: health::read(parsed)?,
        image: image.clone(),
        volumes: anonymous_volumes(parsed)?,
        working_dir: parsed.text("workdir"),
        entrypoint: parsed.get("entrypoint").map(|program| vec![program.to_owned()]),
        mac_address,
        labels: Some(labels),
        stop_signal: parsed.text("stop-signal"),
        stop_timeout: parsed.int("stop-timeout"),
        ..ContainerConfig::default()
    })
}

fn anonymous_volumes(parsed: &Parsed) -> Result<Option<std::collections::BTreeMap<String, Empty>>, String> {
    let mut volumes = std::collections::BTreeMap::new();
    for text in parsed.all("volume") {
        if let mount::Volume::Anonymous(path) = mount::parse_volume(text)? {
            volumes.insert(path, Empty {});
        }
    }
    Ok(Some(volumes).filter(|v| !v.is_empty()))
}
