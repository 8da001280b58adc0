//! Seccomp notifications: the filter's listener goes to the agent at `listenerPath`, with the container's state.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, sendmsg, socket_with,
};

use berth_seccomp::Filter;
use oci_spec::runtime::Spec;

use crate::error::{At, LaunchError, Step};

/// Connects to the agent, while its path can be seen.
fn connect_agent(path: &Path) -> Result<OwnedFd, LaunchError> {
    let said = || format!("listener {}", path.display());
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).at(Step::Seccomp, said)?;
    let address = SocketAddrUnix::new(path).at(Step::Seccomp, said)?;
    connect(&socket, &address).at(Step::Seccomp, said)?;
    Ok(socket)
}

/// Connects to the agent of a profile that notifies; the second part is the container process state it is told.
pub(crate) fn prepare(
    spec: &Spec,
    filter: Option<&Filter>,
    state: &dyn Fn() -> Vec<u8>,
) -> Result<Option<(OwnedFd, Vec<u8>)>, LaunchError> {
    let profile = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let (Some(profile), true) = (profile, filter.is_some_and(Filter::notifies)) else { return Ok(None) };
    let path = profile
        .listener_path()
        .as_ref()
        .ok_or_else(|| LaunchError::other("a seccomp profile that notifies needs linux.seccomp.listenerPath"))?;
    let state: serde_json::Value = serde_json::from_slice(&state()).unwrap_or_default();
    let message = serde_json::json!({
        "ociVersion": spec.version(),
        "fds": ["seccompFd"],
        "pid": state["pid"],
        "metadata": profile.listener_metadata(),
        "state": state,
    });
    Ok(Some((connect_agent(path)?, message.to_string().into_bytes())))
}

/// Sends the container process state with the listener. The filter is in force by now and must allow `sendmsg`.
pub(crate) fn hand_over(agent: BorrowedFd<'_>, state: &[u8], listener: BorrowedFd<'_>) -> Result<(), LaunchError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [listener];
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(agent, &[IoSlice::new(state)], &mut control, SendFlags::NOSIGNAL)
        .map(drop)
        .at(Step::Seccomp, || "(handing over its listener)")
}
