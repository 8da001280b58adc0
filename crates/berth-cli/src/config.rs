//! The user's `config.json`: Docker's file, of which we read what we know.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_api::registry::AuthConfig;
use berth_oci::Reference;
use serde::Serialize as _;

use crate::grammar::os_error;

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

    /// Writes the current context into the file (`None`: the default one); everything else in it stays as it is.
    pub(crate) fn set_current_context(&self, name: Option<&str>) -> Result<(), String> {
        let path = self.directory.join("config.json");
        // The file may be a link into somebody's collection of dotfiles.
        let path = path.canonicalize().unwrap_or(path);
        let shown = path.display().to_string();
        let mut members: serde_json::Map<String, serde_json::Value> = match std::fs::read(&path) {
            Ok(text) if text.trim_ascii().is_empty() => serde_json::Map::new(),
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| format!("{shown} is left alone, because it is no JSON object: {error}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name.is_none() => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => serde_json::Map::new(),
            Err(error) => return Err(os_error("open", &shown, &error)),
        };
        match name {
            Some(name) => _ = members.insert("currentContext".to_owned(), name.into()),
            None => _ = members.remove("currentContext"),
        }
        members.entry("auths").or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
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
