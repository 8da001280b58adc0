//! Credentials for a registry, as clients send them in `X-Registry-Auth` (base64url of this JSON), and what logins
//! and searches are answered with.

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
