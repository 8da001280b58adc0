//! The user's `config.json`: Docker's file, of which we read what we know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api::registry::AuthConfig;
use berth_oci::Reference;

/// Under which name credentials of Docker Hub are kept.
const HUB: &str = "https://index.docker.io/v1/";

/// What `config.json` says, and where it lies.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) directory: PathBuf,
    file: File,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    detach_keys: String,
    ps_format: String,
    images_format: String,
    current_context: String,
    auths: BTreeMap<String, AuthConfig>,
}

impl Config {
    /// Reads the file in `directory`, in `DOCKER_CONFIG` or in `~/.docker`; a missing one is an empty one.
    pub(crate) fn load(directory: Option<&str>) -> Self {
        let directory = directory
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("DOCKER_CONFIG").filter(|d| !d.is_empty()).map(PathBuf::from))
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")))
            .unwrap_or_else(|| PathBuf::from("/root/.docker"));
        let path = directory.join("config.json");
        let file = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                eprintln!("WARNING: Error loading config file: {}: {error}", path.display());
                File::default()
            }),
            Err(_) => File::default(),
        };
        Self { directory, file }
    }

    pub(crate) fn detach_keys(&self) -> &str {
        &self.file.detach_keys
    }

    pub(crate) fn ps_format(&self) -> &str {
        &self.file.ps_format
    }

    pub(crate) fn images_format(&self) -> &str {
        &self.file.images_format
    }

    pub(crate) fn current_context(&self) -> &str {
        &self.file.current_context
    }

    /// The credentials kept for the registry of `reference`.
    pub(crate) fn credentials(&self, reference: &Reference) -> Option<AuthConfig> {
        let domain = reference.domain();
        let names = match domain {
            "docker.io" => vec![HUB.to_owned(), "index.docker.io".to_owned(), domain.to_owned()],
            other => vec![
                other.to_owned(),
                format!("https://{other}"),
                format!("http://{other}"),
                format!("https://{other}/v2/"),
            ],
        };
        let (name, kept) = names.iter().find_map(|name| self.file.auths.get_key_value(name))?;
        let mut auth = kept.clone();
        if let Ok(text) = STANDARD.decode(auth.auth.trim())
            && let Some((user, password)) = String::from_utf8_lossy(&text).split_once(':')
        {
            auth.username = user.to_owned();
            auth.password = password.trim_end_matches('\0').to_owned();
        }
        auth.auth.clear();
        auth.serveraddress.clone_from(name);
        Some(auth)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn credentials_by_registry() {
        let directory = std::env::temp_dir().join(format!("berth-config-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let text = r#"{"auths":{"127.0.0.1:5000":{"auth":"dTpwOnE="},"https://index.docker.io/v1/":{"auth":"aHViOng="}},
            "psFormat":"{{.ID}}","detachKeys":"ctrl-a","currentContext":"there","unknown":1}"#;
        std::fs::write(directory.join("config.json"), text).unwrap();
        let config = Config::load(directory.to_str());
        std::fs::remove_dir_all(&directory).unwrap();
        let of = |name: &str| config.credentials(&Reference::parse(name).unwrap());
        let local = of("127.0.0.1:5000/a").unwrap();
        assert_eq!((local.username.as_str(), local.password.as_str()), ("u", "p:q"));
        assert_eq!(of("busybox").unwrap().username, "hub");
        assert!(of("other.example/a").is_none());
        assert_eq!((config.ps_format(), config.detach_keys()), ("{{.ID}}", "ctrl-a"));
        assert_eq!(config.current_context(), "there");
    }
}
