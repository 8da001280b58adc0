//! Credentials for a registry, as clients send them in `X-Registry-Auth` (base64url of this JSON), and what logins,
//! searches and questions about a name are answered with.

use serde::{Deserialize, Serialize};

use crate::image::{Descriptor, Platform};
use crate::is_default;

/// `GET /distribution/{name}/json`: what a registry has under a name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DistributionInspect {
    /// The manifest or the list.
    pub descriptor: Descriptor,
    /// What there is an image for.
    pub platforms: Vec<Platform>,
}

/// `GET /images/plan`, ours: what a pull would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PullPlan {
    /// As users write it.
    pub reference: String,
    /// The image's.
    pub id: String,
    /// What the name stands for at its registry.
    pub digest: String,
    /// `linux/amd64`.
    pub platform: String,
    /// The name stands for this image here already.
    pub up_to_date: bool,
    /// Bottom first.
    pub layers: Vec<PlannedLayer>,
}

/// One layer of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlannedLayer {
    /// Compressed.
    pub digest: String,
    /// Compressed bytes.
    pub size: u64,
    /// How many of them would be fetched.
    pub missing: u64,
    /// It is here, unpacked.
    pub here: bool,
}

/// Credentials of one registry.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "lowercase")]
pub struct AuthConfig {
    /// User.
    #[serde(skip_serializing_if = "is_default")]
    pub username: String,
    /// Password.
    #[serde(skip_serializing_if = "is_default")]
    pub password: String,
    /// base64 of `user:password`, where the two are not given.
    #[serde(skip_serializing_if = "is_default")]
    pub auth: String,
    /// Unused by registries of today.
    #[serde(skip_serializing_if = "is_default")]
    pub email: String,
    /// Which registry.
    #[serde(skip_serializing_if = "is_default")]
    pub serveraddress: String,
    /// A refresh token instead of a password.
    #[serde(skip_serializing_if = "is_default")]
    pub identitytoken: String,
    /// A bearer token to be sent as it is.
    #[serde(skip_serializing_if = "is_default")]
    pub registrytoken: String,
}

/// What a login is answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AuthAnswer {
    /// To be kept and shown instead of the password; empty where the registry gives none.
    pub identity_token: String,
    /// `Login Succeeded`.
    pub status: String,
}

/// A search's result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchResult {
    /// How many users like it.
    pub star_count: i64,
    /// It is one of Docker's official images.
    pub is_official: bool,
    /// Repository.
    pub name: String,
    /// Nothing is built by an index any more; old clients want the member.
    pub is_automated: bool,
    /// What its owner says of it.
    pub description: String,
}

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig")
            .field("username", &self.username)
            .field("serveraddress", &self.serveraddress)
            .finish_non_exhaustive()
    }
}
