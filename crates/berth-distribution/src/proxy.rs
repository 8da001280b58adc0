//! Which proxy a request goes through, if any: by Go's rules, which Docker's users know.
//!
//! `https` requests go through one proxy and `http` requests through another; hosts of the exceptions, and whatever is
//! on this host, are reached without.

use std::env;
use std::net::IpAddr;

use reqwest::Url;

use crate::Error;
use crate::endpoint::in_network;

/// The proxies that registries are reached through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://`; empty: none.
    pub http: String,
    /// For `https://`; empty: none.
    pub https: String,
    /// Hosts reached without one, separated by commas: `*`, a host, a domain (`.example.com` without itself), an
    /// address or a network, each but the last with a port if only that is meant.
    pub none: String,
}

impl Proxies {
    /// Those that the environment names, in capitals or in small letters.
    #[must_use]
    pub fn from_environment() -> Self {
        let named = |name: &str| env::var(name).or_else(|_| env::var(name.to_ascii_lowercase())).unwrap_or_default();
        Self { http: named("HTTP_PROXY"), https: named("HTTPS_PROXY"), none: named("NO_PROXY") }
    }

    /// What is wrong with a proxy's address; nothing, for most.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(address: &str) -> Result<(), String> {
        parse(address).map(drop)
    }

    /// A proxy's address as it may be shown: without the name and password that may stand in it.
    #[must_use]
    pub fn masked(address: &str) -> String {
        let Some((before, host)) = address.rsplit_once('@') else { return address.to_owned() };
        let scheme = before.find("://").map_or("", |at| &before[..at + 3]);
        format!("{scheme}xxxxx:xxxxx@{host}")
    }

    /// The proxy for a URL.
    pub(crate) fn of(&self, url: &Url) -> Result<Option<Url>, Error> {
        let address = if url.scheme() == "https" { &self.https } else { &self.http };
        if address.is_empty() || is_local(url) || self.excepts(url) {
            return Ok(None);
        }
        let bad = |why| Error::Malformed(format!("invalid proxy address {:?}: {why}", Self::masked(address)));
        parse(address).map(Some).map_err(bad)
    }

    fn excepts(&self, url: &Url) -> bool {
        let host = host_of(url);
        let port = url.port_or_known_default();
        let entries = self.none.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        entries.filter(|entry| !entry.is_empty()).any(|entry| is_meant(&entry, &host, port))
    }
}

/// A failure on the way through a proxy: it may be the proxy that cannot be reached, or that lets nobody through.
pub(crate) fn explain(proxy: &Url, error: Error) -> Error {
    let Error::Transport { method, url, reason, wrong_scheme } = error else { return error };
    let (host, authority) = (proxy.host_str().unwrap_or_default(), shown(proxy));
    // Whatever was looked up or dialled was the proxy.
    let reason = match () {
        () if reason.ends_with("connection refused") => {
            format!("proxyconnect tcp: dial tcp {authority}: connect: connection refused")
        }
        () if reason.ends_with("no such host") => format!("proxyconnect tcp: dial tcp: lookup {host}: no such host"),
        () if reason.contains("proxy authorization required") => return unauthorized(method, &url, &authority),
        () if reason.contains("tunnel error") => format!("the proxy {authority} makes no way to it ({reason})"),
        () => return Error::Transport { method, url, reason, wrong_scheme },
    };
    Error::Transport { method, url, reason, wrong_scheme }
}

/// Its host and port.
pub(crate) fn shown(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    proxy.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What a proxy says to whom it does not know.
pub(crate) fn unauthorized(method: &str, url: &str, proxy: &str) -> Error {
    Error::Malformed(format!("{method} {url:?}: Proxy Authentication Required: {proxy} wants a name and a password"))
}

/// Without a scheme it is taken for `http://`, as Go does.
fn parse(address: &str) -> Result<Url, String> {
    let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let url = Url::parse(&whole).map_err(|e| e.to_string())?;
    match matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty()) {
        true => Ok(url),
        false => Err("it must be http://host:port or https://host:port".to_owned()),
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn is_local(url: &Url) -> bool {
    let host = host_of(url);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_meant(entry: &str, host: &str, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if entry.contains('/') {
        return address.is_some_and(|address| in_network(address, entry));
    }
    let (name, wanted) = split(entry);
    if wanted.is_some_and(|wanted| Some(wanted) != port) {
        return false;
    }
    if let Ok(excepted) = name.parse::<IpAddr>() {
        return address == Some(excepted);
    }
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(domain) => below(domain),
        None => host == name || below(name),
    }
}

/// A host, and the port behind it.
fn split(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        let (name, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (name, port.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn of(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.of(&Url::parse(url).unwrap()).unwrap().map(|url| url.to_string())
    }

    #[test]
    fn by_scheme() {
        let proxies = Proxies { http: "p:3128".into(), https: "https://me:it@q".into(), none: String::new() };
        assert_eq!(of(&proxies, "http://reg.example/v2/").as_deref(), Some("http://p:3128/"));
        assert_eq!(of(&proxies, "https://reg.example/v2/").as_deref(), Some("https://me:it@q/"));
        for local in ["http://127.0.0.1:5000/", "https://localhost/", "http://[::1]:5/", "http://127.9.9.9/"] {
            assert_eq!(of(&proxies, local), None, "{local}");
        }
        assert_eq!(of(&Proxies::default(), "http://reg.example/"), None);
    }

    #[test]
    fn exceptions() {
        let meant = |none: &str, url: &str| {
            of(&Proxies { http: "p:1".into(), https: "p:1".into(), none: none.into() }, url).is_none()
        };
        for (none, url) in [
            ("*", "http://a.example/"),
            ("x, A.example ,", "http://a.example/"),
            ("example", "http://a.example/"),
            (".example", "http://a.example/"),
            ("*.example", "http://a.example/"),
            ("a.example:5000", "http://a.example:5000/"),
            ("a.example:443", "https://a.example/"),
            ("10.1.2.3", "http://10.1.2.3:5/"),
            ("10.1.2.3:5", "http://10.1.2.3:5/"),
            ("10.0.0.0/8", "https://10.1.2.3/"),
            ("fd00::1", "http://[fd00::1]:5/"),
            ("[fd00::1]:5", "http://[fd00::1]:5/"),
            ("fd00::/8", "http://[fd00::1]/"),
        ] {
            assert!(meant(none, url), "{none} {url}");
        }
        for (none, url) in [
            ("", "http://a.example/"),
            ("example", "http://anexample/"),
            (".example", "http://example/"),
            ("*.example", "http://example/"),
            ("a.example:5000", "http://a.example:5001/"),
            ("a.example:80", "https://a.example/"),
            ("10.1.2.3", "http://10.1.2.30/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("10.0.0.0/8", "http://ten.example/"),
            ("b.example", "http://a.example/"),
        ] {
            assert!(!meant(none, url), "{none} {url}");
        }
    }

    #[test]
    fn bad_addresses_are_told_without_their_password() {
        let url = Url::parse("http://reg.example/").unwrap();
        for (address, told) in [
            ("socks5://me:it@p:1", "invalid proxy address \"socks5://xxxxx:xxxxx@p:1\": it must be http://"),
            ("http://me:it@p:port", "invalid proxy address \"http://xxxxx:xxxxx@p:port\": "),
            ("http://", "invalid proxy address \"http://\""),
        ] {
            let proxies = Proxies { http: address.into(), ..Proxies::default() };
            let error = proxies.of(&url).unwrap_err().to_string();
            assert!(error.starts_with(told) && !error.contains("it@"), "{error}");
            assert!(Proxies::check(address).is_err());
        }
        assert_eq!(Proxies::check("me:it@p:3128"), Ok(()));
        assert_eq!(Proxies::masked("http://me:i@t@p:1/"), "http://xxxxx:xxxxx@p:1/");
        assert_eq!(Proxies::masked("p:1"), "p:1");
    }
}
