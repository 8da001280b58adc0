//! A host within the host: namespaces that live as long as their test, or as their last process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::host::{Done, until};

/// Held by a `cat` that ends with its standard input, and so with us, however we end.
pub(crate) struct Namespaces {
    holder: Child,
    kinds: Vec<&'static str>,
}

impl Namespaces {
    /// New ones of these kinds, as unshare(1) and nsenter(1) spell them: `--net`, `--mount`.
    pub(crate) fn new(kinds: &[&'static str]) -> Self {
        let holder = Command::new("unshare").args(kinds).arg("cat").stdin(Stdio::piped()).spawn().unwrap();
        let namespaces = Self { holder, kinds: kinds.to_vec() };
        // Before that, a mount of ours could reach the host.
        let comm = namespaces.proc("comm");
        until("the namespaces are made", || fs::read_to_string(&comm).unwrap() == "cat\n");
        namespaces
    }

    pub(crate) fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A file of /proc that shows the inside.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid()))
    }

    /// Words in front of a command that is to run inside; the process is the command's own in the end.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), format!("--target={}", self.pid())];
        words.extend(self.kinds.iter().map(ToString::to_string));
        words.push("--".to_owned());
        words
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }

    /// What a shell inside prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let done = Done::from(self.command("sh").args(["-ec", script]).output().unwrap());
        assert!(done.ok(), "{script}: {}{}", done.out, done.err);
        done.out
    }

    /// The command line of every process that shares the first kind of namespace, but for the holder.
    pub(crate) fn processes(&self) -> BTreeMap<u32, String> {
        let name = match self.kinds[0] {
            "--mount" => "ns/mnt",
            "--net" => "ns/net",
            kind => panic!("processes by {kind}"),
        };
        let ours = fs::read_link(self.proc(name)).unwrap();
        let numbers =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let inside = |pid: &u32| fs::read_link(format!("/proc/{pid}/{name}")).is_ok_and(|theirs| theirs == ours);
        let line = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
        numbers.filter(|pid| *pid != self.pid() && inside(pid)).map(|pid| (pid, line(pid))).collect()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // A test that failed may not have come to stopping what it started.
        let left = if std::thread::panicking() { self.processes() } else { BTreeMap::new() };
        for pid in left.into_keys() {
            drop(Command::new("kill").args(["-KILL", &pid.to_string()]).status());
        }
        drop(self.holder.stdin.take());
        self.holder.wait().unwrap();
    }
}
