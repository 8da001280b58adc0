//! Volumes under attack, and a daemon that dies in between.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::host::{Cli, Host, until};
use crate::volumes_mounts::mounted;

rows![links_lead_nowhere, names_stay_names];

/// A subpath, a copy-up target and a volume's content that point out of where they are.
fn links_lead_nowhere(host: &Host) {
    let (image, with_links, volume) = (host.image(), host.fixture("volumes"), host.name("vol"));
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let bind = format!("{volume}:/d");
    let script = format!(
        "ln -s {} /d/abs; ln -s ../../../../../../../../../../../tmp /d/up; ln -s up /d/chain",
        outside.path().display()
    );
    host.run(&["run", "--rm", "-v", &bind, &image, "sh", "-c", &script]);
    for subpath in ["abs", "up", "chain", "abs/secret"] {
        let mount = format!("type=volume,src={volume},dst=/s,volume-subpath={subpath}");
        let done = host.try_run(&["run", "--rm", "--mount", &mount, &image, "ls", "/s"]);
        assert!(done.code == 125 && !done.out.contains("secret"), "{subpath}: {done:?}");
    }
    // `/out` of the image leads to the root's `tmp`, wherever it says it leads: the image's own, and nothing of the host's.
    let out = host.name("out");
    let listed = host.run(&["run", "--rm", "-v", &format!("{out}:/out"), &with_links, "ls", "-A", "/out", "/tmp"]);
    assert_eq!(listed, "/out:\n\n/tmp:");
    host.run(&["volume", "rm", &volume, &out]);
}

fn names_stay_names(host: &Host) {
    let image = host.image();
    for name in ["a/../../b", "x/", "_x", "a b", "x\\y"] {
        let done = host.try_run(&["create", "-v", &format!("{name}:/d"), &image, "true"]);
        assert_ne!(done.code, 0, "{name}: {done:?}");
        assert_ne!(host.try_run(&["volume", "rm", name]).code, 0, "{name}");
    }
    if host.is_berth() {
        assert!(!host.daemon().root().join("x").exists());
        let left = fs::read_dir(host.daemon().data_root().join("volumes"));
        assert_eq!(left.map_or(0, Iterator::count), 0);
    }
}

fn directories(host: &Host) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.daemon().data_root().join("volumes")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Killed while an anonymous volume is being filled, and with what an earlier crash would have left.
#[test]
fn no_orphan_after_a_kill() {
    let mut host = Host::start(Cli::Ours);
    let (image, debian, kept) = (host.image(), host.fixture("debian"), host.name("kept"));
    host.run(&["create", "--name", &kept, "-v", "/d", &image]);
    let before = directories(&host);
    assert_eq!(before.len(), 1);
    let mut create = host.command();
    let mut create = create.args(["create", "-v", "/usr", "-v", "half:/var", &debian, "true"]).spawn().unwrap();
    until("a volume is being filled", || {
        directories(&host).iter().any(|path| !before.contains(path) && path.join("_data/share").exists())
    });
    host.kill_daemon();
    assert_ne!(create.wait().unwrap().code(), Some(0));
    fs::create_dir_all(host.daemon().data_root().join(format!("volumes/{}/_data", "0".repeat(64)))).unwrap();
    host.restart_daemon();
    assert_eq!(host.run(&["volume", "ls", "-q"]).lines().count(), 1);
    assert_eq!(directories(&host), before);
    assert_eq!(host.run(&["ps", "-aq"]).lines().count(), 1);
    assert_eq!(
        host.run(&["run", "--rm", "-v", "half:/var", &debian, "ls", "/var/lib/dpkg/status"]),
        "/var/lib/dpkg/status"
    );
}

/// Reference counts of mounted volumes after `kill -9`: what runs keeps its mount, what ended meanwhile does not.
#[test]
fn mounts_are_counted_right_after_a_kill() {
    let mut host = Host::start(Cli::Ours);
    let image = host.image();
    let volumes = ["used", "ended"].map(|name| {
        host.run(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", name]);
        host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", name])
    });
    host.run(&["run", "-d", "--name", "runs", "-v", "used:/d", &image, "sh", "-c", "echo x > /d/f; sleep 300"]);
    host.run(&["run", "-d", "--name", "ends", "-v", "ended:/d", &image, "sleep", "300"]);
    let pid = host.inspect("ends", "{{.State.Pid}}");
    assert_eq!(volumes.each_ref().map(|place| mounted(place)), [1, 1]);
    host.kill_daemon();
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until("its process is gone", || !fs::exists(format!("/proc/{pid}/ns")).unwrap());
    host.restart_daemon();
    assert_eq!(host.inspect("ends", "{{.State.Status}}"), "exited");
    assert_eq!(volumes.each_ref().map(|place| mounted(place)), [1, 0]);
    host.run(&["run", "--rm", "-v", "used:/d", &image, "cat", "/d/f"]);
    assert_eq!(mounted(&volumes[0]), 1, "the first user runs still");
    host.run(&["rm", "-f", "runs"]);
    until("the last user unmounts it", || mounted(&volumes[0]) == 0);
}

/// `--rm` while nobody was there: its anonymous volume goes with it.
#[test]
fn anonymous_volumes_of_what_ended_unseen() {
    let mut host = Host::start(Cli::Ours);
    let image = host.image();
    host.run(&["run", "-d", "--rm", "--name", "brief", "-v", "/d", "-v", "named:/n", &image, "sleep", "300"]);
    assert_eq!(directories(&host).len(), 2);
    let pid = host.inspect("brief", "{{.State.Pid}}");
    host.kill_daemon();
    let process = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    until("it ends", || !fs::exists(format!("/proc/{pid}/ns")).unwrap());
    host.restart_daemon();
    until("its volume is gone", || directories(&host).len() == 1);
    assert_eq!(host.run(&["volume", "ls", "-q"]), "named");
}

/// The data root is all there is, except for what lies outside on purpose: nothing is deleted through a link or mount.
#[test]
fn removal_stays_within_the_volume() {
    let host = Host::start(Cli::Ours);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("f"), "precious").unwrap();
    host.run(&["volume", "create", "vol"]);
    let place = PathBuf::from(host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", "vol"]));
    symlink(outside.path(), place.join("link")).unwrap();
    fs::create_dir(place.join("mounted")).unwrap();
    rustix::mount::mount_bind(outside.path(), place.join("mounted")).unwrap();
    host.run(&["volume", "rm", "vol"]);
    until("its files are gone", || !place.exists());
    assert_eq!(fs::read_to_string(outside.path().join("f")).unwrap(), "precious");
    assert_eq!(mounted(place.join("mounted").to_str().unwrap()), 0);
}
