//! Debian's dockerd, for as long as a test.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::host::until;
use crate::leftovers;

/// A dockerd with directories of its own.
pub(crate) struct Dockerd {
    process: Child,
    root: TempDir,
}

impl Dockerd {
    /// With `wrapper` in front of it, and with more flags.
    pub(crate) fn start(wrapper: &[String], flags: &[&str]) -> Self {
        let root = TempDir::with_prefix("berth-dockerd-").unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        let words = [wrapper, &["dockerd".to_owned()]].concat();
        let log = fs::File::create(root.path().join("log")).unwrap();
        let process = Command::new(&words[0])
            .args(&words[1..])
            .args(["-H", &format!("unix://{}", path("sock"))])
            .args(["--data-root", &path("data"), "--exec-root", &path("run"), "--pidfile", &path("pid")])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let log = path("log");
        let dockerd = Self { process, root };
        // It answers earlier, while it still arranges its firewall.
        until("dockerd is ready", || fs::read_to_string(&log).unwrap().contains("API listen on"));
        dockerd
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.root().join("sock").display())
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let stopped = kill_process(Pid::from_child(&self.process), Signal::TERM).map(|()| self.process.wait());
        unmount_below(self.root());
        if !std::thread::panicking() {
            stopped.unwrap().unwrap();
            leftovers::assert_none(self.root(), "-", "");
        }
    }
}

/// dockerd leaves the file it mounts its own network namespace on.
fn unmount_below(root: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let targets = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for target in targets.filter(|target| Path::new(target).starts_with(root)) {
        berth_fixtures::command("umount", &[target]);
    }
}
