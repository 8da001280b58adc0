//! What of the networks lies on disk: the range that was chosen, and who holds which address.

use std::net::Ipv4Addr;

use berth_state::Record;
use serde::{Deserialize, Serialize};

use crate::Ipv4Net;

/// The default bridge network, under [`RangeRecord::KEY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RangeRecord {
    /// The bridge's own address and the network's size.
    pub(crate) address: Ipv4Net,
    /// It was asked for by `--bip`, and is not to be kept when that goes.
    pub(crate) asked: bool,
}

impl RangeRecord {
    pub(crate) const KEY: &str = "bridge";
}

impl Record for RangeRecord {
    const KIND: &'static str = "network-range";
    const VERSION: u32 = 1;
}

/// An address on the default bridge, under its container's id. Good for one boot only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRecord {
    pub(crate) address: Ipv4Addr,
    pub(crate) boot_id: String,
}

impl Record for LeaseRecord {
    const KIND: &'static str = "network-lease";
    const VERSION: u32 = 1;
}

/// This boot of the kernel; empty where it does not tell.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}
