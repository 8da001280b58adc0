//! The init script: `service berth start|status|reload|stop`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::{BERTH, Done};

struct Service {
    root: tempfile::TempDir,
}

impl Service {
    fn script() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/init.d/berth")
    }

    fn new(options: &str) -> Self {
        let root = tempfile::TempDir::with_prefix("berth-sysv-").unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        let more = format!(
            "-H unix://{} --data-root {} --exec-root {} --bridge bsysv{} --bip 10.251.{}.1/24",
            path("s"),
            path("d"),
            path("e"),
            std::process::id() % 100_000,
            std::process::id() % 250
        );
        let text = format!(
            "BERTH={BERTH}\nBERTH_PIDFILE={}\nBERTH_LOGFILE={}\nBERTH_HOST=unix://{}\nDOCKER_OPTS=\"{more} {options}\"\n",
            path("pid"),
            path("log"),
            path("s")
        );
        fs::write(root.path().join("defaults"), text).unwrap();
        Self { root }
    }

    fn run(&self, word: &str) -> Done {
        let mut command = Command::new("sh");
        command.arg(Self::script()).arg(word).env("BERTH_DEFAULTS", self.root.path().join("defaults"));
        Done::from(command.stdin(Stdio::null()).output().unwrap())
    }
}

#[test]
fn a011_service_status() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), r#"{"labels":["by=script"]}"#).unwrap();
    let service = Service::new(&format!("--config-file {}", file.path().display()));
    service.run("status").fails_with(3, "berth is not running");
    let started = service.run("start");
    assert!(started.code == 0 && started.out.starts_with("berth started"), "{started:?}");
    let status = service.run("status");
    assert!(status.code == 0 && status.out.starts_with("berth is running (pid "), "{status:?}");
    assert!(service.run("start").out.starts_with("berth is running already"));
    let socket = format!("unix://{}/s", service.root.path().display());
    let labels = Command::new(BERTH).args(["-H", &socket, "info", "-f", "{{.Labels}}"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&labels.stdout).trim(), "[by=script]", "DOCKER_OPTS counts");
    assert_eq!(service.run("reload").out, "berth reads its configuration again");
    let stopped = service.run("stop");
    assert!(stopped.code == 0 && stopped.out.starts_with("berth stopped"), "{stopped:?}");
    assert_eq!(service.run("status").code, 3);
    assert_eq!(service.run("stop").out, "berth is not running");
    assert_eq!(service.run("nonsense").code, 2);
}

/// Where a daemon cannot start, its own words are shown.
#[test]
fn a011_a_start_that_fails_says_why() {
    let service = Service::new("--no-such-flag");
    service.run("start").fails_with(1, "unknown flag: --no-such-flag");
}
