//! What a user proves himself with: the fields of Docker's `X-Registry-Auth`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Credentials for one registry. Empty fields are absent ones.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password, or a token used as one.
    pub password: String,
    /// `base64(username:password)`, where the two are not given by themselves.
    pub auth: String,
    /// An OAuth2 refresh token, exchanged for access tokens.
    #[serde(rename = "identitytoken")]
    pub identity_token: String,
    /// A bearer token, sent as it is.
    #[serde(rename = "registrytoken")]
    pub registry_token: String,
    /// Whose they are; only shown.
    #[serde(rename = "serveraddress")]
    pub server_address: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
