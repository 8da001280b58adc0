//! Credentials for registries: where they are kept, and how they are got, kept and given up.
//!
//! They lie in `config.json` (base64, not encrypted) or with a program that `credsStore` or `credHelpers` name
//! ([`helper`]); both are Docker's, and what its command line writes is read here and the other way round. A
//! registry is known by its [`key`]. Whether credentials are good is not known here: the registry is asked by
//! `login`.

mod helper;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api::registry::AuthConfig;
use berth_oci::Reference;
use serde_json::{Map, Value};

use crate::config::Config;
use helper::{Helper, TOKEN_USER};

/// Under which name credentials of Docker Hub are kept.
pub(crate) const HUB: &str = "https://index.docker.io/v1/";

/// Docker Hub's other names.
const HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Where credentials went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A program has them.
    ByHelper,
    /// They lie in the file, readable.
    InFile,
}

/// The name under which a server's credentials are kept, however the user spells it; nothing means Docker Hub.
pub(crate) fn key(server: &str) -> String {
    match host(server) {
        "" => HUB.to_owned(),
        hub if HUB_NAMES.contains(&hub) => HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// `host[:port]` without scheme and path.
fn host(server: &str) -> &str {
    let rest = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    rest.split('/').next().unwrap_or_default()
}

impl Config {
    /// The credentials kept for the registry of `reference`. Where a helper fails, the user is told, and nobody's
    /// are used: images that anybody may have can be had without.
    pub(crate) fn credentials(&self, reference: &Reference) -> Option<AuthConfig> {
        self.credentials_of(reference.domain())
    }

    /// The same for a registry by its name.
    pub(crate) fn credentials_of(&self, server: &str) -> Option<AuthConfig> {
        self.kept_credentials(&key(server)).unwrap_or_else(|reason| {
            eprintln!("WARNING: going on without credentials for {server}: {reason}");
            None
        })
    }

    /// What is kept under `key`.
    pub(crate) fn kept_credentials(&self, key: &str) -> Result<Option<AuthConfig>, String> {
        match self.credential_helper(key) {
            Some(name) => Ok(Helper(name).get(key)?.map(|(user, secret)| from_helper(key, user, secret))),
            None => Ok(self.credentials_in_file(key)),
        }
    }

    fn credentials_in_file(&self, wanted: &str) -> Option<AuthConfig> {
        let exact = self.auths().get_key_value(wanted);
        let (name, kept) = exact.or_else(|| self.auths().iter().find(|(name, _)| key(name) == wanted))?;
        let mut auth = kept.clone();
        if let Ok(text) = STANDARD.decode(auth.auth.trim())
            && let Some((user, password)) = String::from_utf8_lossy(&text).split_once(':')
        {
            auth.username = user.to_owned();
            auth.password = password.trim_end_matches('\0').to_owned();
        }
        auth.auth.clear();
        auth.serveraddress.clone_from(name);
        let nothing = auth.username.is_empty() && auth.identitytoken.is_empty() && auth.registrytoken.is_empty();
        (!nothing).then_some(auth)
    }

    /// Keeps credentials under `key`, where the user's configuration says.
    pub(crate) fn keep_credentials(&self, key: &str, auth: &AuthConfig) -> Result<Kept, String> {
        if let Some(name) = self.credential_helper(key) {
            match auth.identitytoken.as_str() {
                "" => Helper(name).store(key, &auth.username, &auth.password)?,
                token => Helper(name).store(key, TOKEN_USER, token)?,
            }
            // An empty entry says that there is something at the helper's.
            self.edit_auths(|auths| _ = auths.insert(key.to_owned(), Map::new().into()))?;
            return Ok(Kept::ByHelper);
        }
        let mut entry = Map::new();
        if !auth.username.is_empty() {
            let text = STANDARD.encode(format!("{}:{}", auth.username, auth.password));
            entry.insert("auth".to_owned(), text.into());
        }
        if !auth.identitytoken.is_empty() {
            entry.insert("identitytoken".to_owned(), auth.identitytoken.clone().into());
        }
        self.edit_auths(|auths| _ = auths.insert(key.to_owned(), entry.into()))?;
        Ok(Kept::InFile)
    }

    /// Gives up what is kept under `key` and under the names that older programs gave it. What cannot be given up
    /// is told at the end.
    pub(crate) fn give_up_credentials(&self, wanted: &str) -> Result<(), String> {
        let older = [format!("http://{wanted}"), format!("https://{wanted}")];
        let names = std::iter::once(wanted.to_owned()).chain(older.into_iter().filter(|_| wanted != HUB));
        let told: Vec<String> =
            names.filter_map(|name| Helper(self.credential_helper(&name)?).erase(&name).err()).collect();
        self.edit_auths(|auths| auths.retain(|name, _| key(name) != wanted))?;
        match told.first() {
            None => Ok(()),
            Some(reason) => Err(reason.clone()),
        }
    }

    /// The registries there are credentials for; helpers that do not answer have none.
    pub(crate) fn registries(&self) -> Vec<String> {
        let mut all: Vec<String> = self.auths().keys().cloned().collect();
        for name in self.credential_helpers() {
            all.extend(Helper(name).list().unwrap_or_default());
        }
        all.sort();
        all.dedup();
        all
    }

    fn edit_auths(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), String> {
        self.edit(|members| {
            let mut auths = match members.get_mut("auths").map(Value::take) {
                Some(Value::Object(auths)) => auths,
                _ => Map::new(),
            };
            change(&mut auths);
            members.insert("auths".to_owned(), auths.into());
        })
    }
}

fn from_helper(key: &str, user: String, secret: String) -> AuthConfig {
    let serveraddress = key.to_owned();
    match user == TOKEN_USER {
        true => AuthConfig { identitytoken: secret, serveraddress, ..AuthConfig::default() },
        false => AuthConfig { username: user, password: secret, serveraddress, ..AuthConfig::default() },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests;
