//! In which form layers are kept: asked for, or else whatever this kernel does best.

use std::fs::{self, OpenOptions};
use std::path::Path;

use berth_archive::{Entry, Kind, Limits, Stream, Writer};
use berth_erofs::{Identity, Image};
use rustix::fs::{AtFlags, statat};

use super::apart::Apart;
use super::lower::Lower;
use super::mounts::Mounts;
use super::{EMPTY, INCOMING, MOUNTED};
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

/// Chooses, for the layers in `root`. `has_images`: some of them are images already.
pub(super) fn choose(asked: Option<Driver>, root: &Path, has_images: &dyn Fn() -> bool) -> Result<(Storage, Mounts)> {
    let storage = |driver, reason: &str| Storage { driver, reason: reason.to_owned() };
    let by_request = |driver| storage(driver, "asked for by storage-driver");
    if asked == Some(Driver::Overlay2) {
        let mounts =
            if has_images() { find(root).map(|(mounts, _)| mounts).unwrap_or_default() } else { Mounts::default() };
        return Ok((by_request(Driver::Overlay2), mounts));
    }
    let (found, full) = match find(root) {
        // The day on which the disk is full is none to change the form.
        Err(error) if is_full(&error) && has_images() => (attached(root).map(|mounts| (mounts, "")), true),
        found => (found, false),
    };
    match (found, asked) {
        (Ok((mounts, _)), Some(driver)) => Ok((by_request(driver), mounts)),
        (Ok((mounts, _)), None) if full => {
            let reason = "layers are mounted from files already, and there is no room to try it again";
            Ok((storage(Driver::Erofs, reason), mounts))
        }
        (Ok((mounts, reason)), None) => Ok((storage(Driver::Erofs, reason), mounts)),
        (Err(error), Some(_)) => Err(Error::NoErofs(error.to_string())),
        (Err(error), None) => {
            tracing::info!(%error, "layers are kept as directories");
            Ok((storage(Driver::Overlay2, &format!("no EROFS here: {error}")), Mounts::default()))
        }
    }
}

/// How this kernel mounts layers so that overlays can stand on them, and what to call that.
fn find(root: &Path) -> Result<(Mounts, &'static str)> {
    let detached = Mounts::default();
    match probe(root, &detached) {
        Ok(()) => return Ok((detached, "this kernel mounts layers from files")),
        Err(error) if is_full(&error) => return Err(error),
        Err(error) => tracing::debug!(%error, "no overlay over layers that are attached nowhere"),
    }
    let attached = attached(root)?;
    probe(root, &attached)?;
    Ok((attached, "this kernel mounts layers from files, in a namespace of their own"))
}

/// What every kernel takes.
fn attached(root: &Path) -> Result<Mounts> {
    let place = root.join(MOUNTED);
    fs::create_dir_all(&place).map_err(Error::file("making", &place))?;
    Apart::begin(&place).map(Mounts::attached).map_err(Error::file("making a mount namespace for", &place))
}

/// Does all that a container's start will do, with a layer of one file.
fn probe(root: &Path, mounts: &Mounts) -> Result<()> {
    const IDENTITY: Identity = [0xbe; 16];
    let path = root.join(INCOMING).join(format!("probe-{}", std::process::id()));
    let tried = write_image(&path, IDENTITY).and_then(|()| {
        let layer = Lower::image(path.clone(), IDENTITY, mounts.clone());
        let root = snapshot::mount_readonly(&[layer, Lower::directory(root.join(EMPTY))])?;
        match statat(&root, "file", AtFlags::SYMLINK_NOFOLLOW).map_err(Error::file("reading", &path))?.st_mtime {
            1 => Ok(()),
            _ => Err(Error::file("reading", &path)(std::io::Error::other("it is not what was written"))),
        }
    });
    mounts.forget(IDENTITY);
    // What was never made need not go.
    drop(fs::remove_file(&path));
    tried
}

fn write_image(path: &Path, identity: Identity) -> Result<()> {
    let failed = |error: std::io::Error| Error::file("writing", path)(error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
    let file = options.map_err(Error::file("making", path))?;
    let image = Image::write(&archive().map_err(failed)?[..], &file, Limits::default());
    let image = image.map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    image.seal(&file, identity).map_err(failed)
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
