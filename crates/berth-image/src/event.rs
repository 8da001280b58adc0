//! What a pull tells while it goes on. Texts are made by whoever shows them.

use berth_oci::Digest;

/// One step of a pull, in the order in which they happen; layers are interleaved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// Docker's `<object>: Pulling from <repository>`.
    Started {
        /// The tag, or the digest.
        object: String,
        /// The repository's path within its registry (`library/busybox`).
        repository: String,
    },
    /// What is going to come: layers that are not here, and their compressed bytes. Docker does not tell that.
    Sizes(Vec<(Digest, u64)>),
    /// A layer went into another phase, or got on in it.
    Layer {
        /// The compressed layer; shown by its first twelve digits.
        layer: Digest,
        /// Where it is.
        phase: LayerPhase,
    },
    /// Docker's `Digest: …`: what the name stands for at the registry.
    Digest(Digest),
    /// Everything is here. Docker's `Status: Downloaded newer image for …`, or `Image is up to date for …`.
    Finished {
        /// As the user wrote it, normalised for display.
        reference: String,
        /// Something new came.
        fresh: bool,
    },
}

/// Where a layer is on its way. Numbers are bytes, compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerPhase {
    /// It was here before.
    AlreadyExists,
    /// It is needed.
    PullingFsLayer,
    /// Others go first.
    Waiting,
    /// The transfer broke and goes on after a pause.
    Retrying {
        /// The pause.
        seconds: u64,
    },
    /// Bytes come in (and are unpacked as they come).
    Downloading {
        /// How many came.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// All bytes came.
    VerifyingChecksum,
    /// All bytes came and are the right ones.
    DownloadComplete,
    /// What came is being unpacked.
    Extracting {
        /// How many were unpacked.
        current: u64,
        /// Of how many.
        total: u64,
    },
    /// The layer is on disk, durably.
    PullComplete,
}
