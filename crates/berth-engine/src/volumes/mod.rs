//! Volumes: what outlives a container, by name.
//!
//! A volume is a record and a directory, `<data root>/volumes/<name>/_data`; what no record speaks of is swept. A
//! container that needs one says so with a record of its own, written and removed with the container's, so that neither
//! removing nor pruning can take it away. There is one driver, `local`; with options, a volume is a mount (`device.rs`).
//!
//! Start reading at [`Volumes`], the verbs; `make.rs` is what a container's creation does, `leave.rs` its removal,
//! `shelf.rs` what both stand on. Which volume is mounted where is none of this module's business: `plan/`.

mod claims;
mod device;
mod fill;
mod leave;
mod make;
mod name;
mod options;
mod record;
mod shelf;
pub(crate) mod subtree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use berth_state::Durability;
use jiff::Timestamp;
use rustix::io::Errno;

pub(crate) use leave::{Parting, forget_in};
pub(crate) use make::{Entries, Making, foresee};
pub use name::VolumeName;
pub(crate) use record::release_in;
pub(crate) use shelf::Shelf;

use crate::events::EventKind;
use crate::{Error, Result};
use options::Device;
use record::{UseRecord, VolumeRecord};

/// The one driver.
pub const DRIVER: &str = "local";

/// The label of volumes that nobody named.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// The handle on volumes; a cheap clone is the same handle. Every call may block for some file operations.
#[derive(Debug, Clone)]
pub struct Volumes {
    pub(crate) shelf: Arc<Shelf>,
}

/// A volume to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name; empty: any.
    pub name: String,
    /// `local`, or empty.
    pub driver: String,
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// `type`, `o`, `device`.
    pub options: Option<BTreeMap<String, String>>,
}

/// A volume at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeView {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Its driver's options.
    pub options: Option<BTreeMap<String, String>>,
    /// Where its content lies on the host.
    pub mountpoint: PathBuf,
    /// The containers that need it, running or not.
    pub containers: Vec<String>,
}

impl VolumeView {
    /// Nobody named it: it is pruned by default, and goes with its last container where that is asked for.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.labels.iter().flatten().any(|(key, _)| key == ANONYMOUS)
    }
}

/// What a prune removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedVolumes {
    /// The volumes.
    pub names: Vec<String>,
    /// Bytes of their files.
    pub reclaimed: u64,
}

impl Volumes {
    /// Makes a volume, or gives the one that bears the name already.
    ///
    /// # Errors
    /// A bad name, driver or option: Docker's sentence.
    pub fn create(&self, new: NewVolume) -> Result<VolumeView> {
        let NewVolume { name, driver, mut labels, options } = new;
        let name = match name.as_str() {
            "" => {
                labels.get_or_insert_default().insert(ANONYMOUS.to_owned(), String::new());
                VolumeName::random()
            }
            name => VolumeName::parse(name)?,
        };
        check_driver(name.as_str(), &driver)?;
        let _claim = self.shelf.claims.claim(name.as_str(), "");
        if self.shelf.record(name.as_str())?.is_none() {
            Device::read(&options.clone().unwrap_or_default())
                .map_err(|why| Error::Invalid(format!("create {name}: {why}")))?;
            self.shelf.make(name.as_str())?;
            let record = VolumeRecord { created: Timestamp::now(), labels, options };
            let key = name.to_string();
            let made = self.shelf.store.write(Durability::Synced, move |tx| {
                let made = !tx.exists::<VolumeRecord>(&key)?;
                if made { tx.put(&key, &record).map(|()| made) } else { Ok(made) }
            })?;
            if made {
                self.shelf.publish(name.as_str(), "create", &[]);
            }
        }
        self.inspect(name.as_str())
    }

    /// Every volume, by name.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn list(&self) -> Result<Vec<VolumeView>> {
        let (records, uses) = self
            .shelf
            .store
            .read(|reader| Ok::<_, Error>((reader.list::<VolumeRecord>()?, reader.list::<UseRecord>()?)))?;
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (volume, container) in uses.iter().filter_map(|(key, _)| key.split_once('/')) {
            users.entry(volume.to_owned()).or_default().push(container.to_owned());
        }
        let view = |(name, record): (String, VolumeRecord)| {
            let containers = users.remove(&name).unwrap_or_default();
            self.view(name, record, containers)
        };
        Ok(records.into_iter().map(view).collect())
    }

    /// One volume.
    ///
    /// # Errors
    /// [`Error::NoSuchVolume`].
    pub fn inspect(&self, name: &str) -> Result<VolumeView> {
        let (record, containers) = self
            .shelf
            .store
            .read(|reader| Ok::<_, Error>((reader.get::<VolumeRecord>(name)?, record::users(reader, name)?)))?;
        let record = record.ok_or_else(|| Error::NoSuchVolume(name.to_owned()))?;
        Ok(self.view(name.to_owned(), record, containers))
    }

    fn view(&self, name: String, record: VolumeRecord, containers: Vec<String>) -> VolumeView {
        let VolumeRecord { created, labels, options } = record;
        VolumeView { mountpoint: self.shelf.data(&name), name, created, labels, options, containers }
    }

    /// Removes a volume that no container needs.
    ///
    /// # Errors
    /// [`Error::NoSuchVolume`], unless `force`; [`Error::VolumeInUse`] in any case.
    pub fn remove(&self, name: &str, force: bool) -> Result<()> {
        match self.remove_one(name) {
            Err(Error::NoSuchVolume(_)) if force => Ok(()),
            done => done,
        }
    }

    fn remove_one(&self, name: &str) -> Result<()> {
        let in_use = |containers| Error::VolumeInUse { name: name.to_owned(), containers };
        let _taken = self.shelf.claims.take(name).map_err(in_use)?;
        let key = name.to_owned();
        self.shelf.store.try_write(Durability::Synced, move |tx| {
            let containers = record::users(tx, &key)?;
            if !containers.is_empty() {
                return Err(Error::VolumeInUse { name: key, containers });
            }
            match tx.delete::<VolumeRecord>(&key)? {
                true => Ok(()),
                false => Err(Error::NoSuchVolume(key)),
            }
        })?;
        self.shelf.discard_quietly(name);
        self.shelf.publish(name, "destroy", &[]);
        Ok(())
    }

    /// Removes every volume that no container needs and that is `wanted` gone; `dry`: only says which.
    ///
    /// # Errors
    /// When the records cannot be read or written. What somebody came to need meanwhile stays.
    pub fn prune(&self, dry: bool, wanted: impl Fn(&VolumeView) -> bool) -> Result<PrunedVolumes> {
        let mut pruned = PrunedVolumes::default();
        for volume in self.list()?.iter().filter(|volume| volume.containers.is_empty() && wanted(volume)) {
            let size = disk_usage(&volume.mountpoint);
            match if dry { Ok(()) } else { self.remove_one(&volume.name) } {
                Ok(()) => {
                    pruned.names.push(volume.name.clone());
                    pruned.reclaimed += size;
                }
                Err(Error::NoSuchVolume(_) | Error::VolumeInUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if dry {
            return Ok(pruned);
        }
        let attributes = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed.to_string())]);
        self.shelf.events.publish(EventKind::Volume, "prune", "", attributes);
        Ok(pruned)
    }

    /// Every volume with the bytes of its files, for `system df`; [`VolumeView::containers`] counts the references.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn usage(&self) -> Result<Vec<(VolumeView, u64)>> {
        Ok(self
            .list()?
            .into_iter()
            .map(|volume| (disk_usage(&volume.mountpoint), volume))
            .map(|(n, v)| (v, n))
            .collect())
    }
}

fn check_driver(volume: &str, driver: &str) -> Result<()> {
    if matches!(driver, "" | DRIVER) {
        return Ok(());
    }
    Err(Error::NoVolumeDriver { volume: volume.to_owned(), driver: driver.to_owned() })
}

/// What the kernel said, as C says it.
fn reason(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Bytes in files below `root`, hard links counted once. What vanishes on the way counts nothing.
#[must_use]
pub fn disk_usage(root: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let (mut total, mut seen, mut directories) = (0, std::collections::HashSet::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino())) {
                total += metadata.len();
            }
        }
    }
    total
}
