//! Syslog's options: where the server is, in whose name it is told, and in which form.

use std::net::IpAddr;
use std::path::PathBuf;

use berth_shim::protocol::{Layout, LogTls};

use super::driver::{Options, invalid, switch};
use crate::Result;

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "",
    "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// As Docker's, without an option.
const DAEMON: u8 = 3;

/// Where a syslog server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Wherever this host's own listens.
    Local,
    /// A unix socket.
    Unix {
        path: PathBuf,
        datagrams: bool,
    },
    Udp(String, u16),
    Tcp(String, u16),
    /// What the connection is under; the server's name is in it.
    Tls(LogTls, u16),
}

impl Address {
    /// What a connection there is under, if anything.
    pub(crate) fn tls(&self) -> Option<&LogTls> {
        match self {
            Self::Tls(tls, _) => Some(tls),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syslog {
    pub(crate) address: Address,
    pub(crate) facility: u8,
    pub(crate) layout: Layout,
}

/// Reads the options that start with `syslog-`.
pub(super) fn parse(options: &Options) -> Result<Syslog> {
    let option = |name: &str| options.get(name).map_or("", String::as_str);
    let facility = match option("syslog-facility") {
        "" => Some(DAEMON),
        text => match text.parse::<u8>() {
            Ok(number) => Some(number).filter(|number| *number < 24),
            Err(_) => FACILITIES.iter().position(|name| *name == text).map(|at| at as u8),
        },
    };
    Ok(Syslog {
        address: address(option("syslog-address"), options)?,
        facility: facility.ok_or_else(|| invalid("invalid syslog facility"))?,
        layout: match option("syslog-format") {
            "" => Layout::Unix,
            "rfc3164" => Layout::Rfc3164,
            "rfc5424" => Layout::Rfc5424,
            "rfc5424micro" => Layout::Rfc5424Micro,
            _ => return Err(invalid("Invalid syslog format")),
        },
    })
}

fn address(text: &str, options: &Options) -> Result<Address> {
    let malformed = || invalid(format!("syslog-address should be in form proto://address, got {text}"));
    if text.is_empty() {
        return Ok(Address::Local);
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
    match scheme {
        "unix" | "unixgram" => {
            let path = PathBuf::from(rest);
            // Docker looks as well: nobody is there who would answer.
            std::fs::metadata(&path).map_err(|_| invalid(format!("stat {rest}: no such file or directory")))?;
            Ok(Address::Unix { path, datagrams: scheme == "unixgram" })
        }
        "udp" | "tcp" => {
            let (host, port) = host_and_port(rest).ok_or_else(malformed)?;
            Ok(if scheme == "udp" { Address::Udp(host, port) } else { Address::Tcp(host, port) })
        }
        "tcp+tls" => {
            let (host, port) = host_and_port(rest).ok_or_else(malformed)?;
            Ok(Address::Tls(tls(host, options), port))
        }
        _ => Err(malformed()),
    }
}

fn tls(server: String, options: &Options) -> LogTls {
    let file = |name: &str| options.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    // To Docker the option is enough, whatever it says; who writes `false` means it.
    let skip = options.get("syslog-tls-skip-verify").is_some_and(|text| switch(text) != Some(false));
    LogTls {
        server,
        ca: file("syslog-tls-ca-cert"),
        cert: file("syslog-tls-cert"),
        key: file("syslog-tls-key"),
        verify: !skip,
    }
}

/// `host`, `host:port`, `[::1]:port`; the port is 514 unless told otherwise.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let text = text.trim_end_matches('/');
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<IpAddr>().ok()?;
            (host, port.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(514), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_syslog_servers() {
        for (text, host, port) in [("h", "h", 514), ("h:99", "h", 99), ("[::1]", "::1", 514), ("[::1]:9", "::1", 9)] {
            assert_eq!(host_and_port(text), Some((host.to_owned(), port)), "{text}");
        }
        for bad in ["", ":9", "h:x", "[x]:9", "h:99999"] {
            assert_eq!(host_and_port(bad), None, "{bad}");
        }
    }
}
