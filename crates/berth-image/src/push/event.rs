//! What a push tells while it goes on. Texts are made by whoever shows them.

use berth_oci::{Descriptor, Digest};

/// One step of a push, in the order in which they happen; layers are interleaved.
#[derive(Debug, Clone, PartialEq)]
pub enum PushEvent {
    /// Docker's `The push refers to repository [<name>]`.
    Started {
        /// Registry and path (`docker.io/library/busybox`).
        repository: String,
    },
    /// A layer went into another phase, or got on in it.
    Layer {
        /// Its diff id; shown by its first twelve digits.
        layer: Digest,
        /// Where it is.
        phase: PushPhase,
    },
    /// The name stands for a list here of which not everything is here: one image of it was pushed.
    Instead {
        /// The list.
        index: Box<Descriptor>,
        /// What was pushed.
        manifest: Box<Descriptor>,
    },
    /// Docker's `<tag>: digest: <digest> size: <size>`.
    Pushed {
        /// Under which tag.
        tag: String,
        /// What the registry calls it.
        digest: Digest,
        /// Bytes of the manifest, or of the list.
        size: u64,
    },
}

/// Where a layer is on its way. Numbers are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushPhase {
    /// It will be looked at.
    Preparing,
    /// Others go first.
    Waiting,
    /// It was made here, and is compressed for the first time.
    Compressing {
        /// How many of the uncompressed bytes.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// The upload broke and goes on after a pause.
    Retrying {
        /// The pause.
        seconds: u64,
    },
    /// It goes out.
    Pushing {
        /// How many compressed bytes went.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// The registry has it now.
    Pushed,
    /// The repository had it before.
    AlreadyExists,
    /// Another repository of that registry had it.
    MountedFrom(String),
}
