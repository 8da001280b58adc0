//! Other engines on our runtime: Debian's podman and dockerd, the latter also at our command line.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::dockerd::Dockerd;
use crate::host::{BERTH, Done, until};
use crate::registry;
use crate::terminal::Terminal;

/// The binary under the name by which other engines start it as a runtime.
pub(crate) fn runtime(root: &Path) -> String {
    let path = root.join("berth-runtime");
    symlink(BERTH, &path).unwrap();
    path.display().to_string()
}

/// A peer's command line, with whatever it needs to be alone.
struct Peer<'a> {
    words: Vec<String>,
    run: &'a [&'a str],
}

impl Peer<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(args).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn tell(&self, args: &[&str]) -> String {
        let done = self.try_tell(args);
        assert!(done.ok(), "{args:?} failed with {}:\n{}{}", done.code, done.out, done.err);
        done.out
    }

    fn try_tell(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).output().unwrap())
    }

    fn run(&self, args: &[&str]) -> Vec<String> {
        [&["run"], self.run, args].concat().into_iter().map(str::to_owned).collect()
    }

    /// The whole of what a runtime is asked for in daily life.
    fn exercise(&self, image: &str) {
        let tell = |args: &[&str]| {
            let words = self.run(args);
            self.try_tell(&words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let done = tell(&["--rm", image, "sh", "-c", "echo out; exit 3"]);
        assert_eq!((done.code, done.out.as_str()), (3, "out"), "{}", done.err);
        let script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes";
        let done = tell(&["--rm", "-m", "64m", "--pids-limit", "20", image, "sh", "-c", script]);
        assert_eq!(done.out, "67108864", "{}", done.err);
        assert!(tell(&["-d", "--name", "box", image, "sleep", "300"]).ok());
        assert_eq!(self.tell(&["exec", "box", "echo", "inside"]), "inside");
        assert_eq!(self.try_tell(&["exec", "box", "sh", "-c", "exit 5"]).code, 5);
        self.tell(&["kill", "box"]);
        until("it is killed", || self.tell(&["inspect", "-f", "{{.State.ExitCode}}", "box"]) == "137");
        self.tell(&["rm", "box"]);
        let words = self.run(&["-it", "--rm", image, "sh"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let terminal = Terminal::start(&self.command(&words));
        terminal.shows("#");
        terminal.type_in("tty; exit 4\n");
        terminal.shows("/dev/pts/0");
        assert_eq!(terminal.ends(), 4);
    }

    /// To a daemon of an older API, whose version is not known before it was asked.
    fn sends_files(&self, image: &str, directory: &Path) {
        let path = |name: &str| directory.join(name).display().to_string();
        let [file, back, archive] = ["file", "back", "archive"].map(path);
        std::fs::write(&file, "content").unwrap();
        self.tell(&["create", "--name", "files", "--network", "none", image, "true"]);
        self.tell(&["cp", &file, "files:/copied"]);
        self.tell(&["cp", "files:/copied", &back]);
        assert_eq!(std::fs::read_to_string(&back).unwrap(), "content");
        self.tell(&["rm", "files"]);
        self.tell(&["save", "-o", &archive, image]);
        self.tell(&["rmi", image]);
        assert!(self.tell(&["load", "-i", &archive]).contains(image));
    }
}

#[test]
fn podman() {
    let root = TempDir::with_prefix("berth-podman-").unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let mut words: Vec<String> =
        ["podman", "--cgroup-manager=cgroupfs", "--events-backend=none"].map(str::to_owned).into();
    words.extend([
        "--storage-driver=vfs".to_owned(),
        "--root".to_owned(),
        path("data"),
        "--runroot".to_owned(),
        path("run"),
    ]);
    words.extend(["--runtime".to_owned(), runtime(root.path())]);
    // Its own default is more than root may raise them to where CAP_SYS_RESOURCE is missing.
    let run = ["--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
    let peer = Peer { words, run: &run };
    let image = registry::reference("busybox");
    peer.tell(&["pull", "-q", "--tls-verify=false", &image]);
    peer.exercise(&image);
}

#[test]
fn dockerd() {
    let directory = TempDir::new().unwrap();
    let berth = format!("berth={}", runtime(directory.path()));
    let flags = ["--bridge", "none", "--iptables=false", "--add-runtime", &berth, "--default-runtime", "berth"];
    let daemon = Dockerd::start(&[], &flags);
    let address = daemon.address();
    let peer = Peer { words: ["docker", "-H", &address].map(str::to_owned).into(), run: &["--network", "none"] };
    let image = registry::reference("busybox");
    peer.tell(&["pull", "-q", &image]);
    peer.exercise(&image);
    let ours = Peer { words: [BERTH, "-H", &address].map(str::to_owned).into(), run: &[] };
    ours.sends_files(&image, directory.path());
}
