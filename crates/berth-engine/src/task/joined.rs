//! What a container shares with others (`--network`, `--ipc` and `--pid container:NAME`), held open while it starts.
//!
//! A namespace is reached through a process of the other container. That process may end at any moment and its number be
//! given to another, of the host even: what was opened counts only if the number still belonged to the container then.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::ground::Ground;
use crate::id::ContainerId;
use crate::plan::namespaces::Joined;
use crate::spec::{ContainerSpec, IpcMode, NetworkMode, PidMode};
use crate::view::ContainerView;
use crate::{Error, Result};

/// What is shared, open.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) joined: Joined,
    pub(super) network: Option<OwnedFd>,
    /// What the paths in `joined` lead to.
    open: Vec<OwnedFd>,
}

impl Held {
    /// Opens what `spec` asks for. Costs nothing where it asks for nothing.
    pub(super) fn of(ground: &Ground, id: &ContainerId, spec: &ContainerSpec) -> Result<Self> {
        let mut held = Self::default();
        if let NetworkMode::Container(key) = &spec.network.mode {
            let other = find(ground, key)?;
            if other.id == *id {
                return Err(Error::Invalid("cannot join own network".into()));
            }
            let network = open(&other, "net")?
                .ok_or_else(|| Error::State(format!("cannot join network of a non running container: {}", other.id)))?;
            held.network = Some(network);
            held.joined.files = Some(other.paths.clone());
        }
        if let PidMode::Container(key) = &spec.isolation.pid {
            let other = find(ground, key)?;
            let namespace = open(&other, "pid")?
                .ok_or_else(|| Error::State(format!("cannot join PID of a non running container: {}", other.id)))?;
            held.joined.pid = Some(held.keep(namespace));
        }
        if let IpcMode::Container(key) = &spec.isolation.ipc {
            held.join_ipc(&*find(ground, key)?)?;
        }
        Ok(held)
    }

    fn join_ipc(&mut self, other: &ContainerView) -> Result<()> {
        let refuse = |why: &str| Error::State(format!("can't join IPC of container {}: {why}", other.id));
        if !matches!(other.spec.isolation.ipc, IpcMode::Shareable | IpcMode::Host) {
            let hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)";
            return Err(refuse(hint));
        }
        let gone = || refuse(&format!("Container {} is not running", other.id));
        let ipc = open(other, "ipc")?.ok_or_else(gone)?;
        let mounts = open(other, "mnt")?.ok_or_else(gone)?;
        self.joined.ipc = Some(self.keep(ipc));
        self.joined.shm = Some(self.keep(mounts));
        Ok(())
    }

    /// A path at which a shim can open it as long as this lives.
    fn keep(&mut self, descriptor: OwnedFd) -> PathBuf {
        let path = format!("/proc/{}/fd/{}", std::process::id(), descriptor.as_raw_fd());
        self.open.push(descriptor);
        PathBuf::from(path)
    }
}

/// Whether what `spec` shares with other containers could be opened now.
pub(crate) fn can_join(ground: &Ground, id: &ContainerId, spec: &ContainerSpec) -> Result<()> {
    Held::of(ground, id, spec).map(drop)
}

fn find(ground: &Ground, key: &str) -> Result<Arc<ContainerView>> {
    Ok(ground.index().resolve(key)?.view())
}

/// A namespace of its init; `None`: it does not run.
fn open(other: &ContainerView, kind: &str) -> Result<Option<OwnedFd>> {
    let Some(pid) = other.state.pid() else { return Ok(None) };
    let path = format!("/proc/{}/ns/{kind}", pid.0);
    let namespace = match openat(CWD, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(namespace) => namespace,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(Error::file("opening", path)(errno.into())),
    };
    let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.0)).unwrap_or_default();
    Ok(cgroups.contains(other.id.as_str()).then_some(namespace))
}
