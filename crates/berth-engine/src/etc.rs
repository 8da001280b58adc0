//! `/etc` of a container: the files it is given, and the ones read from its root file system.

use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use berth_network::files::{ExtraHost, hostname, hosts, hosts_of_host};
use berth_network::resolv::{DnsOptions, HostResolv};
use berth_network::{Endpoint, Networks};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::plan::user::UserFiles;
use crate::spec::{ContainerSpec, NetworkMode};
use crate::view::{Effective, Paths};
use crate::{Error, Result};

/// More than this of a `passwd` is an attack on the daemon's memory.
const LONGEST: u64 = 4 << 20;

/// Reads the user database below `root`; no link leads out of it.
pub(crate) fn user_files(root: impl AsFd) -> Result<UserFiles> {
    let passwd =
        read_within(root.as_fd(), "etc/passwd").map_err(Error::file("reading the container's", "/etc/passwd"))?;
    let group = read_within(root.as_fd(), "etc/group").map_err(Error::file("reading the container's", "/etc/group"))?;
    Ok(UserFiles { passwd, group })
}

/// The root of a running container, as its processes see it.
pub(crate) fn root_of(pid: i32) -> io::Result<OwnedFd> {
    let path = format!("/proc/{pid}/root");
    Ok(openat(CWD, path.as_str(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn read_within(root: impl AsFd, path: &str) -> io::Result<String> {
    // Not a device, and not a pipe that never ends: O_NONBLOCK lets the type be looked at first.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(file) => fs::File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
        Err(errno) => return Err(errno.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes `hosts`, `hostname` and `resolv.conf` as they are to be for this start.
pub(crate) fn write(
    paths: &Paths,
    spec: &ContainerSpec,
    effective: &Effective,
    endpoint: Option<&Endpoint>,
    networks: &Networks,
) -> Result<()> {
    if matches!(spec.network.mode, NetworkMode::Container(_)) {
        // It has the other container's files.
        return Ok(());
    }
    let on_host = spec.network.mode == NetworkMode::Host;
    let wants_gateway = spec.network.extra_hosts.iter().any(|h| h.ends_with("host-gateway"));
    let gateway = match endpoint {
        Some(endpoint) => Some(IpAddr::V4(endpoint.gateway)),
        None if wants_gateway => Some(IpAddr::V4(networks.bridge()?.gateway)),
        None => None,
    };
    let extra = extra_hosts(spec, gateway)?;
    let hosts_text = if on_host {
        hosts_of_host(fs::read_to_string("/etc/hosts").ok().as_deref(), &extra)
    } else {
        hosts(&extra, endpoint.map(|e| e.address), &effective.hostname, &spec.domainname)
    };
    let (own, usual) = (&spec.network, networks.resolver());
    let dns = DnsOptions {
        servers: or(&own.dns, &usual.servers),
        search: or(&own.dns_search, &usual.search),
        options: or(&own.dns_options, &usual.options),
    };
    let host = HostResolv::read(Path::new("/")).map_err(Error::file("reading the host's", "/etc/resolv.conf"))?;
    let resolv = if on_host { host.for_host(dns) } else { host.for_container(dns) };
    put(&paths.hosts, &hosts_text)?;
    put(&paths.hostname, &hostname(&effective.hostname))?;
    put(&paths.resolv_conf, &resolv)
}

fn or<'a>(own: &'a [String], usual: &'a [String]) -> &'a [String] {
    if own.is_empty() { usual } else { own }
}

fn put(path: &Path, text: &str) -> Result<()> {
    // Written in place: a file that is mounted somewhere must stay the same file.
    fs::write(path, text).map_err(Error::file("writing", path))
}

/// `--add-host`, parsed.
pub(crate) fn extra_hosts(spec: &ContainerSpec, gateway: Option<IpAddr>) -> Result<Vec<ExtraHost>> {
    let one = |text: &String| ExtraHost::parse(text, gateway).map_err(|e| Error::Invalid(e.to_string()));
    spec.network.extra_hosts.iter().map(one).collect()
}
