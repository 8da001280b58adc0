//! `port`: where a container's ports are published.

use berth_api::host_config::PortBinding;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "port",
    usage: "port CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List where ports of a container are published",
    aliases: &["container port", "port"],
    flags: &[],
    args: Args::Between(1, 2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = &parsed.args[0];
    let wanted = parsed.args.get(1).map(|text| private_port(text).map(|port| (port, text))).transpose()?;
    let client = session.client()?;
    let container = session.block_on(client.inspect_container(name, false))??;
    let ports = container.network_settings.ports.unwrap_or_default();
    if let Some((wanted, typed)) = wanted {
        let Some(Some(bindings)) = ports.get(&wanted).filter(|bindings| bindings.is_some()) else {
            return Err(Failure::new(format!("Error: No public port '{typed}' published for {name}")));
        };
        bindings.iter().for_each(|binding| crate::print(&format!("{}\n", address(binding))));
        return Ok(0);
    }
    let mut lines: Vec<(u16, String)> = Vec::new();
    for (port, bindings) in &ports {
        let number = port.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let published = bindings.iter().flatten();
        lines.extend(published.map(|binding| (number, format!("{port} -> {}\n", address(binding)))));
    }
    lines.sort();
    lines.iter().for_each(|(_, line)| crate::print(line));
    Ok(0)
}

/// `80` means `80/tcp`.
fn private_port(text: &str) -> Result<String, Failure> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(number) => Ok(format!("{number}/{protocol}")),
        Err(_) => Err(Failure::new(format!(
            "invalid port '{text}': a number from 0 to 65535 is needed, then perhaps /tcp or /udp"
        ))),
    }
}

fn address(binding: &PortBinding) -> String {
    match binding.host_ip.contains(':') {
        true => format!("[{}]:{}", binding.host_ip, binding.host_port),
        false => format!("{}:{}", binding.host_ip, binding.host_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(private_port("80").map_err(|f| f.message), Ok("80/tcp".to_owned()));
        assert_eq!(private_port("53/udp").map_err(|f| f.message), Ok("53/udp".to_owned()));
        assert!(private_port("http").is_err() && private_port("70000").is_err());
        let binding = |ip: &str| PortBinding { host_ip: ip.to_owned(), host_port: "8080".to_owned() };
        assert_eq!(address(&binding("::")), "[::]:8080");
        assert_eq!(address(&binding("0.0.0.0")), "0.0.0.0:8080");
    }
}
