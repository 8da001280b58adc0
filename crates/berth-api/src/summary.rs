//! One line of `GET /containers/json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::Descriptor;
use crate::inspect::MountPoint;
use crate::is_default;
use crate::network::EndpointSettings;

/// A container in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerSummary {
    /// 64 hex digits.
    pub id: String,
    /// With leading slashes.
    pub names: Vec<String>,
    /// As the user wrote it, or the id where that name has moved on.
    pub image: String,
    /// Image id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Manifest the image was picked by (1.48 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_manifest_descriptor: Option<Descriptor>,
    /// Program and arguments in one line.
    pub command: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Ports.
    pub ports: Vec<Port>,
    /// Bytes written, with `size=1`.
    #[serde(skip_serializing_if = "is_default")]
    pub size_rw: i64,
    /// Bytes in all, with `size=1`.
    #[serde(skip_serializing_if = "is_default")]
    pub size_root_fs: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// As `State.Status` of inspect.
    pub state: String,
    /// For people: `Up 3 seconds`.
    pub status: String,
    /// A few fields of the configuration.
    pub host_config: SummaryHostConfig,
    /// Networks.
    pub network_settings: SummaryNetworks,
    /// Mounts.
    pub mounts: Vec<MountPoint>,
}

/// A port in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Port {
    /// Host address.
    #[serde(rename = "IP", skip_serializing_if = "is_default")]
    pub ip: String,
    /// In the container.
    pub private_port: u16,
    /// On the host.
    #[serde(skip_serializing_if = "is_default")]
    pub public_port: u16,
    /// `tcp`, `udp`, `sctp`.
    #[serde(rename = "Type")]
    pub kind: String,
}

/// The part of `HostConfig` that a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SummaryHostConfig {
    /// As in `HostConfig`.
    #[serde(skip_serializing_if = "is_default")]
    pub network_mode: String,
    /// As in `HostConfig`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The part of `NetworkSettings` that a list shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SummaryNetworks {
    /// By network name.
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}
