//! Lists of images that are put together here, one image for each platform, and pushed as one name.
//!
//! Until it is pushed, a list lies in `manifests/` beside `config.json`, in the files of Docker's command line
//! ([`store`]), so that each of the two goes on with what the other began. [`Entry`] is one image of a list;
//! [`remote`] asks registries. Nothing here needs a daemon.

mod entry;
mod remote;
mod store;

pub(crate) use entry::{Entry, list_bytes, list_type};
pub(crate) use remote::{Found, Registries};
pub(crate) use store::Store;

use berth_oci::Reference;

/// An image's name as the user gave it, with the tag that it has where none is given.
pub(crate) fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).map_err(|error| error.to_string())
}
