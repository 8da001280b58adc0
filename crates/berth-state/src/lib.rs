//! The transactional metadata store: the one truth about what exists.
//!
//! Typed records under string keys, in one SQLite database (WAL). It owns transactions, durability and the
//! versions of what lies on disk; it does not know what a container, an image or a network is: each crate defines
//! its own [`Record`]s. Start reading at [`Store`].
//!
//! ```no_run
//! use berth_state::{Durability, Record, Store};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Lease { address: String }
//!
//! impl Record for Lease {
//!     const KIND: &'static str = "lease";
//!     const VERSION: u32 = 1;
//! }
//!
//! # fn main() -> Result<(), berth_state::Error> {
//! let store = Store::open("/var/lib/berth/state.db".as_ref())?;
//! store.write(Durability::Synced, |tx| tx.put("web", &Lease { address: "172.17.0.2".into() }))?;
//! let lease = store.read(|r| r.get::<Lease>("web"))?;
//! # drop(lease); Ok(()) }
//! ```

mod error;
mod record;
mod reserve;
mod store;
mod writer;

pub use error::Error;
pub use record::{Reader, Record, Transaction};
pub use store::{Durability, Store};

/// What the store's calls give back.
pub type Result<T, E = Error> = std::result::Result<T, E>;
