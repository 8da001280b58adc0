//! The volumes of a container that is being made: named, claimed, made where missing, filled from the image; recorded in
//! the container's own transaction, or gone again.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use berth_image::Lower;
use berth_state::Transaction;
use jiff::Timestamp;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::claims::Claim;
use super::fill::{self, Found};
use super::name::VolumeName;
use super::options::Device;
use super::record::{UseRecord, VolumeRecord, use_key};
use super::shelf::Shelf;
use super::{ANONYMOUS, check_driver};
use crate::spec::{MountKind, MountSpec, Origin, VolumeMount};
use crate::{Error, Result};

/// Names the volumes of `mounts` as [`Making::begin`] would (numbers stand for the names of those without one), and gives
/// the names of those it would make. Touches nothing.
pub(crate) fn foresee(shelf: &Shelf, mounts: &mut [MountSpec]) -> Result<Vec<String>> {
    let mut missing: Vec<String> = Vec::new();
    for (number, mount) in mounts.iter_mut().enumerate() {
        let MountKind::Volume(volume) = &mut mount.kind else { continue };
        if volume.name.is_empty() {
            volume.name = format!("{number:064}");
        }
        let name = VolumeName::parse(&volume.name)?;
        check_driver(name.as_str(), &volume.driver)?;
        if is_missing(shelf, &name, volume, mount.origin)? && !missing.contains(&volume.name) {
            missing.push(volume.name.clone());
        }
    }
    Ok(missing)
}

/// Whether a mount's volume has to be made; one that cannot be is refused.
fn is_missing(shelf: &Shelf, name: &VolumeName, volume: &VolumeMount, origin: Origin) -> Result<bool> {
    if shelf.record(name.as_str())?.is_some() {
        return Ok(false);
    }
    if origin == Origin::Inherited {
        return Err(Error::NoSuchVolume(name.to_string()));
    }
    Device::read(&volume.options).map_err(|why| Error::Invalid(format!("create {name}: {why}")))?;
    Ok(true)
}

/// What a container's creation holds of its volumes.
#[derive(Debug)]
pub(crate) struct Making {
    shelf: Arc<Shelf>,
    container: String,
    claims: Vec<Claim>,
    entries: Entries,
}

/// What the container's transaction writes about volumes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries {
    new: Vec<(String, VolumeRecord)>,
    used: Vec<String>,
}

impl Making {
    /// Gives every volume of `mounts` its name and its directory.
    pub(crate) fn begin(shelf: &Arc<Shelf>, container: &str, mounts: &mut [MountSpec]) -> Result<Self> {
        let mut making = Self {
            shelf: shelf.clone(),
            container: container.to_owned(),
            claims: Vec::new(),
            entries: Entries::default(),
        };
        for mount in mounts {
            let origin = mount.origin;
            if let MountKind::Volume(volume) = &mut mount.kind {
                making.take(volume, origin)?;
            }
        }
        Ok(making)
    }

    fn take(&mut self, volume: &mut VolumeMount, origin: Origin) -> Result<()> {
        if volume.name.is_empty() {
            VolumeName::random().as_str().clone_into(&mut volume.name);
            volume.labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        let name = VolumeName::parse(&volume.name)?;
        check_driver(name.as_str(), &volume.driver)?;
        if self.claims.iter().any(|claim| claim.name() == name.as_str()) {
            return Ok(());
        }
        self.claims.push(self.shelf.claims.claim(name.as_str(), &self.container));
        self.entries.used.push(name.to_string());
        if !is_missing(&self.shelf, &name, volume, origin)? {
            return Ok(());
        }
        let some = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone());
        let record =
            VolumeRecord { created: Timestamp::now(), labels: some(&volume.labels), options: some(&volume.options) };
        self.entries.new.push((name.to_string(), record));
        self.shelf.make(name.as_str())
    }

    /// Copies what the image has at the volumes' paths into those that are empty. `layers`: the image's, topmost first.
    pub(crate) fn fill(&self, mounts: &[MountSpec], layers: &[Lower]) -> Result<()> {
        let mut root = None;
        for mount in mounts {
            if let MountKind::Volume(volume) = &mount.kind
                && !volume.no_copy
                && volume.subpath.is_empty()
            {
                let _mounted = self.mount(&volume.name)?;
                self.fill_one(volume, &mount.target, layers, &mut root)?;
            }
        }
        Ok(())
    }

    /// One that is a mount is mounted for as long as we write to it.
    fn mount(&self, name: &str) -> Result<WhileFilling<'_>> {
        let new = self.entries.new.iter().find(|(new, _)| new == name).map(|(_, record)| record.clone());
        let user = format!("fill {}", self.container);
        match new {
            Some(record) => self.shelf.mount_as(name, &record, &user)?,
            None => self.shelf.mount(name, &user)?,
        }
        Ok(WhileFilling { shelf: &self.shelf, name: name.to_owned(), user })
    }

    fn fill_one(&self, volume: &VolumeMount, target: &str, layers: &[Lower], root: &mut Option<OwnedFd>) -> Result<()> {
        let _turn = self.shelf.claims.alone(&volume.name);
        let data = self.shelf.data(&volume.name);
        let wrong = |doing: &'static str| {
            let data = data.clone();
            move |errno: rustix::io::Errno| Error::file(doing, data)(errno.into())
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(CWD, &data, flags, Mode::empty()).map_err(wrong("opening"))?;
        if !fill::is_empty(to.as_fd()).map_err(wrong("reading"))? {
            return Ok(());
        }
        let root = match root {
            Some(root) => root,
            none => none.insert(
                berth_image::snapshot::mount_readonly(layers).map_err(|error| Error::Internal(error.to_string()))?,
            ),
        };
        match fill::find(root.as_fd(), Path::new(target)) {
            Ok(Found::Nothing) => Ok(()),
            Ok(Found::File) => {
                Err(Error::Invalid(format!("cannot mount volume over existing file, file exists {target}")))
            }
            Ok(Found::Directory(from)) => fill::copy(from, to.as_fd()).map_err(|failed| {
                let path = Path::new(target).join(failed.path);
                let volume = &volume.name;
                let why = super::reason(failed.errno);
                Error::Internal(format!("copying {} of the image into volume {volume}: {why}", path.display()))
            }),
            Err(errno) => Err(Error::Internal(format!("looking for {target} in the image: {}", super::reason(errno)))),
        }
    }

    /// What goes into the container's transaction.
    pub(crate) fn entries(&self) -> Entries {
        self.entries.clone()
    }

    /// The transaction is committed: the volumes are there.
    pub(crate) fn done(mut self) {
        for (name, _) in std::mem::take(&mut self.entries.new) {
            self.shelf.publish(&name, "create", &[]);
        }
        self.claims.clear();
    }
}

impl Drop for Making {
    /// A volume that was made for a container that did not come to be goes, unless somebody else wants it by now.
    fn drop(&mut self) {
        for claim in self.claims.drain(..) {
            claim.give_up(|name| {
                if let Ok(None) = self.shelf.record(name) {
                    self.shelf.discard_quietly(name);
                }
            });
        }
    }
}

struct WhileFilling<'a> {
    shelf: &'a Shelf,
    name: String,
    user: String,
}

impl Drop for WhileFilling<'_> {
    fn drop(&mut self) {
        self.shelf.unmount(&self.name, &self.user);
    }
}

impl Entries {
    /// Whether a volume is made that outlives its container.
    pub(crate) fn lasting(&self) -> bool {
        self.new.iter().any(|(_, record)| !record.labels.iter().flatten().any(|(key, _)| key == ANONYMOUS))
    }

    /// Writes them for `container`.
    pub(crate) fn record_in(&self, tx: &mut Transaction<'_>, container: &str) -> berth_state::Result<()> {
        for (name, record) in &self.new {
            if !tx.exists::<VolumeRecord>(name)? {
                tx.put(name, record)?;
            }
        }
        self.used.iter().try_for_each(|name| tx.put(&use_key(name, container), &UseRecord {}))
    }
}
