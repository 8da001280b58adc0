//! Where a registry is asked: schemes, mirrors, and what is known to be insecure.

use std::net::IpAddr;

use crate::Config;
use crate::trust::{Certificates, Trust};

/// Docker Hub's registry is not at Docker Hub's name.
const HUB: &str = "registry-1.docker.io";

/// One place to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) scheme: &'static str,
    /// `host[:port]`.
    pub(crate) host: String,
    /// What mirrors have before `/v2`; empty, or with a leading slash.
    pub(crate) prefix: String,
    pub(crate) trust: Trust,
    /// A mirror: gets no credentials, and whatever it fails at, the next is asked.
    pub(crate) mirror: bool,
    /// One of two schemes of which the other may be right.
    pub(crate) alternative: bool,
}

impl Endpoint {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{}/v2/{path}", self.scheme, self.host, self.prefix)
    }
}

/// Where to ask for the images of a registry, in this order.
pub(crate) fn endpoints(domain: &str, config: &Config) -> Vec<Endpoint> {
    let mirrors = config.mirrors.get(domain).into_iter().flatten();
    let mut all: Vec<Endpoint> = mirrors.filter_map(|text| mirror(text, config)).collect();
    let host = if domain == berth_oci::DEFAULT_DOMAIN { HUB } else { domain };
    let own = endpoint(host, config);
    let both = |first, second| [first, second].map(|scheme| Endpoint { scheme, alternative: true, ..own.clone() });
    match () {
        // Nobody listens between us and ourselves: the simpler scheme first.
        () if own.trust.local => all.extend(both("http", "https")),
        () if own.trust.anybody => all.extend(both("https", "http")),
        () => all.push(own),
    }
    all
}

fn endpoint(host: &str, config: &Config) -> Endpoint {
    let local = is_local(host);
    let anybody = local || is_insecure(host, &config.insecure);
    let certificates = Certificates::read(&config.certificates, host);
    Endpoint {
        scheme: "https",
        host: host.to_owned(),
        prefix: String::new(),
        trust: Trust { anybody, local, certificates },
        mirror: false,
        alternative: false,
    }
}

fn mirror(url: &str, config: &Config) -> Option<Endpoint> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => ("http", rest),
        Some(("https", rest)) => ("https", rest),
        _ => {
            tracing::warn!(mirror = url, "not a mirror's address: it begins with neither http:// nor https://");
            return None;
        }
    };
    let rest = rest.trim_end_matches('/');
    let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(Endpoint { scheme, prefix: prefix.to_owned(), mirror: true, ..endpoint(host, config) })
}

fn without_port(domain: &str) -> &str {
    match domain.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => domain.split(':').next().unwrap_or_default(),
    }
}

fn is_local(domain: &str) -> bool {
    let host = without_port(domain);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

fn is_insecure(domain: &str, insecure: &[String]) -> bool {
    let host = without_port(domain);
    let address: Option<IpAddr> = host.parse().ok();
    insecure.iter().any(|entry| {
        let entry = entry.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
        entry == domain || entry == host || address.is_some_and(|a| in_network(a, entry))
    })
}

pub(crate) fn in_network(address: IpAddr, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return false };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let wide = |a: IpAddr| match a {
        IpAddr::V4(a) => (u128::from(a.to_bits()) << 96, 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    };
    let ((address, width), (base, base_width)) = (wide(address), wide(base));
    if width != base_width || bits > width {
        return false;
    }
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    address & mask == base & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(domain: &str, config: &Config) -> Vec<String> {
        endpoints(domain, config).iter().map(|e| e.url("x")).collect()
    }

    #[test]
    fn schemes_follow_trust() {
        let config = Config {
            mirrors: [
                ("docker.io".into(), vec!["https://m.example/hub/".into(), "http://127.0.0.1:1".into(), "m".into()]),
                ("gcr.io".into(), vec!["https://m.example/gcr".into()]),
            ]
            .into(),
            insecure: vec!["10.0.0.0/8".into(), "reg.example:5000".into()],
            ..Config::default()
        };
        let hub = ["https://m.example/hub/v2/x", "http://127.0.0.1:1/v2/x", "https://registry-1.docker.io/v2/x"];
        assert_eq!(urls("docker.io", &config), hub);
        assert_eq!(urls("gcr.io", &config), ["https://m.example/gcr/v2/x", "https://gcr.io/v2/x"]);
        for local in ["127.0.0.1:5000", "127.9.9.9", "localhost:1", "[::1]:5000"] {
            assert_eq!(urls(local, &config)[0], format!("http://{local}/v2/x"));
        }
        for insecure in ["10.1.2.3:5000", "reg.example:5000"] {
            assert_eq!(urls(insecure, &config)[1], format!("http://{insecure}/v2/x"));
        }
        assert_eq!(urls("11.1.2.3", &config).len(), 1);
        assert_eq!(urls("reg.example", &config).len(), 1);
    }
}
