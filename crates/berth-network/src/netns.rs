//! Network namespaces: made by a thread that steps into a new one, leaves a socket and its settings there, and returns.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::netlink::Socket;
use crate::{Error, Result};

/// A network namespace to come back to.
#[derive(Debug)]
pub(crate) struct Home(OwnedFd);

impl Home {
    /// The calling thread's.
    pub(crate) fn here() -> Result<Self> {
        current().map(Self).map_err(|source| Error::Namespace { doing: "opening", source })
    }

    /// Moves the calling thread there.
    pub(crate) fn enter(&self) -> io::Result<()> {
        rustix::thread::move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    }
}

/// A new namespace, and a socket that configures it from outside.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) netns: OwnedFd,
    pub(crate) inside: Socket,
}

/// Makes a namespace with Docker's kernel parameters; its links are as the kernel makes them (`lo`, down).
///
/// The calling thread must be one of ours: should it fail to return to `home`, it is of no further use and the error
/// says so by [`Error::Namespace`] with "leaving".
pub(crate) fn make(home: &Home) -> Result<Fresh> {
    #[expect(deprecated, reason = "its safe form; unshare of a network namespace touches no memory or descriptors")]
    rustix::thread::unshare(UnshareFlags::NEWNET)
        .map_err(|errno| Error::Namespace { doing: "making", source: errno.into() })?;
    let made = furnish();
    home.enter().map_err(|source| Error::Namespace { doing: "leaving", source })?;
    made
}

fn furnish() -> Result<Fresh> {
    let netns = current().map_err(|source| Error::Namespace { doing: "opening", source })?;
    let inside = Socket::route().map_err(|source| Error::Namespace { doing: "opening a socket in", source })?;
    // Before a link is up, so that none ever has an IPv6 address.
    set("net/ipv6/conf/all/disable_ipv6", "1")?;
    set("net/ipv4/ip_unprivileged_port_start", "0")?;
    set("net/ipv4/ping_group_range", "0 2147483647")?;
    Ok(Fresh { netns, inside })
}

fn current() -> io::Result<OwnedFd> {
    fs::File::open("/proc/thread-self/ns/net").map(Into::into)
}

/// Sets a parameter of the calling thread's namespace; one this kernel does not have is left alone.
pub(crate) fn set(parameter: &str, value: &str) -> Result<()> {
    match fs::write(format!("/proc/sys/{parameter}"), value) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Parameter { parameter: parameter.to_owned(), source })
        }
        _ => Ok(()),
    }
}
