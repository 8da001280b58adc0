//! `system check`: is everything here that the records promise, is it what it was, and is nothing else here?
//!
//! [`survey`] compares the records with the names on disk, at one moment; [`verify`] reads the bytes; what either
//! found is looked for once more at the end, so that a pull or a deletion in between is no problem. Nothing is changed
//! unless [`CheckOptions::repair`] says so, and then only what cannot make it worse: see [`repair`].

mod repair;
mod survey;
mod verify;

use std::collections::BTreeSet;
use std::fmt;

use berth_oci::{ChainId, Digest, ImageId};

use crate::{ImageStore, Result};

/// How to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// Look at names and lengths only; read no layer and no blob.
    pub quick: bool,
    /// Remove what is left over, and what is damaged if it can be had again.
    pub repair: bool,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Images.
    pub images: usize,
    /// Recorded layers.
    pub layers: usize,
    /// Blobs.
    pub blobs: usize,
    /// Bytes that were read and are what they should be.
    pub verified: u64,
    /// Layers of which only the names were looked at: unpacked ones whose blob is not kept.
    pub unverified: usize,
    /// What interrupted pulls have left for the next try.
    pub waiting: Waiting,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// What interrupted pulls have left for the next try. It goes by itself when nobody comes back for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Whole layers.
    pub layers: usize,
    /// Blobs that are not whole.
    pub blobs: usize,
    /// Bytes of both.
    pub bytes: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// In which way.
    pub kind: ProblemKind,
    /// With what.
    pub object: Object,
    /// One sentence.
    pub why: String,
    /// What to do; one sentence.
    pub hint: String,
    /// It was repaired.
    pub repaired: bool,
}

/// How a thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A record promises it, and it is not here.
    Missing,
    /// It is here, and is not what it was.
    Damaged,
    /// It is here, and nobody needs it.
    LeftOver,
}

/// What a problem is with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// An image, by its id.
    Image(ImageId),
    /// A layer.
    Layer(ChainId),
    /// A blob.
    Blob(Digest),
    /// A name.
    Name(String),
    /// A container's claim on an image.
    Hold {
        /// The image.
        image: ImageId,
        /// The container.
        container: String,
    },
    /// A file or directory that is none of these, below the data root.
    File(String),
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::LeftOver => "left over",
        })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(id) => write!(f, "image {id}"),
            Self::Layer(chain) => write!(f, "layer {chain}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Name(name) => write!(f, "name {name}"),
            Self::Hold { image, container } => write!(f, "claim of container {container} on image {image}"),
            Self::File(path) => write!(f, "file {path}"),
        }
    }
}

/// Which container stands on which image.
pub type Containers<'a> = &'a dyn Fn() -> Vec<(ImageId, String)>;

impl ImageStore {
    /// Walks records, layers, blobs and holds. `containers` tells which there are. Blocks, for as long as it takes to
    /// read everything unless `quick`.
    ///
    /// # Errors
    /// When records or directories cannot be read; that something is wrong is no error but an answer.
    pub fn check(&self, options: CheckOptions, containers: Containers<'_>) -> Result<Checked> {
        let first = survey::survey(&self.inner, containers)?;
        let read = if options.quick { verify::Read::default() } else { verify::verify(&self.inner, &first)? };
        let again = survey::survey(&self.inner, containers)?;
        let before: BTreeSet<(ProblemKind, &Object)> = first.problems.iter().map(|p| (p.kind, &p.object)).collect();
        let mut problems: Vec<Problem> =
            again.problems.iter().filter(|p| before.contains(&(p.kind, &p.object))).cloned().collect();
        problems.extend(read.problems.into_iter().filter(|problem| again.has(&problem.object)));
        problems.sort();
        problems.dedup();
        if options.repair {
            repair::repair(&self.inner, &mut problems)?;
        }
        Ok(Checked {
            images: again.images,
            layers: again.layers.len(),
            blobs: again.blobs.len(),
            verified: read.bytes,
            unverified: read.unverified,
            waiting: again.waiting,
            problems,
        })
    }
}
