//! The files of contexts: `meta/<sha256 of the name>/meta.json`, and keys in `tls/<sha256>/<endpoint>/`.
//!
//! What other tools keep in a context (other endpoints, members we do not know) stays as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use berth_oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::grammar::os_error;

/// The endpoint that is ours.
const DOCKER: &str = "docker";

/// `meta.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Meta {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default)]
    pub(crate) endpoints: BTreeMap<String, Value>,
}

/// The endpoint `docker` of a context.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Docker {
    #[serde(rename = "Host", default, skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    pub(crate) skip_tls_verify: bool,
}

/// The TLS files of an endpoint: name (`ca.pem`) and where it lies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls {
    pub(crate) files: BTreeMap<String, PathBuf>,
}

impl Meta {
    /// The endpoint `docker`, where there is one that can be read.
    pub(crate) fn docker(&self) -> Option<Docker> {
        Docker::deserialize(self.endpoints.get(DOCKER)?).ok()
    }

    pub(crate) fn set_docker(&mut self, docker: &Docker) {
        self.endpoints.insert(DOCKER.to_owned(), serde_json::to_value(docker).unwrap_or_default());
    }

    pub(crate) fn description(&self) -> &str {
        self.metadata.get("Description").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn set_description(&mut self, text: &str) {
        match text {
            "" => _ = self.metadata.remove("Description"),
            text => _ = self.metadata.insert("Description".to_owned(), Value::from(text)),
        }
    }
}

/// The contexts of one configuration directory.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn of(config: &Config) -> Self {
        Self { root: config.directory.join("contexts") }
    }

    /// The directory of a context's `meta.json`.
    pub(crate) fn meta_path(&self, name: &str) -> PathBuf {
        self.root.join("meta").join(Digest::of(name.as_bytes()).hex())
    }

    /// The directory of a context's keys.
    pub(crate) fn tls_path(&self, name: &str) -> PathBuf {
        self.root.join("tls").join(Digest::of(name.as_bytes()).hex())
    }

    /// Every context, by name; what can't be read is left out.
    pub(crate) fn list(&self) -> Vec<Meta> {
        let entries = fs::read_dir(self.root.join("meta")).into_iter().flatten().flatten();
        let metas = entries.filter_map(|entry| fs::read(entry.path().join("meta.json")).ok());
        let mut found: Vec<Meta> = metas.filter_map(|text| serde_json::from_slice(&text).ok()).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.meta_path(name).join("meta.json").exists()
    }

    /// One context; the error is Docker's sentence.
    pub(crate) fn read(&self, name: &str) -> Result<Meta, String> {
        let path = self.meta_path(name).join("meta.json");
        let text = fs::read(&path).map_err(|error| {
            let reason = os_error("open", &path.to_string_lossy(), &error);
            format!("context {name:?}: context not found: {reason}")
        })?;
        serde_json::from_slice(&text).map_err(|error| format!("context {name:?}: {}: {error}", path.display()))
    }

    /// The TLS files of a context's docker endpoint.
    pub(crate) fn tls(&self, name: &str) -> Tls {
        let entries = fs::read_dir(self.tls_path(name).join(DOCKER)).into_iter().flatten().flatten();
        Tls { files: entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect() }
    }

    /// Writes `meta.json`, whole or not at all.
    pub(crate) fn write(&self, meta: &Meta) -> Result<(), String> {
        let directory = self.meta_path(&meta.name);
        make_directory(&directory, 0o755)?;
        let text = serde_json::to_vec(meta).map_err(|e| e.to_string())?;
        write_file(&directory.join("meta.json"), &text, 0o644)
    }

    /// Makes `files` the keys of the docker endpoint, instead of those it had.
    pub(crate) fn write_tls(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        remove_directory(&self.tls_path(name))?;
        if files.is_empty() {
            return Ok(());
        }
        let directory = self.tls_path(name).join(DOCKER);
        make_directory(&directory, 0o700)?;
        files.iter().try_for_each(|(file, bytes)| write_file(&directory.join(file), bytes, 0o600))
    }

    /// Removes a context; it need not exist.
    pub(crate) fn remove(&self, name: &str) -> Result<(), String> {
        remove_directory(&self.meta_path(name))?;
        remove_directory(&self.tls_path(name))
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|e| os_error("mkdir", &path.to_string_lossy(), &e))
}

fn remove_directory(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(os_error("remove", &path.to_string_lossy(), &error))
        }
        _ => Ok(()),
    }
}

/// Writes a file beside its place and moves it there.
pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        _ = fs::remove_file(&beside);
        os_error("write", &path.to_string_lossy(), &error)
    })
}
