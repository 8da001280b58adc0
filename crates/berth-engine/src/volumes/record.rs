//! What lies on disk of a volume, and of who needs it.

use std::collections::BTreeMap;

use berth_state::{Record, Transaction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spec::{MountKind, MountSpec};

/// A volume's record, under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeRecord {
    pub(crate) created: Timestamp,
    /// As given: Docker's clients tell none from no map at all.
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// `type`, `o`, `device`.
    pub(crate) options: Option<BTreeMap<String, String>>,
}

impl Record for VolumeRecord {
    const KIND: &'static str = "volume";
    const VERSION: u32 = 1;
}

/// A container needs a volume, from its creation to its removal; under `<volume>/<container>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UseRecord {}

impl Record for UseRecord {
    const KIND: &'static str = "volume-use";
    const VERSION: u32 = 1;
}

pub(crate) fn use_key(volume: &str, container: &str) -> String {
    format!("{volume}/{container}")
}

/// The containers that need a volume.
pub(crate) fn users(reader: &berth_state::Reader<'_>, volume: &str) -> berth_state::Result<Vec<String>> {
    let prefix = use_key(volume, "");
    let found = reader.list_prefix::<UseRecord>(&prefix)?;
    Ok(found.into_iter().map(|(key, _)| key[prefix.len()..].to_owned()).collect())
}

/// The volumes of some mounts: name, and whether it goes with its last container.
pub(crate) fn of(mounts: &[MountSpec]) -> BTreeMap<&str, bool> {
    let mut volumes = BTreeMap::new();
    for mount in mounts {
        if let MountKind::Volume(volume) = &mount.kind {
            *volumes.entry(volume.name.as_str()).or_insert(true) &= volume.anonymous;
        }
    }
    volumes
}

/// Forgets that `container` needs these, within the transaction that forgets the container; with `anonymous`, forgets
/// the anonymous ones that nobody else needs too, and gives them back: their directories are to go afterwards.
///
/// The one place where a container's removal lets go of its volumes, whoever removes it.
pub(crate) fn release_in(
    tx: &mut Transaction<'_>,
    container: &str,
    volumes: &[String],
    anonymous: &[String],
) -> berth_state::Result<Vec<String>> {
    for name in volumes {
        tx.delete::<UseRecord>(&use_key(name, container))?;
    }
    let mut gone = Vec::new();
    for name in anonymous {
        if users(tx, name)?.is_empty() && tx.delete::<VolumeRecord>(name)? {
            gone.push(name.clone());
        }
    }
    Ok(gone)
}
