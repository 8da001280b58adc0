//! Which namespaces a container has of its own, and which it joins.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use berth_sys::clone::Namespaces;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{At, LaunchError, Step};

/// The namespaces of a container.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Made for it.
    pub(crate) new: Namespaces,
    /// Joined, in the order of joining; without the network namespace that [`crate::Launch`] names.
    pub(crate) join: Vec<(LinkNameSpaceType, OwnedFd)>,
}

impl Plan {
    /// Reads the specification's namespaces and opens those given by path.
    pub(crate) fn read(spec: &Spec, network_given: bool) -> Result<Self, LaunchError> {
        let mut plan = Self { new: Namespaces::default(), join: Vec::new() };
        let mut seen = Namespaces::default();
        for namespace in spec.linux().iter().flat_map(|linux| linux.namespaces().iter().flatten()) {
            let (flag, kind) = both(namespace.typ());
            if seen.contains(flag) {
                return Err(LaunchError::other(format!("the {:?} namespace is listed twice", namespace.typ())));
            }
            seen = seen.with(flag);
            if flag == Namespaces::NETWORK && network_given {
                continue;
            }
            match namespace.path().as_deref().filter(|path| !path.as_os_str().is_empty()) {
                Some(path) => plan.join.push((kind, open(path)?)),
                None => plan.new = plan.new.with(flag),
            }
        }
        Ok(plan)
    }

    /// Takes out the one of that kind.
    pub(crate) fn take(&mut self, kind: LinkNameSpaceType) -> Option<OwnedFd> {
        let position = self.join.iter().position(|(one, _)| *one == kind)?;
        Some(self.join.remove(position).1)
    }
}

fn both(kind: LinuxNamespaceType) -> (Namespaces, LinkNameSpaceType) {
    match kind {
        LinuxNamespaceType::Mount => (Namespaces::MOUNT, LinkNameSpaceType::Mount),
        LinuxNamespaceType::Cgroup => (Namespaces::CGROUP, LinkNameSpaceType::ControlGroup),
        LinuxNamespaceType::Uts => (Namespaces::UTS, LinkNameSpaceType::HostNameAndNISDomainName),
        LinuxNamespaceType::Ipc => (Namespaces::IPC, LinkNameSpaceType::InterProcessCommunication),
        LinuxNamespaceType::User => (Namespaces::USER, LinkNameSpaceType::User),
        LinuxNamespaceType::Pid => (Namespaces::PID, LinkNameSpaceType::ProcessID),
        LinuxNamespaceType::Network => (Namespaces::NETWORK, LinkNameSpaceType::Network),
        LinuxNamespaceType::Time => (Namespaces::TIME, LinkNameSpaceType::Time),
    }
}

/// Opens a namespace's file.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, LaunchError> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Step::JoinNamespace, || path.display().to_string())
}

/// Joins one.
pub(crate) fn enter(kind: LinkNameSpaceType, namespace: BorrowedFd<'_>) -> Result<(), LaunchError> {
    move_into_link_name_space(namespace, Some(kind)).at(Step::JoinNamespace, || format!("{kind:?}"))
}

/// Joins all that can be joined now; what the caller lacks the right for comes back, for a try in the user namespace.
pub(crate) fn enter_allowed(
    join: Vec<(LinkNameSpaceType, OwnedFd)>,
) -> Result<Vec<(LinkNameSpaceType, OwnedFd)>, LaunchError> {
    let mut later = Vec::new();
    for (kind, namespace) in join {
        match move_into_link_name_space(namespace.as_fd(), Some(kind)) {
            Ok(()) => {}
            Err(Errno::PERM) => later.push((kind, namespace)),
            Err(errno) => return Err(LaunchError::new(Step::JoinNamespace, format!("{kind:?}"), errno)),
        }
    }
    Ok(later)
}

/// Makes namespaces that must be made after birth: cgroup (its root is where one is by then) and time.
pub(crate) fn make_late(namespaces: Namespaces, name: &str) -> Result<(), LaunchError> {
    berth_sys::clone::unshare(namespaces).at(Step::NewNamespace, || name)
}

/// While it lives, the caller is in other namespaces (of the pid namespace: its children are born there).
#[derive(Debug)]
pub(crate) struct Elsewhere {
    own: Vec<(LinkNameSpaceType, OwnedFd)>,
}

impl Elsewhere {
    pub(crate) fn enter(namespaces: &[(LinkNameSpaceType, OwnedFd)]) -> Result<Self, LaunchError> {
        let mut elsewhere = Self { own: Vec::with_capacity(namespaces.len()) };
        for (kind, namespace) in namespaces {
            let own = open(Path::new(own_file(*kind)))?;
            enter(*kind, namespace.as_fd())?;
            elsewhere.own.push((*kind, own));
        }
        Ok(elsewhere)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        for (kind, namespace) in self.own.iter().rev() {
            // Going back to where one came from needs no more than coming here did.
            let _ = enter(*kind, namespace.as_fd());
        }
    }
}

fn own_file(kind: LinkNameSpaceType) -> &'static str {
    match kind {
        LinkNameSpaceType::Mount => "/proc/self/ns/mnt",
        LinkNameSpaceType::ControlGroup => "/proc/self/ns/cgroup",
        LinkNameSpaceType::HostNameAndNISDomainName => "/proc/self/ns/uts",
        LinkNameSpaceType::InterProcessCommunication => "/proc/self/ns/ipc",
        LinkNameSpaceType::User => "/proc/self/ns/user",
        LinkNameSpaceType::ProcessID => "/proc/self/ns/pid",
        LinkNameSpaceType::Network => "/proc/self/ns/net",
        LinkNameSpaceType::Time => "/proc/self/ns/time",
    }
}
