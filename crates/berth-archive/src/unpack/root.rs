//! The directory being filled, and where paths below it lead.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2, readlinkat};
use rustix::io::Errno;

/// How often the kernel may ask to be asked again.
const ATTEMPTS: usize = 10_000;

/// Links on the way to one place, as with the kernel.
const MAX_LINKS: usize = 40;

/// A directory that no path leads out of.
pub(super) struct Root(OwnedFd);

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Root {
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self(directory)
    }

    /// Opens a directory; symbolic links on the way lead where they would lead inside the image.
    pub(super) fn directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(path, ResolveFlags::NO_MAGICLINKS)
    }

    /// Opens the directory that lies at this very path, without any link.
    pub(super) fn exactly(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(path, ResolveFlags::NO_SYMLINKS)
    }

    /// As [`Self::directory`], and the path that leads there without any link.
    pub(super) fn real(&self, path: &[u8]) -> Result<(OwnedFd, Vec<u8>), Errno> {
        match self.exactly(path) {
            Err(Errno::LOOP) => Ok((self.directory(path)?, self.followed(path)?)),
            opened => opened.map(|opened| (opened, path.to_vec())),
        }
    }

    fn open(&self, path: &[u8], how: ResolveFlags) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = if path.is_empty() { b"." } else { path };
        // A rename elsewhere on the host made the kernel unsure; it asks to be asked again. Not for ever: a container
        // may rename things all the time.
        for _ in 0..ATTEMPTS {
            match openat2(&self.0, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | how) {
                Err(Errno::AGAIN) => {}
                opened => return opened,
            }
        }
        Err(Errno::AGAIN)
    }

    fn followed(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut left = parts(path);
        let mut real = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            match &part[..] {
                b"" | b"." => continue,
                b".." => {
                    real.truncate(real.iter().rposition(|&b| b == b'/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let here = below(&real, &part);
            match readlinkat(&self.0, &here[..], Vec::new()) {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let target = target.as_bytes();
                    if target.starts_with(b"/") {
                        real.clear();
                    }
                    left.extend(parts(target));
                }
                // No link.
                Err(Errno::INVAL) => real = here,
                Err(e) => return Err(e),
            }
        }
        Ok(real)
    }
}

/// A name in a directory.
pub(super) fn below(directory: &[u8], base: &[u8]) -> Vec<u8> {
    match directory.is_empty() {
        true => base.to_vec(),
        false => [directory, base].join(&b'/'),
    }
}

/// A path's components, the last first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&b| b == b'/').rev().map(<[u8]>::to_vec).collect()
}
