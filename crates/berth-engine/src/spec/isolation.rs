//! What separates a container from its host, as asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What separates the container from its host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IsolationSpec {
    /// Every capability the host's root has, no seccomp, all devices, writable `/sys`.
    pub privileged: bool,
    /// `CAP_X`, `X` or `ALL`, as the user wrote them.
    pub cap_add: Vec<String>,
    /// As `cap_add`.
    pub cap_drop: Vec<String>,
    /// The root file system is read-only.
    pub readonly_rootfs: bool,
    /// Which seccomp filter applies.
    pub seccomp: SeccompSpec,
    /// `no-new-privileges`.
    pub no_new_privileges: bool,
    /// AppArmor profile asked for; `None`: the default where the host has AppArmor.
    pub apparmor: Option<String>,
    /// `label=…` options, kept for inspect.
    pub labels: Vec<String>,
    /// Paths replaced by nothing; `None`: Docker's list.
    pub masked_paths: Option<Vec<String>>,
    /// Paths made read-only; `None`: Docker's list.
    pub readonly_paths: Option<Vec<String>>,
    /// A small init of ours as pid 1 (`--init`).
    pub init: bool,
    /// Supplementary groups.
    pub group_add: Vec<String>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Whose processes it sees.
    pub pid: PidMode,
    /// Whose System V objects, message queues and `/dev/shm` it has.
    pub ipc: IpcMode,
    /// It shares the host's name (`--uts host`).
    pub uts_host: bool,
    /// It said `--userns host`; there is no other mode so far.
    pub userns_host: bool,
    /// Whose cgroups it sees; `None`: what the daemon and the host say, decided at create.
    pub cgroupns: Option<CgroupnsMode>,
    /// Its own cgroups are writable to it (`--security-opt writable-cgroups`).
    pub writable_cgroups: bool,
}

/// `--security-opt seccomp=…`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum SeccompSpec {
    /// The daemon's profile (unless privileged).
    #[default]
    Default,
    /// berth's own profile, whatever the daemon's is.
    Builtin,
    /// No filter.
    Unconfined,
    /// A profile's JSON text, as the client read it from a file.
    Profile(String),
}

/// `--pid`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PidMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// Another container's: its id, or what the user wrote where no such container was found at create.
    Container(String),
}

/// `--ipc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpcMode {
    /// Its own, and nobody else's.
    #[default]
    Private,
    /// Its own, without `/dev/shm`.
    None,
    /// Its own, and of those that ask for it.
    Shareable,
    /// The host's.
    Host,
    /// Another container's, as in [`PidMode::Container`].
    Container(String),
}

/// `--cgroupns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupnsMode {
    /// Its own cgroup is the root of what it sees.
    Private,
    /// The host's whole tree.
    Host,
}
