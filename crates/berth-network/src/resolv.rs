//! The text of a container's `/etc/resolv.conf`, as Docker makes it.
//!
//! Pure but for [`HostResolv::read`]. On the default bridge a container asks the host's own servers; one on a loopback
//! address cannot be reached from there and is replaced. Format: resolv.conf(5).

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// The public servers Docker falls back to where the host names none that a container can reach.
pub const FALLBACK: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// Where systemd-resolved listens. A host that names it alone has its real servers in another file.
const STUB: &str = "127.0.0.53";

/// What the user asked for. Each list replaces the host's where it is not empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct DnsOptions<'a> {
    /// `--dns`
    pub servers: &'a [String],
    /// `--dns-search`; a single `.` clears the list.
    pub search: &'a [String],
    /// `--dns-option`
    pub options: &'a [String],
}

impl DnsOptions<'_> {
    fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.search.is_empty() && self.options.is_empty()
    }
}

/// The host's resolver configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostResolv {
    /// `/etc/resolv.conf` as it is; `None` where there is none.
    pub plain: Option<String>,
    /// What systemd-resolved itself asks (`/run/systemd/resolve/resolv.conf`), where it runs.
    pub systemd: Option<String>,
}

impl HostResolv {
    /// Reads both files below `root` (`/`, but for tests). Cheap: to be read anew at each start. Bytes that are not
    /// UTF-8 are replaced.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        Ok(Self {
            plain: read_optional(&root.join("etc/resolv.conf"))?,
            systemd: read_optional(&root.join("run/systemd/resolve/resolv.conf"))?,
        })
    }

    /// The text for a container in the host's network namespace: a plain copy, unless the user asked for something.
    /// Loopback servers stay: the container reaches them.
    #[must_use]
    pub fn for_host(&self, dns: DnsOptions<'_>) -> String {
        let host = self.plain.as_deref().unwrap_or_default();
        if dns.is_empty() { host.to_owned() } else { build(&Parsed::of(host), dns) }
    }

    /// The text for a container in a namespace of its own (bridge or none, without IPv6): without servers it cannot
    /// reach, be it on a loopback address or by IPv6, and with [`FALLBACK`] where none remains. What the host's file
    /// says otherwise is kept, comments included; servers the user names are taken as they are.
    #[must_use]
    pub fn for_container(&self, dns: DnsOptions<'_>) -> String {
        let host = self.upstream();
        if dns.is_empty() { filter(host) } else { build(&Parsed::of(&filter(host)), dns) }
    }

    /// The file that names real servers.
    fn upstream(&self) -> &str {
        let plain = self.plain.as_deref().unwrap_or_default();
        match &self.systemd {
            Some(systemd) if Parsed::of(plain).servers == [STUB] => systemd,
            _ => plain,
        }
    }
}

fn read_optional(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        // A dangling link where systemd-resolved is installed and not running is no file, too.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a resolv.conf says; of `search` and `domain` the last line counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed<'a> {
    servers: Vec<&'a str>,
    search: Vec<&'a str>,
    options: Vec<&'a str>,
}

impl<'a> Parsed<'a> {
    fn of(text: &'a str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split(['#', ';']).next().unwrap_or_default().split_whitespace();
            match words.next() {
                Some("nameserver") => parsed.servers.extend(words.next()),
                Some("search" | "domain") => parsed.search = words.collect(),
                Some("options") => parsed.options.extend(words),
                _ => {}
            }
        }
        parsed
    }
}

/// The host's text without servers that cannot be reached, line by line.
fn filter(host: &str) -> String {
    let mut text: String = host.split_inclusive('\n').filter(|line| server(line).is_none_or(reachable)).collect();
    if Parsed::of(&text).servers.is_empty() {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for server in FALLBACK {
            let _ = writeln!(text, "nameserver {server}");
        }
    }
    text
}

fn server(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    (words.next() == Some("nameserver")).then(|| words.next().unwrap_or_default())
}

fn reachable(server: &str) -> bool {
    // A scope names a link of the host's: fe80::1%eth0.
    let address = server.split('%').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4() && !address.is_loopback())
}

/// A text made anew: the user's word where there is one, the host's otherwise.
fn build(host: &Parsed<'_>, dns: DnsOptions<'_>) -> String {
    fn or<'a>(asked: &'a [String], host: &'a [&'a str]) -> Vec<&'a str> {
        if asked.is_empty() { host.to_vec() } else { asked.iter().map(String::as_str).collect() }
    }
    let mut text = String::new();
    let search = or(dns.search, &host.search).join(" ");
    if !matches!(search.trim(), "" | ".") {
        let _ = writeln!(text, "search {search}");
    }
    for address in or(dns.servers, &host.servers) {
        let _ = writeln!(text, "nameserver {address}");
    }
    let options = or(dns.options, &host.options).join(" ");
    if !options.trim().is_empty() {
        let _ = writeln!(text, "options {options}");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(plain: &str) -> HostResolv {
        HostResolv { plain: Some(plain.into()), systemd: None }
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn reachable_servers_are_copied_with_everything_else() {
        let text = "# kept\nsearch lan\nnameserver 10.0.0.53\noptions ndots:2\n";
        assert_eq!(host(text).for_container(DnsOptions::default()), text);
        assert_eq!(host(text).for_host(DnsOptions::default()), text);
    }

    #[test]
    fn loopback_and_ipv6_servers_go() {
        let text = "nameserver 127.0.0.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n\
                    nameserver 10.0.0.53\nsearch lan";
        assert_eq!(host(text).for_container(DnsOptions::default()), "nameserver 10.0.0.53\nsearch lan");
        assert_eq!(host(text).for_host(DnsOptions::default()), text);
    }

    #[test]
    fn public_servers_where_none_remains() {
        let fallback = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
        assert_eq!(HostResolv::default().for_container(DnsOptions::default()), fallback);
        assert_eq!(host("nameserver 127.0.0.1").for_container(DnsOptions::default()), fallback);
        assert_eq!(host("search lan").for_container(DnsOptions::default()), format!("search lan\n{fallback}"));
        assert_eq!(HostResolv::default().for_host(DnsOptions::default()), "");
    }

    #[test]
    fn systemds_stub_is_replaced_by_what_it_asks() {
        let systemd = Some("nameserver 192.0.2.53\nsearch lan\n".to_owned());
        let stub =
            HostResolv { plain: Some("nameserver 127.0.0.53\noptions edns0\n".into()), systemd: systemd.clone() };
        assert_eq!(stub.for_container(DnsOptions::default()), "nameserver 192.0.2.53\nsearch lan\n");
        assert_eq!(stub.for_host(DnsOptions::default()), "nameserver 127.0.0.53\noptions edns0\n");
        let other = HostResolv { plain: Some("nameserver 10.0.0.1\n".into()), systemd };
        assert_eq!(other.for_container(DnsOptions::default()), "nameserver 10.0.0.1\n");
    }

    #[test]
    fn the_users_word_replaces_the_hosts_list_by_list() {
        let text = "search lan corp\nnameserver 127.0.0.1\nnameserver 10.0.0.53\noptions ndots:2\n";
        let (servers, search, options) = (list(&["127.0.0.1", "fd00::53"]), list(&["example.org"]), list(&["rotate"]));
        let all = DnsOptions { servers: &servers, search: &search, options: &options };
        let expected = "search example.org\nnameserver 127.0.0.1\nnameserver fd00::53\noptions rotate\n";
        assert_eq!(host(text).for_container(all), expected);
        let only = DnsOptions { search: &search, ..DnsOptions::default() };
        assert_eq!(
            host(text).for_container(only),
            "search example.org\nnameserver 10.0.0.53\noptions ndots:2\n",
            "the host's other lists, still without what cannot be reached"
        );
        let dot = list(&["."]);
        let none = DnsOptions { search: &dot, ..DnsOptions::default() };
        assert_eq!(host(text).for_container(none), "nameserver 10.0.0.53\noptions ndots:2\n");
        assert!(host(text).for_host(none).contains("nameserver 127.0.0.1\n"));
    }

    proptest! {
        #[test]
        fn there_is_always_a_server_and_never_an_unreachable_one(text in "(nameserver [0-9a-f:.]{1,12}|search a|#x|\n|[ \t]){0,12}") {
            let result = host(&text).for_container(DnsOptions::default());
            let servers = Parsed::of(&result).servers;
            prop_assert!(!servers.is_empty());
            prop_assert!(servers.iter().all(|s| reachable(s)), "{servers:?}");
        }
    }
}
