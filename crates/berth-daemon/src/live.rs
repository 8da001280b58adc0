//! What a reload of the configuration changes while the daemon runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_distribution::Proxies;
use berth_engine::runtimes::{self, Foreign, Runtimes};
use berth_oci::DEFAULT_DOMAIN;

use crate::options::{OptionsError, value};
use crate::settings::Settings;

/// Where users put certificates for registries: ours, and Docker's.
const CERTIFICATES: [&str; 2] = ["/etc/berth/certs.d", "/etc/docker/certs.d"];

/// Docker's number of seconds.
const SHUTDOWN_TIMEOUT: i64 = 15;

/// Options that can change without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) debug: bool,
    pub(crate) log_level: tracing::Level,
    /// `name=value` of the daemon itself, for `info` and for schedulers.
    pub(crate) labels: Vec<String>,
    pub(crate) registries: berth_distribution::Config,
    pub(crate) concurrent_downloads: usize,
    pub(crate) concurrent_uploads: usize,
    pub(crate) runtimes: Runtimes,
    /// Containers go on when the daemon ends. Unlike Docker's, berth's do unless told otherwise.
    pub(crate) live_restore: bool,
    /// Seconds that containers have at least, where they do not go on; negative: as long as they want.
    pub(crate) shutdown_timeout: i64,
}

impl Live {
    pub(crate) fn read(settings: &Settings) -> Result<Self, OptionsError> {
        Ok(Self {
            debug: settings.switch("debug").unwrap_or(false),
            log_level: log_level(settings)?,
            labels: labels(settings)?,
            registries: berth_distribution::Config {
                mirrors: mirrors(settings)?,
                insecure: settings.list("insecure-registry").to_vec(),
                attempts: attempts(settings)?,
                proxies: Some(proxies(settings)?),
                certificates: CERTIFICATES.map(PathBuf::from).into(),
                patience: None,
            },
            concurrent_downloads: at_once(settings, "max-concurrent-downloads", 3)?,
            concurrent_uploads: at_once(settings, "max-concurrent-uploads", 5)?,
            runtimes: runtimes(settings)?,
            live_restore: settings.switch("live-restore").unwrap_or(true),
            shutdown_timeout: settings.number("shutdown-timeout").unwrap_or(SHUTDOWN_TIMEOUT),
        })
    }

    /// What the `reload` event tells.
    pub(crate) fn attributes(&self, name: &str) -> BTreeMap<String, String> {
        let list = |list: &[String]| serde_json::to_string(list).unwrap_or_default();
        let attempts = if self.registries.attempts == 0 { 5 } else { self.registries.attempts };
        [
            ("name", name.to_owned()),
            ("authorization-plugins", "[]".to_owned()),
            ("debug", self.debug.to_string()),
            ("default-runtime", self.runtimes.default.clone()),
            ("insecure-registries", list(&self.registries.insecure)),
            ("labels", list(&self.labels)),
            ("live-restore", self.live_restore.to_string()),
            ("shutdown-timeout", self.shutdown_timeout.to_string()),
            ("max-concurrent-downloads", self.concurrent_downloads.to_string()),
            ("max-concurrent-uploads", self.concurrent_uploads.to_string()),
            ("max-download-attempts", attempts.to_string()),
            ("registry-mirrors", self.mirrors()),
            ("runtimes", self.runtimes.foreign.keys().cloned().collect::<Vec<_>>().join(" ")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl Live {
    /// A list where only Docker Hub has any, as with Docker; else by registry.
    fn mirrors(&self) -> String {
        let all = &self.registries.mirrors;
        let text = match all.keys().all(|registry| registry == DEFAULT_DOMAIN) {
            true => serde_json::to_string(all.get(DEFAULT_DOMAIN).map_or(&[][..], Vec::as_slice)),
            false => serde_json::to_string(all),
        };
        text.unwrap_or_default()
    }
}

fn log_level(settings: &Settings) -> Result<tracing::Level, OptionsError> {
    if settings.switch("debug") == Some(true) {
        return Ok(tracing::Level::DEBUG);
    }
    match settings.text("log-level").unwrap_or("info") {
        "trace" => Ok(tracing::Level::TRACE),
        "debug" => Ok(tracing::Level::DEBUG),
        "info" => Ok(tracing::Level::INFO),
        "warn" | "warning" => Ok(tracing::Level::WARN),
        "error" | "fatal" | "panic" => Ok(tracing::Level::ERROR),
        other => Err(value("log-level", other, "not one of debug, info, warn, error, fatal")),
    }
}

/// Each is `name=value`, and a name has one value.
fn labels(settings: &Settings) -> Result<Vec<String>, OptionsError> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for label in settings.list("label") {
        let Some((name, text)) = label.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(value("label", label, "bad attribute format: expected name=value"));
        };
        match known.insert(name, text) {
            Some(other) if other != text => {
                let why = format!("conflict labels for {name}={other} and {name}={text}");
                return Err(value("label", label, why));
            }
            _ => {}
        }
    }
    Ok(known.into_iter().map(|(name, text)| format!("{name}={text}")).collect())
}

/// Docker's rules: a scheme, a host, and nothing that asks or points. Docker Hub's are given as they are, those of
/// another registry behind its name: `gcr.io=https://mirror.example`.
fn mirrors(settings: &Settings) -> Result<BTreeMap<String, Vec<String>>, OptionsError> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in settings.list("registry-mirror") {
        let wrong = |why: &str| value("registry-mirror", text, format!("invalid mirror: {why}"));
        let (registry, mirror) = match text.split_once('=').filter(|(registry, _)| !registry.contains("://")) {
            Some(("docker.io" | "index.docker.io" | "registry-1.docker.io", mirror)) => (DEFAULT_DOMAIN, mirror),
            Some((registry, mirror)) => (registry, mirror),
            None => (DEFAULT_DOMAIN, text.as_str()),
        };
        if registry.is_empty() || registry.contains('/') {
            return Err(wrong("before the = stands a registry's host, with its port where it has one"));
        }
        let rest = mirror.strip_prefix("http://").or_else(|| mirror.strip_prefix("https://"));
        let rest = rest.ok_or_else(|| wrong("no scheme specified: use http:// or https:// as URI scheme"))?;
        if rest.is_empty() || rest.starts_with('/') {
            return Err(wrong("no host in it"));
        }
        if rest.contains(['?', '#', '@', ' ']) {
            return Err(wrong("a query, a fragment or user information has no place in it"));
        }
        all.entry(registry.to_owned()).or_default().push(mirror.to_owned());
    }
    Ok(all)
}

/// A runtime as the file gives it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Runtime {
    path: String,
    runtime_args: Vec<String>,
}

/// `name=path` from flags, an object from the file. The default must be one of them, or ours.
fn runtimes(settings: &Settings) -> Result<Runtimes, OptionsError> {
    let mut runtimes = Runtimes::default();
    for (name, text) in settings.map("add-runtime") {
        let wrong = |why: String| value("add-runtime", &name, why);
        let runtime = match text.starts_with('{') {
            true => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
            false => Runtime { path: text, ..Runtime::default() },
        };
        if name == runtimes::OWN {
            return Err(wrong("that name is berth's own runtime's".to_owned()));
        }
        if runtime.path.is_empty() {
            return Err(wrong("it has no path; runtimes of containerd (runtimeType) cannot be used".to_owned()));
        }
        runtimes.foreign.insert(name, Foreign { path: runtime.path.into(), args: runtime.runtime_args });
    }
    if let Some(default) = settings.text("default-runtime").filter(|name| !name.is_empty()) {
        let known = runtimes.resolve(default);
        runtimes.default = known.map_err(|_| {
            value("default-runtime", default, "specified default runtime does not exist: there is no such runtime")
        })?;
    }
    Ok(runtimes)
}

fn attempts(settings: &Settings) -> Result<u32, OptionsError> {
    match settings.number("max-download-attempts") {
        None => Ok(0),
        Some(number) => u32::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| value("max-download-attempts", &number.to_string(), "it must be at least 1")),
    }
}

fn at_once(settings: &Settings, name: &'static str, usual: usize) -> Result<usize, OptionsError> {
    match settings.number(name) {
        None => Ok(usual),
        Some(number) => usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| value(name, &number.to_string(), "it must be at least 1")),
    }
}

/// What is not said by an option is said by the environment. A bad address in an option is refused here; one in the
/// environment, when it is needed.
fn proxies(settings: &Settings) -> Result<Proxies, OptionsError> {
    let options = ["http-proxy", "https-proxy", "no-proxy"];
    let mut listed = settings.map("proxies");
    if let Some(unknown) = listed.keys().find(|key| !options.contains(&key.as_str())) {
        return Err(value("proxies", unknown, "there are http-proxy, https-proxy and no-proxy"));
    }
    let mut said = |name: &str| settings.text(name).map(str::to_owned).or_else(|| listed.remove(name));
    let (http, https, none) = (said(options[0]), said(options[1]), said(options[2]));
    for (name, address) in options.into_iter().zip([&http, &https]) {
        if let Some(address) = address.as_ref().filter(|address| !address.is_empty()) {
            Proxies::check(address).map_err(|why| value(name, &Proxies::masked(address), why))?;
        }
    }
    let found = Proxies::from_environment();
    Ok(Proxies {
        http: http.unwrap_or(found.http),
        https: https.unwrap_or(found.https),
        none: none.unwrap_or(found.none),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn live(file: &str) -> Result<Live, OptionsError> {
        Live::read(&Settings::from_file("f", file)?)
    }

    #[test]
    fn meanings() {
        let read = live(
            r#"{"labels":["a=1","b=","a=1"],"registry-mirrors":["https://m/x"],"max-download-attempts":2,
                "proxies":{"https-proxy":"http://p:1","no-proxy":"a,b"},"debug":true}"#,
        );
        let read = read.unwrap();
        assert_eq!(read.labels, ["a=1", "b="]);
        assert_eq!((read.debug, read.log_level), (true, tracing::Level::DEBUG));
        assert_eq!((read.registries.attempts, read.concurrent_downloads), (2, 3));
        let proxies = read.registries.proxies.unwrap();
        assert_eq!((proxies.https.as_str(), proxies.none.as_str()), ("http://p:1", "a,b"));
        let attributes = live("{}").unwrap().attributes("host");
        assert_eq!((attributes["name"].as_str(), attributes["labels"].as_str()), ("host", "[]"));
    }

    #[test]
    fn mirrors_by_registry() {
        let text = r#"{"registry-mirrors":{"gcr.io":["https://a","http://b/x"],"docker.io":["https://c"]}}"#;
        let read = live(text).unwrap();
        assert_eq!(read.registries.mirrors["gcr.io"], ["https://a", "http://b/x"]);
        assert_eq!(read.registries.mirrors["docker.io"], ["https://c"]);
        let shown = r#"{"docker.io":["https://c"],"gcr.io":["https://a","http://b/x"]}"#;
        assert_eq!(read.attributes("h")["registry-mirrors"], shown);
        let listed = live(r#"{"registry-mirrors":["https://m/x"],"max-concurrent-uploads":2}"#).unwrap();
        assert_eq!(listed.attributes("h")["registry-mirrors"], r#"["https://m/x"]"#);
        assert_eq!(listed.concurrent_uploads, 2);
    }

    #[test]
    fn runtimes_and_the_default_one() {
        let file =
            r#"{"runtimes":{"crun":{"path":"/usr/bin/crun","runtimeArgs":["--debug"]}},"default-runtime":"crun"}"#;
        let runtimes = live(file).unwrap().runtimes;
        assert_eq!((runtimes.default.as_str(), runtimes.foreign["crun"].args.len()), ("crun", 1));
        let flags = ["--add-runtime=a=/b".to_owned()];
        let runtimes = Live::read(&Settings::from_args(&flags).unwrap()).unwrap().runtimes;
        assert_eq!(runtimes.foreign["a"].path, std::path::Path::new("/b"));
        assert_eq!(runtimes.default, "berth");
    }

    #[test]
    fn what_means_nothing() {
        for (file, why) in [
            (r#"{"labels":["nothing"]}"#, "bad attribute format"),
            (r#"{"labels":["=x"]}"#, "bad attribute format"),
            (r#"{"labels":["a=1","a=2"]}"#, "conflict labels for a=1 and a=2"),
            (r#"{"registry-mirrors":["m.example"]}"#, "no scheme specified"),
            (r#"{"registry-mirrors":["https://u@m"]}"#, "user information"),
            (r#"{"max-download-attempts":0}"#, "at least 1"),
            (r#"{"max-concurrent-downloads":-1}"#, "at least 1"),
            (r#"{"max-concurrent-uploads":0}"#, "at least 1"),
            (r#"{"registry-mirrors":{"gcr.io/x":["https://m"]}}"#, "a registry's host"),
            (r#"{"runtimes":{"berth":{"path":"/x"}}}"#, "berth's own"),
            (r#"{"runtimes":{"x":{"runtimeType":"io.containerd.x"}}}"#, "runtimeType"),
            (r#"{"runtimes":{"x":{}}}"#, "no path"),
            (r#"{"default-runtime":"x"}"#, "does not exist"),
            (r#"{"proxies":{"ftp-proxy":"x"}}"#, "http-proxy, https-proxy and no-proxy"),
            (r#"{"proxies":{"http-proxy":"socks5://u:p@h:1"}}"#, "\"socks5://xxxxx:xxxxx@h:1\": it must be http://"),
        ] {
            let error = live(file).unwrap_err().to_string();
            assert!(error.contains(why), "{file}: {error}");
        }
    }
}
