//! A cgroup of this host for one test, and programs to run in it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use berth_cgroup::{Cgroup, Created, Error, Hierarchy, Options};
use oci_spec::runtime::LinuxResources;
use serde_json::Value;

/// A parent cgroup of its own for one test. Dropped, it must be empty, and nothing may remain.
pub(crate) struct Host {
    pub(crate) hierarchy: Hierarchy,
    parent: String,
}

impl Host {
    /// Says why, and gives `None`, where this host's cgroups cannot be used.
    pub(crate) fn new(test: &str) -> Option<Host> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let unusable = |why: String| eprintln!("skipped: {test}: {why}");
        let hierarchy = Hierarchy::detect().map_err(|error| unusable(error.to_string())).ok()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let parent = format!("/berth-test-{}-{number}", std::process::id());
        let host = Host { hierarchy, parent };
        match host.create(&resources(serde_json::json!({}))) {
            Ok(cgroup) => cgroup.remove().unwrap(),
            Err(error) => {
                unusable(error.to_string());
                return None;
            }
        }
        Some(host)
    }

    /// The same, if the host has the controllers too.
    pub(crate) fn with(test: &str, controllers: &[&str]) -> Option<Host> {
        let host = Host::new(test)?;
        for controller in controllers {
            if !host.hierarchy.has(controller) {
                eprintln!("skipped: {test}: this host has no {controller} controller");
                return None;
            }
        }
        Some(host)
    }

    pub(crate) fn path(&self) -> String {
        format!("{}/c", self.parent)
    }

    pub(crate) fn create(&self, resources: &LinuxResources) -> Result<Cgroup, Error> {
        Cgroup::create(&self.hierarchy, &self.path(), resources)
    }

    pub(crate) fn create_leniently(&self, resources: &LinuxResources) -> Result<Created, Error> {
        let options = Options { lenient: true, ..Options::default() };
        Cgroup::create_with(&self.hierarchy, &self.path(), resources, &options)
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.hierarchy.mode() == berth_cgroup::Mode::V2
    }

    pub(crate) fn parents(&self) -> Vec<PathBuf> {
        let parent = Cgroup::open(&self.hierarchy, &self.parent, Default::default()).unwrap();
        parent.directories().map(|(_, path)| path.to_owned()).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(left) = Cgroup::open(&self.hierarchy, &self.path(), Default::default())
        {
            let _ = left.kill_all(rustix::process::Signal::KILL);
            let _ = left.remove();
        }
        self.hierarchy.prune(&self.parent);
        if !std::thread::panicking() {
            let left: Vec<_> = self.parents().into_iter().filter(|path| path.exists()).collect();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

pub(crate) fn resources(json: Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

/// What a file of the cgroup says.
pub(crate) fn value(cgroup: &Cgroup, controller: &str, file: &str) -> String {
    let path = cgroup.directory(controller).unwrap().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// A shell in the cgroup, killed and reaped when dropped.
pub(crate) struct Inside(pub(crate) Child);

impl Inside {
    pub(crate) fn run(cgroup: &Cgroup, script: &str) -> Inside {
        // It goes on only once it is in.
        let mut child = Command::new("sh")
            .args(["-c", &format!("read go; {script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        cgroup.add(child.id().cast_signed()).unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"go\n").unwrap();
        Inside(child)
    }

    /// What it said, and its exit code.
    pub(crate) fn finish(mut self) -> (String, Option<i32>) {
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stdout.as_mut().unwrap(), &mut said).unwrap();
        let status = self.0.wait().unwrap();
        (said, status.code())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
