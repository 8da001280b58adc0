//! What is in images: their layers' archives, entry by entry, whatever form the layers lie in on this disk.
//!
//! [`layer`] reads one layer, [`tree`] lays layers over each other as overlay does, and [`explain`] and [`difference`]
//! tell what comes of it. It changes nothing.

pub(crate) mod difference;
pub(crate) mod explain;
pub(crate) mod layer;
pub(crate) mod tree;
