//! From a container's specification to an OCI runtime specification: pure.
//!
//! [`plan`] takes everything that matters as values (what was asked, what the image says, facts of the host, the
//! user files of the root file system) and gives a [`Plan`]: the specification and the few steps that must be done on
//! the host first. It touches nothing itself; the container's task does the steps and hands the rest to the shim.
//! The defaults are Docker's.

pub mod capabilities;
pub mod cgroup;
pub mod devices;
pub mod effective;
pub mod mounts;
pub mod namespaces;
pub mod points;
pub mod process;
pub mod resources;
pub mod signals;
pub mod user;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxBuilder, RootBuilder, Spec, SpecBuilder};

use crate::host::HostFacts;
use crate::id::ContainerId;
use crate::policy::{DefaultSeccomp, Policy};
use crate::spec::{ContainerSpec, IsolationSpec, SeccompSpec};
use crate::view::{Effective, Paths};
use crate::{Error, Result};

/// Everything a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The container.
    pub id: &'a ContainerId,
    /// What was asked for.
    pub spec: &'a ContainerSpec,
    /// What that amounts to with the image's defaults.
    pub effective: &'a Effective,
    /// The host.
    pub host: &'a HostFacts,
    /// The container's files.
    pub paths: &'a Paths,
    /// The root file system's user database.
    pub users: &'a user::UserFiles,
    /// The devices asked for, as the host has them (all of the host's where privileged).
    pub devices: &'a [devices::HostDevice],
    /// The block devices whose use is limited.
    pub block: &'a resources::BlockLimits,
    /// What of other containers it shares.
    pub joined: &'a namespaces::Joined,
    /// Parent of the container's cgroup.
    pub cgroup_parent: &'a str,
    /// What the daemon decides.
    pub policy: &'a Policy,
    /// The program that `--init` puts into the container.
    pub init_program: &'a Path,
}

/// What is to be done, and the container's birth certificate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The OCI specification. Its seccomp section is left out: the filter is compiled apart, see [`Plan::seccomp`].
    pub oci: Spec,
    /// Directories that `-v` makes where they are missing.
    pub make_sources: Vec<PathBuf>,
    /// Sources that `--mount` wants to be there.
    pub need_sources: Vec<PathBuf>,
    /// Mounts whose source has to be opened beforehand, and goes along as a descriptor.
    pub opened: Vec<mounts::Opened>,
    /// The container's cgroup, below each hierarchy's root.
    pub cgroup: String,
    /// Which filter.
    pub seccomp: Seccomp,
}

/// Which seccomp filter the container gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    /// None.
    Unconfined,
    /// The default profile for these capabilities.
    Default(BTreeSet<String>),
    /// The user's profile (JSON) for these capabilities.
    Profile(String, BTreeSet<String>),
}

/// Makes the plan.
///
/// # Errors
/// What was asked for cannot be: Docker's sentence.
pub fn plan(inputs: Inputs<'_>) -> Result<Plan> {
    let Inputs { id, spec, .. } = inputs;
    let capabilities = capabilities::effective(&spec.isolation, inputs.host)?;
    let cgroup = cgroup::path(&spec.resources.cgroup_parent, inputs.cgroup_parent, id, inputs.policy.systemd_cgroups);
    let linux = LinuxBuilder::default()
        .namespaces(namespaces::of(inputs)?)
        .resources(resources::limits(inputs)?)
        .devices(devices::nodes(inputs.devices)?)
        .cgroups_path(PathBuf::from(&cgroup))
        .masked_paths(masked_paths(&spec.isolation).unwrap_or_default())
        .readonly_paths(readonly_paths(&spec.isolation).unwrap_or_default())
        .sysctl(spec.isolation.sysctls.clone().into_iter().collect::<std::collections::HashMap<_, _>>())
        .rootfs_propagation(mounts::root_propagation(&inputs.effective.mounts))
        .build()
        .map_err(unbuildable)?;
    let mut oci = SpecBuilder::default()
        .version("1.2.0")
        .root(
            RootBuilder::default()
                .path("rootfs")
                .readonly(spec.isolation.readonly_rootfs)
                .build()
                .map_err(unbuildable)?,
        )
        .process(process::main(inputs, &capabilities)?)
        .mounts(mounts::all(inputs)?)
        .linux(linux)
        .build()
        .map_err(unbuildable)?;
    // The specification's type has a name of its own where none is set.
    let named = !spec.isolation.uts_host;
    oci.set_hostname(named.then(|| inputs.effective.hostname.clone()));
    oci.set_domainname(Some(spec.domainname.clone()).filter(|name| named && !name.is_empty()));
    if !spec.annotations.is_empty() {
        oci.set_annotations(Some(spec.annotations.clone().into_iter().collect()));
    }
    let (make_sources, need_sources) = mounts::sources(&inputs.effective.mounts);
    let opened = mounts::opened(&inputs.effective.mounts);
    Ok(Plan { oci, make_sources, need_sources, opened, cgroup, seccomp: seccomp(inputs, capabilities) })
}

/// A value of ours that the specification's types refuse: a bug.
pub(crate) fn unbuildable(error: oci_spec::OciSpecError) -> Error {
    Error::Internal(format!("making the runtime specification: {error}"))
}

/// Paths that show or control the host beyond the container (Docker's list).
pub const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Paths that may be read but not written (Docker's list).
pub const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn chosen_paths(asked: Option<&Vec<String>>, privileged: bool, default: &[&str]) -> Option<Vec<String>> {
    match asked {
        Some(paths) => Some(paths.clone()),
        None if privileged => None,
        None => Some(default.iter().map(ToString::to_string).collect()),
    }
}

/// The paths replaced by nothing, as `inspect` shows them too; `None`: a privileged container has no list.
#[must_use]
pub fn masked_paths(isolation: &IsolationSpec) -> Option<Vec<String>> {
    chosen_paths(isolation.masked_paths.as_ref(), isolation.privileged, &MASKED_PATHS)
}

/// The paths made read-only, as `inspect` shows them too; `None`: a privileged container has no list.
#[must_use]
pub fn readonly_paths(isolation: &IsolationSpec) -> Option<Vec<String>> {
    chosen_paths(isolation.readonly_paths.as_ref(), isolation.privileged, &READONLY_PATHS)
}

fn seccomp(inputs: Inputs<'_>, capabilities: BTreeSet<String>) -> Seccomp {
    if !inputs.host.seccomp || inputs.spec.isolation.privileged {
        return Seccomp::Unconfined;
    }
    match (&inputs.spec.isolation.seccomp, &inputs.policy.seccomp) {
        (SeccompSpec::Unconfined, _) | (SeccompSpec::Default, DefaultSeccomp::Unconfined) => Seccomp::Unconfined,
        (SeccompSpec::Builtin, _) | (SeccompSpec::Default, DefaultSeccomp::Builtin) => Seccomp::Default(capabilities),
        (SeccompSpec::Profile(json), _) | (SeccompSpec::Default, DefaultSeccomp::Profile { json, .. }) => {
            Seccomp::Profile(json.clone(), capabilities)
        }
    }
}

#[cfg(test)]
mod tests;
