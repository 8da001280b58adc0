//! The user's `config.json`: Docker's file, of which we read what we know.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use berth_api::registry::AuthConfig;
use serde::Serialize as _;

use crate::grammar::os_error;

/// The file's members, those included that mean nothing to us.
pub(crate) type Members = serde_json::Map<String, serde_json::Value>;

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
    networks_format: String,
    volumes_format: String,
    stats_format: String,
    current_context: String,
    #[serde(rename = "HttpHeaders")]
    http_headers: BTreeMap<String, String>,
    proxies: BTreeMap<String, Proxies>,
    aliases: BTreeMap<String, String>,
    cli_plugins_extra_dirs: Vec<PathBuf>,
    auths: BTreeMap<String, AuthConfig>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

/// Proxies that containers are told of.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Proxies {
    http_proxy: String,
    https_proxy: String,
    no_proxy: String,
    ftp_proxy: String,
    all_proxy: String,
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
            Ok(text) => berth_api::decode::from_slice(&text).unwrap_or_else(|error| {
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

    /// `--format` of `volume ls` where none is given.
    pub(crate) fn volumes_format(&self) -> &str {
        &self.file.volumes_format
    }

    pub(crate) fn stats_format(&self) -> &str {
        &self.file.stats_format
    }

    pub(crate) fn current_context(&self) -> &str {
        &self.file.current_context
    }

    pub(crate) fn networks_format(&self) -> &str {
        &self.file.networks_format
    }

    /// Headers that go with every request; the user agent stays ours.
    pub(crate) fn http_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.file.http_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(|(name, _)| !name.eq_ignore_ascii_case("user-agent"))
    }

    /// Credentials kept in the file itself, by registry.
    pub(crate) fn auths(&self) -> &BTreeMap<String, AuthConfig> {
        &self.file.auths
    }

    /// The program that keeps the credentials of `registry`, where there is one (`pass` of `docker-credential-pass`).
    pub(crate) fn credential_helper(&self, registry: &str) -> Option<&str> {
        let name = self.file.cred_helpers.get(registry).unwrap_or(&self.file.creds_store);
        (!name.is_empty()).then_some(name)
    }

    /// Every such program.
    pub(crate) fn credential_helpers(&self) -> BTreeSet<&str> {
        let all = self.file.cred_helpers.values().chain([&self.file.creds_store]);
        all.map(String::as_str).filter(|name| !name.is_empty()).collect()
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    /// Words that stand for others at the beginning of a command line.
    pub(crate) fn aliases(&self) -> &BTreeMap<String, String> {
        &self.file.aliases
    }

    /// Where plugins are looked for first.
    pub(crate) fn plugin_directories(&self) -> &[PathBuf] {
        &self.file.cli_plugins_extra_dirs
    }

    /// What containers of the daemon at `host` are told of proxies: each in capitals and in small letters, unless
    /// `given` has it already.
    pub(crate) fn proxy_environment(&self, host: &str, given: &[String]) -> Vec<String> {
        let Some(proxies) = self.file.proxies.get(host).or_else(|| self.file.proxies.get("default")) else {
            return Vec::new();
        };
        let values = [
            ("HTTP_PROXY", &proxies.http_proxy),
            ("HTTPS_PROXY", &proxies.https_proxy),
            ("NO_PROXY", &proxies.no_proxy),
            ("FTP_PROXY", &proxies.ftp_proxy),
            ("ALL_PROXY", &proxies.all_proxy),
        ];
        let named = |name: &str| given.iter().any(|line| line.split('=').next() == Some(name));
        values
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .flat_map(|(name, value)| [(name.to_owned(), value), (name.to_ascii_lowercase(), value)])
            .filter(|(name, _)| !named(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    /// Writes the current context into the file (`None`: the default one).
    pub(crate) fn set_current_context(&self, name: Option<&str>) -> Result<(), String> {
        self.edit(|members| match name {
            Some(name) => _ = members.insert("currentContext".to_owned(), name.into()),
            None => _ = members.remove("currentContext"),
        })
    }

    /// Changes the file; everything that `change` does not touch stays as it is, and so does a file that nothing
    /// changes in.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Members)) -> Result<(), String> {
        // The file may be a link into somebody's collection of dotfiles.
        let path = self.path();
        let path = path.canonicalize().unwrap_or(path);
        let shown = path.display().to_string();
        let before: Members = match std::fs::read(&path) {
            Ok(text) if text.trim_ascii().is_empty() => Members::new(),
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| format!("{shown} is left alone, because it is no JSON object: {error}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Members::new(),
            Err(error) => return Err(os_error("open", &shown, &error)),
        };
        let mut members = before.clone();
        change(&mut members);
        if members == before {
            return Ok(());
        }
        members.entry("auths").or_insert_with(|| Members::new().into());
        let mut text = Vec::new();
        let style = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut writer = serde_json::Serializer::with_formatter(&mut text, style);
        members.serialize(&mut writer).map_err(|error| error.to_string())?;
        let directory = path.parent().unwrap_or(&self.directory);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| os_error("mkdir", &directory.to_string_lossy(), &error))?;
        let mode = std::fs::metadata(&path).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
        crate::context::store::write_file(&path, &text, mode)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn members_that_we_know() {
        let text = r#"{"psFormat":"{{.ID}}","detachKeys":"ctrl-a","currentContext":"there","unknown":1,
            "credsStore":"pass","credHelpers":{"h:1":"other"}}"#;
        let config = Config { directory: PathBuf::new(), file: serde_json::from_str(text).unwrap() };
        assert_eq!((config.ps_format(), config.detach_keys()), ("{{.ID}}", "ctrl-a"));
        assert_eq!(config.current_context(), "there");
        assert_eq!((config.credential_helper("h:1"), config.credential_helper("x")), (Some("other"), Some("pass")));
        assert_eq!(Config::default().credential_helper("h:1"), None);
        assert_eq!(config.credential_helpers().len(), 2);
    }

    #[test]
    fn the_current_context_is_all_that_changes() {
        let directory = std::env::temp_dir().join(format!("berth-config-write-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("config.json");
        let read = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).unwrap()).unwrap();
        std::fs::write(&path, r#"{"credsStore":"pass","auths":{"a":{}},"credHelpers":{"b":"c"},"new":[1]}"#).unwrap();
        let config = Config::load(directory.to_str());
        config.set_current_context(Some("there")).unwrap();
        let expected = serde_json::json!({"credsStore":"pass","auths":{"a":{}},"credHelpers":{"b":"c"},"new":[1],
            "currentContext":"there"});
        assert_eq!(read(), expected);
        config.set_current_context(None).unwrap();
        assert!(read().get("currentContext").is_none() && read()["credsStore"] == "pass");
        std::fs::write(&path, "{broken").unwrap();
        assert!(config.set_current_context(Some("x")).unwrap_err().contains("left alone"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{broken");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn proxies() {
        let text = r#"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"x"},"tcp://h:1":{"ftpProxy":"f"}}}"#;
        let config = Config { directory: PathBuf::new(), file: serde_json::from_str(text).unwrap() };
        let given = ["HTTP_PROXY=mine".to_owned(), "no_proxy".to_owned()];
        assert_eq!(config.proxy_environment("unix:///s", &given), ["http_proxy=http://p:1", "NO_PROXY=x"]);
        assert_eq!(config.proxy_environment("tcp://h:1", &[]), ["FTP_PROXY=f", "ftp_proxy=f"]);
        assert!(Config::default().proxy_environment("x", &[]).is_empty());
    }
}
