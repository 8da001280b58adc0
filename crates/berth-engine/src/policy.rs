//! What the daemon's configuration decides for containers that say nothing themselves.

use std::path::PathBuf;

use crate::spec::CgroupnsMode;

/// What the daemon decides for containers that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The filter of containers that name none (`--seccomp-profile`).
    pub seccomp: DefaultSeccomp,
    /// `--no-new-privileges`, for `info`: containers say it themselves by now.
    pub no_new_privileges: bool,
    /// `--default-cgroupns-mode`; `None`: private on cgroup v2, the host's on v1.
    pub cgroupns: Option<CgroupnsMode>,
    /// Another init than berth's own (`--init-path`).
    pub init_path: Option<PathBuf>,
    /// Cgroups are made by systemd (`--exec-opt native.cgroupdriver=systemd`).
    pub systemd_cgroups: bool,
    /// Where specifications of devices lie (`--cdi-spec-dir`).
    pub cdi_directories: Vec<PathBuf>,
}

/// `--seccomp-profile`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DefaultSeccomp {
    /// berth's own.
    #[default]
    Builtin,
    /// None.
    Unconfined,
    /// The text of a file, and the file's name for `info`.
    Profile {
        /// Its JSON.
        json: String,
        /// Its path.
        path: PathBuf,
    },
}
