//! In which form layers are kept: asked for, or else whatever this kernel does best.

use std::fs::{self, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;

use berth_archive::{Entry, Kind, Limits, Stream, Writer};
use berth_erofs::Image;
use rustix::fs::{AtFlags, statat};

use super::lower::Lower;
use super::mounts::mount_image;
use crate::room::is_full;
use crate::{Error, Result, snapshot};

/// A form of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Directories, under Docker's name for overlay over them.
    Overlay2,
    /// File-system images, mounted from their files.
    Erofs,
}

impl Driver {
    /// As it is written in flags and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlay2 => "overlay2",
            Self::Erofs => "erofs",
        }
    }

    /// By its name, or one of those that mean the same.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "overlay2" | "overlayfs" => Some(Self::Overlay2),
            "erofs" => Some(Self::Erofs),
            _ => None,
        }
    }
}

/// The form that new layers take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The form.
    pub driver: Driver,
    /// Why this one, for people.
    pub reason: String,
}

/// Chooses. `place`: where a file for trying may be made; `empty`: an empty directory; `has_images`: layers are mounted
/// from their files already.
pub(super) fn choose(
    asked: Option<Driver>,
    place: &Path,
    empty: &Path,
    has_images: &dyn Fn() -> bool,
) -> Result<Storage> {
    let storage = |driver, reason: &str| Ok(Storage { driver, reason: reason.to_owned() });
    match asked {
        Some(Driver::Overlay2) => storage(Driver::Overlay2, "asked for by storage-driver"),
        Some(Driver::Erofs) => match probe(place, empty) {
            Ok(()) => storage(Driver::Erofs, "asked for by storage-driver"),
            Err(error) if is_full(&error) && has_images() => storage(Driver::Erofs, "asked for by storage-driver"),
            Err(error) => Err(Error::NoErofs(error.to_string())),
        },
        None => match probe(place, empty) {
            Ok(()) => storage(Driver::Erofs, "this kernel mounts layers from files"),
            // The day on which the disk is full is none to change it.
            Err(error) if is_full(&error) && has_images() => {
                storage(Driver::Erofs, "layers are mounted from files already, and there is no room to try it again")
            }
            Err(error) => {
                tracing::info!(%error, "layers are kept as directories");
                Ok(Storage { driver: Driver::Overlay2, reason: format!("no EROFS here: {error}") })
            }
        },
    }
}

/// Does all that a container's start will do, with a layer of one file.
fn probe(place: &Path, empty: &Path) -> Result<()> {
    let path = place.join(format!("probe-{}", std::process::id()));
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let file = options.map_err(Error::file("making", &path))?;
    // It stays open as long as it is needed.
    fs::remove_file(&path).map_err(Error::file("removing", &path))?;
    let failed = |e: std::io::Error| Error::file("writing", &path)(e);
    let image = Image::write(&archive().map_err(failed)?[..], &file, Limits::default());
    let image = image.map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    image.seal(&file, [0xbe; 16]).map_err(failed)?;
    let mount = mount_image(file.as_fd()).map_err(Error::file("mounting", &path))?;
    let lowers = [Lower::mounted(path.clone(), mount), Lower::directory(empty.to_owned())];
    let root = snapshot::mount_readonly(&lowers)?;
    match statat(&root, "file", AtFlags::SYMLINK_NOFOLLOW).map_err(Error::file("reading", &path))?.st_mtime {
        1 => Ok(()),
        _ => Err(failed(std::io::Error::other("what was written is not what is read"))),
    }
}

fn archive() -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new(Stream(Vec::new()));
    writer.entry(&Entry {
        path: b"file".into(),
        link: Vec::new(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: (1, 0),
        device: (0, 0),
        size: 0,
        xattrs: Vec::new(),
    })?;
    writer.finish().map(|stream| stream.0)
}
