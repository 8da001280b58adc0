//! In which form layers are kept: asked for, or else whatever this kernel does best.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use berth_archive::{Entry, Kind, Limits, Stream, Writer};
use berth_erofs::{Identity, Image};
use rustix::fs::{AtFlags, statat};

use super::apart::Apart;
use super::lower::Lower;
use super::mounts::Mounts;
use super::{EMPTY, IMAGE, INCOMING, MOUNTED, names};
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

/// Chooses, for the layers in `root`, and says how those that are images are mounted.
pub(super) fn choose(asked: Option<Driver>, root: &Path) -> Result<(Storage, Mounts)> {
    let storage = |driver, reason: &str| Storage { driver, reason: reason.to_owned() };
    let by_request = |driver| storage(driver, "asked for by storage-driver");
    if asked == Some(Driver::Overlay2) {
        // Those that are there already are to be of use.
        let found = an_image(root)?.and_then(|_| find(root).ok());
        return Ok((by_request(Driver::Overlay2), found.map(|(mounts, _)| mounts).unwrap_or_default()));
    }
    match (find(root), asked) {
        (Ok((mounts, _)), Some(driver)) => Ok((by_request(driver), mounts)),
        (Ok((mounts, reason)), None) => Ok((storage(Driver::Erofs, reason), mounts)),
        (Err(error), Some(_)) => Err(Error::NoErofs(error.to_string())),
        (Err(error), None) => {
            tracing::info!(%error, "layers are kept as directories");
            Ok((storage(Driver::Overlay2, &format!("no EROFS here: {error}")), Mounts::default()))
        }
    }
}

/// What a layer for trying is told from others by.
const TRIAL: Identity = [0xbe; 16];

/// How this kernel mounts layers so that overlays can stand on them, and what to call that.
fn find(root: &Path) -> Result<(Mounts, &'static str)> {
    let path = root.join(INCOMING).join(format!("probe-{}", std::process::id()));
    let found = match write_image(&path) {
        Ok(()) => find_with(root, &path),
        // The day on which the disk is full is none to change the form: a layer that is there does as well.
        Err(error) if is_full(&error) => find_with(root, &an_image(root)?.ok_or(error)?),
        Err(error) => Err(error),
    };
    // What was never made need not go.
    drop(fs::remove_file(&path));
    found
}

fn find_with(root: &Path, image: &Path) -> Result<(Mounts, &'static str)> {
    let detached = Mounts::default();
    match stand_on(root, image, &detached) {
        Ok(()) => return Ok((detached, "this kernel mounts layers from files")),
        Err(error) => tracing::debug!(%error, "no overlay over layers that are attached nowhere"),
    }
    let place = root.join(MOUNTED);
    fs::create_dir_all(&place).map_err(Error::file("making", &place))?;
    let apart = Apart::begin(&place).map_err(Error::file("making a mount namespace for", &place))?;
    let attached = Mounts::attached(apart);
    stand_on(root, image, &attached)?;
    Ok((attached, "this kernel mounts layers from files, in a namespace of their own"))
}

/// Does all that a container's start will do, and looks at what it gets.
fn stand_on(root: &Path, image: &Path, mounts: &Mounts) -> Result<()> {
    let lowers = [Lower::image(image.to_owned(), TRIAL, mounts.clone()), Lower::directory(root.join(EMPTY))];
    let stood = snapshot::mount_readonly(&lowers);
    mounts.forget(TRIAL);
    let is_for_trying = image.starts_with(root.join(INCOMING));
    match statat(&stood?, "file", AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if found.st_mtime == 1 => Ok(()),
        _ if !is_for_trying => Ok(()),
        _ => Err(Error::file("reading", image)(std::io::Error::other("it is not what was written"))),
    }
}

/// A layer that is an image, if there is one.
fn an_image(root: &Path) -> Result<Option<PathBuf>> {
    Ok(names(root)?.into_iter().find(|name| name.ends_with(IMAGE)).map(|name| root.join(name)))
}

/// A layer of one file.
fn write_image(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::file("writing", path)(error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
    let file = options.map_err(Error::file("making", path))?;
    let image = Image::write(&archive().map_err(failed)?[..], &file, Limits::default());
    let image = image.map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    image.seal(&file, TRIAL).map_err(failed)
}

fn archive() -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new(Stream(Vec::new()));
    writer.entry(&Entry { mtime: (1, 0), ..Entry::plain(Kind::File, "file") })?;
    writer.finish().map(|stream| stream.0)
}
