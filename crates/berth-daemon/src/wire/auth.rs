//! Credentials for registries: the header `X-Registry-Auth`, and the same fields as a body.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use berth_api::registry::AuthConfig;
use berth_image::Credentials;

use crate::http::request::Call;

/// Clients pad or do not, as they like.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whom a request comes from, as far as registries care. Nothing at all means nobody.
pub(crate) fn credentials(call: &Call) -> Option<Credentials> {
    header(call.header("x-registry-auth")).filter(|auth| *auth != AuthConfig::default()).map(domain)
}

/// As the registry client takes it.
pub(crate) fn domain(auth: AuthConfig) -> Credentials {
    Credentials {
        username: auth.username,
        password: auth.password,
        auth: auth.auth,
        identity_token: auth.identitytoken,
        registry_token: auth.registrytoken,
        server_address: auth.serveraddress,
    }
}

/// What cannot be read is no credentials: clients send all kinds of nothing.
fn header(text: &str) -> Option<AuthConfig> {
    let standard = text.replace('+', "-").replace('/', "_");
    berth_api::decode::from_slice(&BASE64.decode(standard).ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn credentials_in_every_encoding() {
        let config = AuthConfig { username: "u?>".into(), password: "p".into(), ..AuthConfig::default() };
        let json = serde_json::to_vec(&config).unwrap();
        assert_eq!(header(&STANDARD.encode(&json)), Some(config.clone()));
        assert_eq!(header(&URL_SAFE_NO_PAD.encode(&json)), Some(config));
        assert_eq!(header("!"), None);
        assert_eq!(header(&BASE64.encode("null")).unwrap_or_default(), AuthConfig::default());
    }
}
