//! User namespaces' mappings: writing them for a newborn, and a namespace that exists for its mappings only.

use std::os::fd::OwnedFd;

use berth_sys::HostPid;
use berth_sys::clone::{Birth, Namespaces, clone_process};
use oci_spec::runtime::LinuxIdMapping;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::error::{At, LaunchError, Step};

/// Maps the ids of a process that has just been born into a new user namespace.
pub(crate) fn write(pid: HostPid, uids: &[LinuxIdMapping], gids: &[LinuxIdMapping]) -> Result<(), LaunchError> {
    write_one(pid, "uid_map", uids)?;
    write_one(pid, "gid_map", gids)
}

fn write_one(pid: HostPid, file: &str, maps: &[LinuxIdMapping]) -> Result<(), LaunchError> {
    let line = |map: &LinuxIdMapping| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size());
    let lines: String = maps.iter().map(line).collect();
    std::fs::write(format!("/proc/{pid}/{file}"), &lines)
        .at(Step::IdMap, || format!("({file}: {})", lines.trim_end().replace('\n', ", ")))
}

/// A user namespace with these mappings, for a mount with mapped ids.
pub(crate) fn user_namespace(uids: &[LinuxIdMapping], gids: &[LinuxIdMapping]) -> Result<OwnedFd, LaunchError> {
    let birth = Birth { namespaces: Namespaces::USER, ..Birth::default() };
    let waits = || {
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        loop {
            rustix::event::pause();
        }
    };
    let (pid, pidfd) = clone_process(&birth, waits).at(Step::Clone, || "for mapped ids")?;
    let namespace = write(pid, uids, gids)
        .and_then(|()| std::fs::File::open(format!("/proc/{pid}/ns/user")).at(Step::IdMap, || ""));
    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    let _ = waitid(WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)), WaitIdOptions::EXITED);
    namespace.map(OwnedFd::from)
}
