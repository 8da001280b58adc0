//! A bundle of its own for every test, and running a runtime on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// A bundle, and the state directory its containers are in. What is left of it when it is dropped is a failure.
pub(crate) struct Bundle {
    pub(crate) directory: PathBuf,
    pub(crate) id: String,
    pub(crate) config: Value,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn from(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: plain(&String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// The output of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The sentence of a failure.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert_ne!(self.code, 0, "{self:?}");
        self.err
    }
}

/// What was said, without the quoting that runc's log adds.
fn plain(said: &str) -> String {
    said.replace("\\\"", "\"")
}

/// Whether the runtime under test is ours: sentences and refusals are only promised by us.
pub(crate) fn ours() -> bool {
    std::env::var_os("BERTH_TEST_RUNTIME").is_none()
}

/// The runtime's program.
pub(crate) fn program() -> PathBuf {
    match std::env::var_os("BERTH_TEST_RUNTIME") {
        Some(other) => PathBuf::from(other),
        None => {
            let own = std::env::current_exe().unwrap();
            own.parent().unwrap().parent().unwrap().join("examples/runtime")
        }
    }
}

impl Bundle {
    /// A root file system with busybox, and a configuration like Docker's that runs `script`.
    pub(crate) fn new(script: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // None is the beginning of another: what is left is looked for by name.
        let id = format!("berth-it-{}-{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&id);
        let root = directory.join("rootfs");
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp", "root"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000:me:/home/me:/bin/sh\n")
            .unwrap();
        let mut bundle = Self { directory, id, config: config() };
        bundle.config["process"]["args"] = json!(["sh", "-c", script]);
        bundle
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    /// Adds a mount.
    pub(crate) fn mount(&mut self, mount: Value) -> &mut Self {
        self.config["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    /// `run`: create, start, wait, delete.
    pub(crate) fn run(&self) -> Done {
        self.write();
        self.command(&["run", "--bundle", self.directory.to_str().unwrap(), &self.id])
    }

    /// `create`; the container's output goes nowhere.
    pub(crate) fn create(&self) -> Done {
        self.write();
        let log = self.directory.join("create.err");
        let status = self
            .prepared(&["create", "--bundle", self.directory.to_str().unwrap(), &self.id])
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.directory.join("out")).unwrap())
            .stderr(fs::File::create(&log).unwrap())
            .status()
            .unwrap();
        Done { code: status.code().unwrap(), out: String::new(), err: plain(&fs::read_to_string(log).unwrap()) }
    }

    /// What a created container has written.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.directory.join("out")).unwrap()
    }

    /// A container that runs in the background.
    #[track_caller]
    pub(crate) fn start(&self) {
        self.create().ok();
        self.command(&["start", &self.id]).ok();
    }

    pub(crate) fn command(&self, words: &[&str]) -> Done {
        Done::from(&self.prepared(words).stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn exec(&self, script: &str) -> Done {
        self.command(&["exec", &self.id, "sh", "-c", script])
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.command(&["state", &self.id]).ok()).unwrap()
    }

    pub(crate) fn prepared(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--root").arg(self.directory.join("state")).args(words);
        command
    }

    pub(crate) fn write(&self) {
        let mut config = self.config.clone();
        config["linux"]["cgroupsPath"] = json!(format!("/{}", self.id));
        fs::write(self.directory.join("config.json"), config.to_string()).unwrap();
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.command(&["delete", "--force", &self.id]);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let left: Vec<&str> = mounts.lines().filter(|line| line.contains(&self.id)).collect();
        let cgroups = cgroups_named(&self.id);
        let states = fs::read_dir(self.directory.join("state")).into_iter().flatten().count();
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "mounts are left: {left:?}");
            assert!(cgroups.is_empty(), "cgroups are left: {cgroups:?}");
            assert_eq!(states, 0, "state is left");
        }
    }
}

/// Where a cgroup of that name is, in every hierarchy.
pub(crate) fn cgroups_named(id: &str) -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let mut found = vec![top.join(id)];
    found.extend(fs::read_dir(top).into_iter().flatten().flatten().map(|entry| entry.path().join(id)));
    found.retain(|path| path.is_dir());
    found
}

const APPLETS: &[&str] = &[
    "sh", "ls", "cat", "true", "false", "mount", "id", "ps", "env", "sleep", "echo", "pwd", "stat", "head", "touch",
    "mkdir", "ln", "grep", "readlink", "kill", "tty", "stty", "dd", "hostname", "ip", "umount", "wc", "test", "tail",
    "chroot", "nproc", "cut", "sort", "trap", "seq", "od",
];

fn config() -> Value {
    let caps = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_MKNOD"];
    let mount = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs" },
        "hostname": "inside",
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        ],
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}
