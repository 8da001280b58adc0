//! Images: pulling and unpacking, names, layers, and the root file systems made of them.
//!
//! It owns what lies under `content/` and `layers/` of the data root, and the records that say what of it is in use.
//! A file there that no record knows is garbage. It does not know containers, except that one of them holds an image
//! ([`ImageStore::hold_in`]).
//!
//! Start reading at [`ImageStore`]; a pull is `pull/`, and [`snapshot`] mounts the result.

mod assembled;
mod check;
mod commit;
mod contents;
mod delete;
mod error;
mod event;
mod family;
mod flatten;
mod form;
mod fresh;
mod here;
mod history;
mod hold;
mod image;
mod import;
mod index;
mod layers;
mod lease;
mod load;
mod need;
mod open;
mod prune;
mod pull;
mod push;
mod rebase;
mod recall;
mod record;
mod resolve;
mod room;
mod save;
pub mod snapshot;
mod store;
mod sweep;
mod tag;
mod trash;
mod usage;
mod waiting;

pub use check::{CheckOptions, Checked, Containers, Object, Problem, ProblemKind, Waiting};
pub use commit::Commit;
pub use contents::difference::{Aspect, Difference, Differing, Setting};
pub use contents::explain::{Directory, Duplicate, ExplainedLayer, Explanation, Wasted};
pub use contents::tree::How;
pub use delete::{DeleteOptions, Deleted, Untagged};
pub use error::{Error, ErrorKind};
pub use event::{LayerPhase, PullEvent};
pub use history::Step;
pub use image::Image;
pub use import::Import;
pub use layers::driver::{Driver, Storage};
pub use layers::lower::Lower;
pub use lease::Lease;
pub use load::LoadEvent;
pub use prune::Pruned;
pub use pull::decompress::{decompress, is_plain};
pub use pull::{PlannedLayer, PullPlan, Remote};
pub use push::{Push, PushEvent, PushPhase, Pushed};
pub use rebase::Rebased;
pub use save::Saving;
pub use store::{ImageStore, PullConfig, Pulled};
pub use usage::{ImageUsage, Usage};

pub use berth_distribution::{Credentials, Download};

/// What the store's calls give back.
pub type Result<T, E = Error> = std::result::Result<T, E>;
