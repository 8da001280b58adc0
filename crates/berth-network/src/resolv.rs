//! The text of a container's `/etc/resolv.conf`, as Docker makes it.
//!
//! Pure but for [`HostResolv::read`]. On the default bridge a container asks the host's own servers; one on a loopback
//! address cannot be reached from there and is replaced.

use std::io;
use std::path::Path;

/// The public servers Docker falls back to where the host names none that a container can reach.
pub const FALLBACK: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

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

/// The host's resolver configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostResolv {
    /// `/etc/resolv.conf` as it is; `None` where there is none.
    pub plain: Option<String>,
    /// What systemd-resolved itself asks (`/run/systemd/resolve/resolv.conf`), where it runs.
    pub systemd: Option<String>,
}

impl HostResolv {
    /// Reads both files below `root` (`/`, but for tests). Cheap: to be read anew at each start.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let _ = root;
        Ok(Self::default())
    }

    /// The text for a container in the host's network namespace: a plain copy, unless the user asked for something.
    #[must_use]
    pub fn for_host(&self, dns: DnsOptions<'_>) -> String {
        let _ = dns;
        String::new()
    }

    /// The text for a container in a namespace of its own (bridge or none, without IPv6).
    #[must_use]
    pub fn for_container(&self, dns: DnsOptions<'_>) -> String {
        let _ = dns;
        String::new()
    }
}
