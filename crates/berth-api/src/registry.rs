//! Credentials for a registry, as clients send them in `X-Registry-Auth` (base64url of this JSON).

use serde::{Deserialize, Serialize};

use crate::is_default;

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

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig")
            .field("username", &self.username)
            .field("serveraddress", &self.serveraddress)
            .finish_non_exhaustive()
    }
}
