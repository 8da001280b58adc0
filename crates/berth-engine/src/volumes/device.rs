//! A volume that is itself a mount (tmpfs, a bound directory, NFS): mounted at the volume's own path on the host while
//! a container uses it, and no longer.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use berth_sys::mount::{Attributes, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, RDONLY, mount_setattr};
use berth_sys::mountinfo;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount};

use super::options::Device;
use crate::{Error, Result};

/// Who uses which mounted volume. The host's mount table is the truth after a restart; this is rebuilt from the
/// containers that run.
#[derive(Debug, Default)]
pub(super) struct Users(Mutex<HashMap<String, BTreeSet<String>>>);

impl Users {
    /// Adds a user; tells whether it is the first.
    pub(super) fn add(&self, volume: &str, user: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let users = all.entry(volume.to_owned()).or_default();
        users.insert(user.to_owned());
        users.len() == 1
    }

    /// Takes a user away; tells whether it was one, and the last.
    pub(super) fn remove(&self, volume: &str, user: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(users) = all.get_mut(volume) else { return false };
        if !users.remove(user) || !users.is_empty() {
            return false;
        }
        all.remove(volume);
        true
    }

    pub(super) fn any(&self, volume: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(volume)
    }
}

/// Mounts it at `path`.
pub(super) fn attach(device: &Device, path: &Path) -> Result<()> {
    let words = resolved(device).map_err(|why| failed(device, path, &why))?;
    let done = match Words::read(&words) {
        words if words.bind => bind(device, path, &words),
        words => file_system(device, path, &words),
    };
    done.map_err(|errno| failed(device, path, &super::reason(errno)))
}

fn failed(device: &Device, path: &Path, why: &str) -> Error {
    let (source, at) = (&device.source, path.display());
    let data = if device.words.is_empty() { String::new() } else { format!(", data: {}", device.shown()) };
    Error::Refused(format!(
        "error while mounting volume '{at}': failed to mount local volume: mount {source}:{at}{data}: {why}"
    ))
}

fn bind(device: &Device, path: &Path, words: &Words) -> Result<(), Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if words.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, device.source.as_str(), flags)?;
    if words.attributes != 0 {
        let change = Attributes { set: words.attributes, ..Attributes::default() };
        mount_setattr(tree.as_fd(), false, &change)?;
    }
    move_mount(&tree, c"", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn file_system(device: &Device, path: &Path, words: &Words) -> Result<(), Errno> {
    let data = CString::new(words.data.join(",")).map_err(|_| Errno::INVAL)?;
    mount(device.source.as_str(), path, device.kind.as_str(), words.flags, data.as_c_str())
}

/// The kernel wants an address where people write a host's name.
fn resolved(device: &Device) -> Result<Vec<String>, String> {
    let network = matches!(device.kind.as_str(), "nfs" | "nfs4" | "cifs" | "smb3");
    let address = |word: &String| match word.strip_prefix("addr=") {
        Some(host) if network && host.parse::<std::net::IpAddr>().is_err() => {
            let found = std::net::ToSocketAddrs::to_socket_addrs(&(host, 0)).ok().and_then(|mut found| found.next());
            found
                .map(|at| format!("addr={}", at.ip()))
                .ok_or_else(|| format!("error resolving passed in network volume address: {host}"))
        }
        _ => Ok(word.clone()),
    };
    device.words.iter().map(address).collect()
}

/// mount(8)'s words taken apart.
struct Words {
    bind: bool,
    recursive: bool,
    /// For a bind.
    attributes: u64,
    /// For a file system.
    flags: MountFlags,
    data: Vec<String>,
}

const FLAGS: [(&str, MountFlags, u64); 10] = [
    ("ro", MountFlags::RDONLY, RDONLY),
    ("nosuid", MountFlags::NOSUID, NOSUID),
    ("nodev", MountFlags::NODEV, NODEV),
    ("noexec", MountFlags::NOEXEC, NOEXEC),
    ("noatime", MountFlags::NOATIME, NOATIME),
    ("nodiratime", MountFlags::NODIRATIME, NODIRATIME),
    ("sync", MountFlags::SYNCHRONOUS, 0),
    ("dirsync", MountFlags::DIRSYNC, 0),
    ("lazytime", MountFlags::LAZYTIME, 0),
    ("relatime", MountFlags::RELATIME, 0),
];

/// What is so anyway.
const DEFAULTS: [&str; 9] = ["defaults", "rw", "suid", "dev", "exec", "async", "atime", "diratime", "norelatime"];

impl Words {
    fn read(words: &[String]) -> Self {
        let mut read =
            Self { bind: false, recursive: false, attributes: 0, flags: MountFlags::empty(), data: Vec::new() };
        for word in words {
            match (word.as_str(), FLAGS.iter().find(|(name, ..)| name == word)) {
                ("bind", _) => read.bind = true,
                ("rbind", _) => (read.bind, read.recursive) = (true, true),
                (_, Some((_, flag, attribute))) => {
                    read.flags |= *flag;
                    read.attributes |= attribute;
                }
                (word, None) if DEFAULTS.contains(&word) => {}
                (word, None) => read.data.push(word.to_owned()),
            }
        }
        read
    }
}

/// Takes everything mounted at or below `path` away. Who still has a file open there keeps it.
pub(super) fn detach(path: &Path) -> Result<()> {
    // Each round takes at least one away, so this ends.
    for _ in 0..1024 {
        let Some(last) = mounted(path)?.pop() else { return Ok(()) };
        let busy = unmount(&last, UnmountFlags::NOFOLLOW);
        let done = busy.or_else(|_| unmount(&last, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH));
        done.map_err(|errno| Error::Refused(format!("unmounting {}: {}", last.display(), super::reason(errno))))?;
    }
    Ok(())
}

/// What is mounted at or below `path`, in the order in which it was mounted.
pub(super) fn mounted(path: &Path) -> Result<Vec<PathBuf>> {
    // The table has real paths. A volume's own directory is never a link, and asking for it never hangs.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let table = mountinfo::read().map_err(Error::file("reading", mountinfo::OWN))?;
    Ok(table.into_iter().map(|mount| mount.point).filter(|point| point.starts_with(path)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_mount_s() {
        let words = |text: &str| Words::read(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let tmpfs = words("size=1m,uid=5,nosuid,ro,rw");
        assert_eq!((tmpfs.bind, tmpfs.data.join(",").as_str()), (false, "size=1m,uid=5"));
        assert!(tmpfs.flags.contains(MountFlags::NOSUID | MountFlags::RDONLY));
        let bind = words("rbind,ro");
        assert!(bind.bind && bind.recursive && bind.attributes == RDONLY && bind.data.is_empty());
    }

    #[test]
    fn the_last_user_unmounts() {
        let users = Users::default();
        assert!(users.add("v", "a") && !users.add("v", "b"));
        assert!(!users.remove("v", "a") && !users.remove("v", "a") && users.any("v"));
        assert!(users.remove("v", "b") && !users.any("v") && !users.remove("v", "b"));
    }
}
