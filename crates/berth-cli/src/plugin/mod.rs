//! Plugins of Docker's command line: programs named `docker-<name>` that bring a command with them (compose, buildx).
//!
//! [`find`] looks one up by name, [`list`] finds all with what they say of themselves, [`become_plugin`] turns this
//! process into one: so signals, terminal and exit code are the plugin's own. A plugin's protocol is one question,
//! `docker-cli-plugin-metadata`, answered with JSON; what can't answer is no plugin, and help says why.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::command;
use crate::failure::Failure;
use crate::program::Program;
use crate::session::Session;

/// What plugins' files begin with.
const PREFIX: &str = "docker-";

/// The question a plugin answers with JSON.
const QUESTION: &str = "docker-cli-plugin-metadata";

/// The only version of that JSON.
const SCHEMA: &str = "0.1.0";

/// Where distributions put plugins.
const SYSTEM: &[&str] = &[
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
];

/// A plugin, or a file that would like to be one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Plugin {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) schema_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) vendor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) short_description: String,
    #[serde(rename = "URL", skip_serializing_if = "String::is_empty")]
    pub(crate) url: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hidden: bool,
    #[serde(skip_deserializing)]
    pub(crate) name: String,
    #[serde(skip_deserializing)]
    pub(crate) path: PathBuf,
    /// Why it is none.
    #[serde(rename = "Err", skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Where plugins are looked for, in order.
fn directories(session: &Session) -> Vec<PathBuf> {
    let config = session.config();
    let own = std::iter::once(config.directory.join("cli-plugins"));
    config.plugin_directories().iter().cloned().chain(own).chain(SYSTEM.iter().map(PathBuf::from)).collect()
}

/// Every file that is named like a plugin, by the plugin's name; the first directory wins.
fn candidates(session: &Session) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for directory in directories(session) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            if !entry.path().is_dir() {
                found.entry(name.to_owned()).or_insert_with(|| entry.path());
            }
        }
    }
    found
}

/// Every plugin, the broken ones too, by name.
pub(crate) fn list(session: &Session) -> Vec<Plugin> {
    let candidates = candidates(session);
    // They are asked at once: each is a program that starts.
    let asked = candidates.into_iter().map(|(name, path)| std::thread::spawn(move || ask(name, path)));
    asked.collect::<Vec<_>>().into_iter().filter_map(|thread| thread.join().ok()).collect()
}

/// The plugin of that name, if it is one.
pub(crate) fn find(session: &Session, name: &str) -> Option<Plugin> {
    check_name(name).ok()?;
    let file = format!("{PREFIX}{name}");
    let path = directories(session).into_iter().map(|d| d.join(&file)).find(|path| path.is_file())?;
    Some(ask(name.to_owned(), path))
}

fn check_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if good { Ok(()) } else { Err(format!("plugin candidate {name:?} did not match \"^[a-z][a-z0-9]*$\"")) }
}

fn ask(name: String, path: PathBuf) -> Plugin {
    let mut plugin = Plugin::default();
    let checked = check_name(&name).and_then(|()| match command::is_ours(&name) {
        true => Err(format!("plugin {name:?} duplicates builtin command")),
        false => metadata(&path),
    });
    match checked.and_then(|text| read(&text)) {
        Ok((said, error)) => plugin = Plugin { error, ..said },
        Err(error) => plugin.error = Some(error),
    }
    Plugin { name, path, ..plugin }
}

fn metadata(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |reason: String| format!("failed to fetch metadata: {reason}");
    let mut command = Command::new(path);
    let output = command.arg(QUESTION).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map_err(|e| failed(crate::grammar::os_error("fork/exec", &path.to_string_lossy(), &e)))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(failed(output.status.to_string().replace("exit status: ", "exit status "))),
    }
}

/// What a plugin says of itself, and what is wrong with that.
fn read(text: &[u8]) -> Result<(Plugin, Option<String>), String> {
    let said: Plugin = serde_json::from_slice(text).map_err(|error| format!("invalid metadata: {error}"))?;
    let error = if said.schema_version != SCHEMA {
        Some(format!("plugin SchemaVersion {:?} is not valid, must be {SCHEMA}", said.schema_version))
    } else if said.vendor.is_empty() {
        Some("plugin metadata does not define a vendor".to_owned())
    } else {
        None
    };
    Ok((said, error))
}

/// Becomes the plugin, with the words of our own command line. Returns only if that fails.
pub(crate) fn become_plugin(session: &Session, plugin: &Plugin, words: &[String]) -> Failure {
    let mut command = prepared(session, plugin, words);
    Failure::new(format!("{}: {}: {}", session.program, plugin.path.display(), command.exec()))
}

/// Runs the plugin and gives what it prints: for completion.
pub(crate) fn ask_for(session: &Session, plugin: &Plugin, words: &[String]) -> Option<String> {
    let output = prepared(session, plugin, words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn prepared(session: &Session, plugin: &Plugin, words: &[String]) -> Command {
    let mut command = Command::new(&plugin.path);
    command.args(words).env("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", original(session.program));
    // Plugins read the configuration by themselves; what they cannot know is where our daemon is usually found.
    if let Some(host) = session.host_for_plugins() {
        command.env("DOCKER_HOST", host);
    }
    command
}

/// How the user called us.
fn original(program: Program) -> std::ffi::OsString {
    std::env::args_os().next().unwrap_or_else(|| program.0.into())
}

/// Names of working plugins, for completion and suggestions.
pub(crate) fn names(session: &Session) -> BTreeSet<String> {
    candidates(session).into_keys().filter(|name| check_name(name).is_ok() && !command::is_ours(name)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_plugins_say() {
        let (said, error) = read(br#"{"SchemaVersion":"0.1.0","Vendor":"V","Version":"v1","Extra":1}"#).unwrap();
        assert_eq!((said.vendor.as_str(), said.version.as_str(), error), ("V", "v1", None));
        let (_, error) = read(br#"{"SchemaVersion":"9","Vendor":"V"}"#).unwrap();
        assert_eq!(error.unwrap(), "plugin SchemaVersion \"9\" is not valid, must be 0.1.0");
        let (_, error) = read(br#"{"SchemaVersion":"0.1.0"}"#).unwrap();
        assert_eq!(error.unwrap(), "plugin metadata does not define a vendor");
        assert!(read(b"hello").unwrap_err().starts_with("invalid metadata: "));
        assert!(check_name("com-pose").is_err() && check_name("Compose").is_err() && check_name("compose2").is_ok());
    }
}
