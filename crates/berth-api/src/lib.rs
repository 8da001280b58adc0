//! The Engine API's wire types, shared by client and daemon.
//!
//! One file an object of the API; names, `null` against missing, and what is left out when empty follow Docker's
//! answers (they matter to clients). The types show the newest version served, [`ApiVersion::MAX`]; what older
//! versions see differently is the daemon's business. [`decode`] reads JSON by Go's rules. Nothing here knows
//! HTTP, the engine or the command line.
//!
//! Conventions: a slice or map that Docker sends as `null` when unset is an `Option`; one that it leaves out when
//! empty is a plain collection with `skip_serializing_if`; times are RFC 3339 strings.

pub mod capability;
pub mod check;
pub mod container;
pub mod decode;
pub mod disk_usage;
pub mod duration;
pub mod event;
pub mod exec;
pub mod files;
pub mod filters;
pub mod host_config;
pub mod image;
pub mod image_contents;
pub mod inspect;
pub mod network;
mod newer;
pub mod plan;
pub mod progress;
pub mod registry;
pub mod stats;
pub mod summary;
pub mod system;
mod version;
pub mod volume;

pub use container::{ContainerConfig, CreateRequest, CreateResponse, ErrorResponse, WaitResponse};
pub use filters::Filters;
pub use host_config::HostConfig;
pub use inspect::ContainerInspect;
pub use newer::Newer;
pub use summary::ContainerSummary;
pub use version::{ApiVersion, InvalidVersion};

/// Where a port, volume or path is only a key: Go's `struct{}`, written `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Empty {}

/// The timestamp that stands for "never": Go's zero time.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// `skip_serializing_if` for a value equal to its default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
