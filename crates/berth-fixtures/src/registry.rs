//! A real registry: Debian's `docker-registry` on a port that the kernel gives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command;

/// Who may use a guarded registry.
pub const USER: &str = "somebody";
/// With which password.
pub const PASSWORD: &str = "right";
/// Its bcrypt hash, as `htpasswd -B` makes it.
const PASSWORD_HASH: &str = "$2y$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC";

/// A registry that runs until this process ends.
#[derive(Debug)]
pub struct Registry {
    /// `127.0.0.1:PORT`
    pub host: String,
    /// Its directory: configuration, log, data.
    pub root: PathBuf,
}

impl Registry {
    /// An empty registry; `root` is emptied first.
    #[must_use]
    pub fn start(root: &Path) -> Self {
        Self::start_in(root, &[])
    }

    /// An empty registry that only [`USER`] may use, with [`PASSWORD`].
    #[must_use]
    pub fn start_guarded(root: &Path) -> Self {
        let guard = json!({"htpasswd": {"realm": "berth", "path": root.join("htpasswd")}});
        prepare(root, |config| config["auth"] = guard);
        fs::write(root.join("htpasswd"), format!("{USER}:{PASSWORD_HASH}\n")).unwrap();
        Self::spawn(root, &[])
    }

    /// An empty registry that speaks TLS, with a certificate and its key (PEM files).
    #[must_use]
    pub fn start_tls(root: &Path, certificate: &Path, key: &Path) -> Self {
        let tls = json!({"certificate": certificate, "key": key});
        prepare(root, |config| config["http"]["tls"] = tls);
        Self::spawn(root, &[])
    }

    /// The same, started by `wrapper` (`nsenter …`).
    #[must_use]
    pub fn start_in(root: &Path, wrapper: &[&str]) -> Self {
        prepare(root, |_| ());
        Self::spawn(root, wrapper)
    }

    fn spawn(root: &Path, wrapper: &[&str]) -> Self {
        spawn_until_we_end(root, wrapper);
        let log = root.join("log");
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(host) = listening(&fs::read_to_string(&log).unwrap_or_default()) {
                return Self { host, root: root.to_owned() };
            }
            assert!(Instant::now() < deadline, "the registry does not listen: see {}", log.display());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many lines of the access log contain `text`.
    #[must_use]
    pub fn requests(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.root.join("log")).unwrap();
        log.lines().filter(|line| line.contains("HTTP/1.1\" ") && line.contains(text)).count()
    }

    /// Changes one byte of the smallest layer, so that it keeps its length but not its digest.
    pub fn corrupt_smallest_layer(&self) {
        let blobs = self.root.join("data/docker/registry/v2/blobs/sha256");
        let directories = fs::read_dir(blobs).unwrap().flatten().flat_map(|part| fs::read_dir(part.path()).unwrap());
        let files = directories.flatten().map(|blob| blob.path().join("data"));
        let layers = files.filter(|file| fs::read(file).unwrap().starts_with(&[0x1f, 0x8b]));
        let smallest = layers.min_by_key(|file| fs::metadata(file).unwrap().len()).expect("a gzip layer");
        let mut bytes = fs::read(&smallest).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 0xff;
        fs::write(smallest, bytes).unwrap();
    }

    /// Copies one image of a layout here, as `name:tag`.
    pub fn push(&self, layout: &Path, name: &str, more: &[&str]) {
        let source = format!("oci:{}:{name}", layout.display());
        let target = format!("docker://{}/{name}", self.host);
        let mut args = vec!["copy", "-q", "--all", "--dest-tls-verify=false", &source, &target];
        args.extend(more);
        command("skopeo", &args);
    }
}

/// An empty directory and a configuration.
fn prepare(root: &Path, change: impl FnOnce(&mut Value)) {
    drop(fs::remove_dir_all(root));
    fs::create_dir_all(root).unwrap();
    let mut config = json!({
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": false}},
        "storage": {"filesystem": {"rootdirectory": root.join("data")}, "delete": {"enabled": true}},
        "http": {"addr": "127.0.0.1:0"},
    });
    change(&mut config);
    fs::write(root.join("config.yml"), config.to_string()).unwrap();
}

/// Where its log says that it listens.
fn listening(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("msg=\"listening on ")?;
    let end = rest.find(['"', ','])?;
    Some(rest[..end].to_owned())
}

/// Starts the registry from a thread that never ends, and has the kernel kill it when that thread does: with the
/// test process, however that ends.
fn spawn_until_we_end(root: &Path, wrapper: &[&str]) {
    let root = root.to_owned();
    let words = [wrapper, &["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve"]].concat();
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    std::thread::spawn(move || {
        let log = fs::File::create(root.join("log")).unwrap();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .arg(root.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("setpriv and docker-registry are installed");
        child.wait().unwrap();
        panic!("the registry ended: see {}", root.join("log").display());
    });
}
