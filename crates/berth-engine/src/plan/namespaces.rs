//! Which namespaces a container has of its own, and which it shares with the host or another container.

use std::path::PathBuf;

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType};

use super::{Inputs, unbuildable};
use crate::Result;
use crate::host::HostFacts;
use crate::policy::Policy;
use crate::spec::{CgroupnsMode, ContainerSpec, IpcMode, IsolationSpec, NetworkMode, PidMode};
use crate::view::Paths;

/// What of other containers it shares, as paths that can be opened while it is started.
#[derive(Debug, Default)]
pub struct Joined {
    /// The namespace of System V objects and message queues.
    pub ipc: Option<PathBuf>,
    /// The mount namespace whose `/dev/shm` is its own too.
    pub shm: Option<PathBuf>,
    /// The namespace of processes.
    pub pid: Option<PathBuf>,
    /// The files of the container whose network it is in.
    pub files: Option<Paths>,
}

pub(super) fn of(inputs: Inputs<'_>) -> Result<Vec<LinuxNamespace>> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let (spec, joined) = (inputs.spec, inputs.joined);
    let mut all = vec![(Mount, None)];
    if !spec.isolation.uts_host {
        all.push((Uts, None));
    }
    if spec.isolation.pid != PidMode::Host {
        all.push((Pid, joined.pid.clone()));
    }
    if spec.isolation.ipc != IpcMode::Host {
        all.push((Ipc, joined.ipc.clone()));
    }
    if spec.network.mode != NetworkMode::Host {
        all.push((Network, None));
    }
    if cgroup(&spec.isolation, inputs.host, inputs.policy) == CgroupnsMode::Private && inputs.host.cgroup_namespaces {
        all.push((Cgroup, None));
    }
    let one = |(kind, path): (LinuxNamespaceType, Option<PathBuf>)| {
        let mut builder = LinuxNamespaceBuilder::default().typ(kind);
        if let Some(path) = path {
            builder = builder.path(path);
        }
        builder.build().map_err(unbuildable)
    };
    all.into_iter().map(one).collect()
}

/// Whose cgroups it sees: its own on v2, the host's on v1, where nothing else is said.
#[must_use]
pub fn cgroup(isolation: &IsolationSpec, host: &HostFacts, policy: &Policy) -> CgroupnsMode {
    match (isolation.cgroupns, policy.cgroupns) {
        (Some(asked), _) => asked,
        (None, _) if isolation.privileged && !host.cgroup_v2 => CgroupnsMode::Host,
        (None, Some(default)) => default,
        (None, None) if host.cgroup_v2 => CgroupnsMode::Private,
        (None, None) => CgroupnsMode::Host,
    }
}

/// What a container of another's network cannot have of its own.
///
/// # Errors
/// Docker's sentence about the first such thing.
pub fn validate(spec: &ContainerSpec) -> Result<()> {
    let network = &spec.network;
    let refuse = |text: &str| Err(crate::Error::Invalid(text.into()));
    if spec.isolation.uts_host && !spec.hostname.is_empty() {
        return refuse("conflicting options: hostname and the UTS mode");
    }
    if network.mode == NetworkMode::Host && network.mac_address.is_some() {
        return refuse("conflicting options: mac-address and the network mode");
    }
    let NetworkMode::Container(_) = network.mode else { return Ok(()) };
    let conflicts = [
        (!spec.hostname.is_empty(), "hostname and the network mode"),
        (!network.dns.is_empty(), "dns and the network mode"),
        (!network.extra_hosts.is_empty(), "custom host-to-IP mapping and the network mode"),
        (network.mac_address.is_some(), "mac-address and the network mode"),
        (!network.exposed_ports.is_empty(), "port exposing and the container type network mode"),
    ];
    match conflicts.iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => refuse(&format!("conflicting options: {what}")),
        None => Ok(()),
    }
}
