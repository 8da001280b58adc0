//! Mounts, as a request asks for them and as a container has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A mount the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// Absolute path in the container.
    pub target: String,
    /// What is mounted there.
    pub kind: MountKind,
    /// Read-only.
    pub readonly: bool,
    /// Given by `-v`/`Binds` rather than `--mount`/`Mounts`, with its text (inspect shows it where it stood).
    pub bind_text: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
}

/// Why a container has a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// It was asked for.
    #[default]
    Asked,
    /// The request or the image names the path as a volume.
    Declared,
    /// Another container has it.
    Inherited,
}

/// One `--volumes-from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// As given, for inspect.
    pub text: String,
    /// The container, as the user named it.
    pub container: String,
    /// Nothing of it can be written.
    pub readonly: bool,
}

/// How far read-only reaches where more is mounted below a bind's source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Every mount below, where the kernel can.
    #[default]
    Tree,
    /// The mount itself only (`bind-recursive=writable`).
    Top,
    /// Every mount below, or no start (`bind-recursive=readonly`).
    Required,
}

/// A volume at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// Its name; empty in a request that leaves it to us.
    pub name: String,
    /// It was made for this path without a name, and goes with its last container.
    pub anonymous: bool,
    /// An empty volume stays empty, whatever the image has at the path.
    pub no_copy: bool,
    /// The directory of the volume that is mounted; empty: all of it.
    pub subpath: String,
    /// Labels of a volume that is made for the mount.
    pub labels: BTreeMap<String, String>,
    /// Driver asked for; empty: `local`.
    pub driver: String,
    /// Driver options of a volume that is made for the mount.
    pub options: BTreeMap<String, String>,
}

/// The mount types of this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// A host path.
    Bind {
        /// Absolute path on the host.
        source: String,
        /// `rprivate`, `rshared`, …; empty: `rprivate`.
        propagation: String,
        /// Make a missing source (`-v` does, `--mount` does not).
        create_source: bool,
        /// Only the mount itself, not those below it.
        non_recursive: bool,
        /// How far read-only reaches.
        #[serde(default)]
        reach: Reach,
    },
    /// Memory.
    Tmpfs {
        /// Bytes; 0: half of memory.
        size: i64,
        /// Octal mode; 0: 1777.
        mode: u32,
        /// Options of `--tmpfs PATH:OPTIONS` or of `TmpfsOptions.Options`, mount(8)'s words.
        options: String,
    },
    /// A volume.
    Volume(VolumeMount),
    /// What an image contains, read-only.
    Image {
        /// As the user wrote it.
        reference: String,
        /// Its id, once the container is made.
        id: String,
        /// The directory of it that is mounted; empty: all of it.
        subpath: String,
    },
}
