//! Where volumes lie, and the steps that all verbs are made of.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_state::Store;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::claims::Claims;
use super::device::{self, Users};
use super::name::VolumeName;
use super::options::Device;
use super::record::{UseRecord, VolumeRecord};
use super::{record, subtree};
use crate::events::{EventKind, Events};
use crate::record::ContainerRecord;
use crate::spec::{MountKind, MountSpec};
use crate::{Error, Result};

/// The volumes' directory and records, shared by everything that makes, uses or removes one.
#[derive(Debug)]
pub(crate) struct Shelf {
    root: PathBuf,
    trash: PathBuf,
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) claims: Arc<Claims>,
    users: Users,
}

impl Shelf {
    pub(crate) fn new(data_root: &Path, store: Store, events: Events) -> Self {
        Self {
            root: data_root.join("volumes"),
            trash: data_root.join("trash"),
            store,
            events,
            claims: Arc::default(),
            users: Users::default(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What a volume contains.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.directory(name).join("_data")
    }

    pub(super) fn record(&self, name: &str) -> Result<Option<VolumeRecord>> {
        Ok(self.store.read(|reader| reader.get::<VolumeRecord>(name))?)
    }

    /// Makes a volume's directory; one that is there already is taken as it is.
    pub(super) fn make(&self, name: &str) -> Result<()> {
        let data = self.data(name);
        match fs::create_dir(&data) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            Err(_) => {
                fs::create_dir_all(&data).map_err(Error::file("making", &data))?;
                // Whoever may not look around can still reach what a container is given.
                self.open_up(&self.root.clone(), 0o701)?;
            }
        }
        self.open_up(&self.directory(name), 0o701)?;
        self.open_up(&data, 0o755)
    }

    fn open_up(&self, path: &Path, mode: u32) -> Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file("opening up", path))
    }

    /// Removes what lies on disk of a volume that no record speaks of any more. What is mounted there is unmounted
    /// before: its content is not the volume's to delete.
    pub(super) fn discard(&self, name: &str) -> Result<()> {
        let directory = self.directory(name);
        device::detach(&directory)?;
        // On a file system of its own it cannot be renamed out of sight.
        berth_image::snapshot::discard(&directory, &self.trash)
            .or_else(|_| fs::remove_dir_all(&directory).map_err(Error::file("removing", &directory)))
    }

    /// The same, where a failure is nobody's: what is left is swept at the next start.
    pub(super) fn discard_quietly(&self, name: &str) {
        if let Err(error) = self.discard(name) {
            tracing::warn!(volume = name, error = error.chain(), "removing a volume's files");
        }
    }

    pub(super) fn publish(&self, name: &str, action: &str, more: &[(&str, String)]) {
        let mut attributes: std::collections::BTreeMap<String, String> =
            more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        attributes.insert("driver".into(), super::DRIVER.into());
        self.events.publish(EventKind::Volume, action, name, attributes);
    }

    /// Makes a volume's content reachable at its path for `user`: one that is a mount is mounted.
    pub(super) fn mount(&self, name: &str, user: &str) -> Result<()> {
        let record = self.record(name)?.ok_or_else(|| Error::NoSuchVolume(name.to_owned()))?;
        self.mount_as(name, &record, user)
    }

    pub(super) fn mount_as(&self, name: &str, record: &VolumeRecord, user: &str) -> Result<()> {
        self.make(name)?;
        let Some(device) = Device::read(&record.options.clone().unwrap_or_default())? else { return Ok(()) };
        let _turn = self.claims.alone(name);
        if self.users.add(name, user)
            && let Err(error) = device::attach(&device, &self.data(name))
        {
            self.users.remove(name, user);
            return Err(error);
        }
        Ok(())
    }

    /// `user` needs it no longer. A volume that is a mount is unmounted by its last user.
    pub(super) fn unmount(&self, name: &str, user: &str) {
        if !self.users.any(name) {
            return;
        }
        let _turn = self.claims.alone(name);
        if self.users.remove(name, user)
            && let Err(error) = device::detach(&self.directory(name))
        {
            tracing::warn!(volume = name, error = error.chain(), "unmounting a volume");
        }
    }

    /// Takes up where an earlier daemon ended, before anything else is done with volumes: what running containers use
    /// stays mounted, what nobody uses is unmounted, and what no record speaks of is removed. `known`: all containers.
    pub(crate) fn reconcile(&self, known: &std::collections::BTreeMap<String, bool>) -> Result<()> {
        let (volumes, uses, containers) = self.store.read(|reader| {
            let containers = reader.list::<ContainerRecord>()?.len();
            Ok::<_, Error>((reader.list::<VolumeRecord>()?, reader.list::<UseRecord>()?, containers))
        })?;
        let is_mount = |name: &str| volumes.iter().any(|(known, record)| known == name && record.options.is_some());
        let mut stale = Vec::new();
        for (key, _) in &uses {
            let Some((volume, container)) = key.split_once('/') else { continue };
            match known.get(container) {
                None => stale.push(key.clone()),
                Some(true) if is_mount(volume) => drop(self.users.add(volume, container)),
                Some(_) => {}
            }
        }
        if !stale.is_empty() {
            self.store.write(berth_state::Durability::Relaxed, move |tx| {
                stale.iter().try_for_each(|key| tx.delete::<UseRecord>(key).map(drop))
            })?;
        }
        for (name, _) in volumes.iter().filter(|(name, record)| record.options.is_some() && !self.users.any(name)) {
            device::detach(&self.directory(name))?;
        }
        // A metadata store that knows nothing at all may have been lost: people's data is not garbage then.
        if !volumes.is_empty() || containers > 0 {
            let unknown = |name: &String| volumes.binary_search_by(|(known, _)| known.cmp(name)).is_err();
            let found = crate::sweep::names(&self.root).into_iter().filter(|name| VolumeName::parse(name).is_ok());
            found.filter(unknown).for_each(|name| self.discard_quietly(&name));
        }
        Ok(())
    }

    /// Opens the directory of a volume that a mount asks for, as a mount of its own that no link can lead out of.
    pub(crate) fn open_subpath(&self, name: &str, subpath: &str) -> Result<OwnedFd> {
        let data = self.data(name);
        let root = openat(CWD, &data, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::file("opening", &data)(errno.into()))?;
        subtree::of_attached(&root, subpath, &format!("volume {name}"))
    }

    /// Says that a container's volumes are mounted.
    pub(crate) fn announce_mounted(&self, mounts: &[MountSpec], container: &str) {
        for mount in mounts {
            if let MountKind::Volume(volume) = &mount.kind {
                let attributes = [
                    ("container", container.to_owned()),
                    ("destination", crate::plan::mounts::clean(&mount.target)),
                    ("propagation", String::new()),
                    ("read/write", (!mount.readonly).to_string()),
                ];
                self.publish(&volume.name, "mount", &attributes);
            }
        }
    }

    /// A container has ended: its volumes are no longer mounted. True: [`Self::unmount_all`] has something to do.
    pub(crate) fn announce_unmounted(&self, mounts: &[MountSpec], container: &str) -> bool {
        let mut mounted = false;
        for mount in mounts {
            if let MountKind::Volume(volume) = &mount.kind {
                self.publish(&volume.name, "unmount", &[("container", container.to_owned())]);
                mounted |= self.users.any(&volume.name);
            }
        }
        mounted
    }

    /// Makes a container's volumes reachable; none where one cannot be.
    pub(crate) fn mount_all(self: &Arc<Self>, mounts: &[MountSpec], container: &str) -> Result<Mounted> {
        let mut mounted = Mounted { shelf: self.clone(), container: container.to_owned(), names: Vec::new() };
        for (name, _) in record::of(mounts) {
            self.mount(name, container)?;
            mounted.names.push(name.to_owned());
        }
        Ok(mounted)
    }

    /// Lets go of what [`Self::mount_all`] mounted. Blocks while the kernel unmounts.
    pub(crate) fn unmount_all(&self, mounts: &[MountSpec], container: &str) {
        record::of(mounts).keys().for_each(|name| self.unmount(name, container));
    }
}

/// A container's volumes while it is being started: let go again unless it comes to run.
#[derive(Debug)]
pub(crate) struct Mounted {
    shelf: Arc<Shelf>,
    container: String,
    names: Vec<String>,
}

impl Mounted {
    /// The container runs.
    pub(crate) fn keep(mut self) {
        self.names.clear();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| self.shelf.unmount(name, &self.container));
    }
}
