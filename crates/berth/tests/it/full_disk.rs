//! A data root that runs full: one clear sentence, nothing half done, room can be made, and then it works.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use berth_fixtures::{Entry, Image, Layout, PATH, Registry, layer};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::json;
use tempfile::TempDir;

use crate::host::{Cli, Done, Host, Wishes, until};
use crate::killed::noise;
use crate::registry;

rows_of_own_daemons![
    on_a_small_disk:
    a020_pulling_onto_a_full_disk,
    a198_loading_onto_a_full_disk,
    a030_committing_onto_a_full_disk,
    a118_a_container_fills_the_disk,
    a089_a_full_disk_is_emptied,
];

const MIB: u64 = 1 << 20;
/// Bytes of the large layer, which do not compress.
const LARGE: usize = 8_000_000;

/// A file system of its own.
struct Small {
    place: TempDir,
}

impl Small {
    fn new() -> Self {
        let small = Self { place: TempDir::with_prefix("berth-small-").unwrap() };
        let (image, mount) = (small.place.path().join("image"), small.mount());
        File::create(&image).unwrap().set_len(64 * MIB).unwrap();
        fs::create_dir(&mount).unwrap();
        let (image, mount) = (image.to_str().unwrap(), mount.to_str().unwrap());
        run(&["mkfs.ext4", "-q", "-F", "-m", "0", image]);
        run(&["mount", "-o", "loop", image, mount]);
        small
    }

    fn mount(&self) -> PathBuf {
        self.place.path().join("mount")
    }

    fn data(&self) -> PathBuf {
        self.mount().join("data")
    }

    fn free(&self) -> u64 {
        let found = statvfs(self.mount().as_path()).unwrap();
        found.f_bavail * found.f_frsize
    }

    /// Leaves so much room, but for a little. Whatever is still being written is waited for.
    fn fill(&self, room: u64) {
        run(&["sync", "-f", self.mount().to_str().unwrap()]);
        let ballast = File::options().create(true).append(true).open(self.mount().join("ballast")).unwrap();
        let mut end = ballast.metadata().unwrap().len();
        // The last blocks may be wanted for the ballast's own description.
        for step in [MIB, 64 << 10, 4 << 10] {
            while self.free() >= room + step && fallocate(&ballast, FallocateFlags::empty(), end, step).is_ok() {
                end += step;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.mount().join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mount = self.mount();
        let gone = || Command::new("umount").arg(&mount).status().is_ok_and(|status| status.success());
        if std::thread::panicking() {
            drop(Command::new("umount").arg("-l").arg(&mount).status());
        } else {
            until("nobody uses the small disk", gone);
        }
    }
}

fn run(words: &[&str]) {
    let done = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn on_a_small_disk(cli: Cli, check: fn(&mut Host, &Small)) {
    let small = Small::new();
    let flags = vec![format!("--data-root={}", small.data().display())];
    let mut host = Host::start_as(cli, Wishes { flags, ..Wishes::default() });
    check(&mut host, &small);
}

/// `large:latest`, with a layer that has no room.
fn large(host: &Host) -> (Registry, String) {
    let registry = registry::empty(&host.name("full"));
    let root = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(root.path());
    let files = [("one", 1), ("two", 2)].map(|(name, seed)| Entry::File(name, 0o644, noise(seed, LARGE / 2)));
    let layers = [berth_fixtures::busybox(), layer(files.into())];
    layout.image("large:latest", &Image::new(&layers, json!({"Env": [PATH], "Cmd": ["sh"]})));
    layout.finish();
    registry.push(root.path(), "large:latest", &[]);
    let name = format!("{}/large:latest", registry.host);
    (registry, name)
}

/// `system check`, of which only our command line knows.
fn assert_sound(host: &Host, after: &str) {
    let done = Command::new(crate::host::BERTH).args(["-H", host.address(), "system", "check"]).output().unwrap();
    let done = Done::from(done);
    assert!(done.ok(), "after {after}: {}{}", done.out, done.err);
}

/// It failed for lack of room, in one sentence, and what it had begun is gone.
#[track_caller]
fn assert_undone(host: &Host, small: &Small, before: u64, what: &str, done: &Done) {
    assert!(!done.ok() && done.err.contains("no space left on device: "), "{what}: {}{}", done.out, done.err);
    assert_eq!(done.err.trim_end().lines().count(), 1, "{what}: {}", done.err);
    assert!(done.err.contains("nothing of it is kept: make room where "), "{what}: {}", done.err);
    assert_sound(host, what);
    until("what was begun is gone", || small.free() + (128 << 10) >= before);
}

fn a020_pulling_onto_a_full_disk(host: &mut Host, small: &Small) {
    let (image, (_registry, large)) = (host.image(), large(host));
    small.fill(3 * MIB);
    let before = small.free();
    for _ in 0..2 {
        let done = host.try_run(&["pull", &large]);
        assert_undone(host, small, before, "the pull", &done);
        assert!(!host.try_run(&["image", "inspect", &large]).ok());
    }
    assert_eq!(host.run(&["run", "--rm", &image, "echo", "others run"]), "others run");
    small.make_room();
    host.run(&["pull", &large]);
    assert_eq!(host.run(&["run", "--rm", &large, "sh", "-c", "cat /one /two | wc -c"]), LARGE.to_string());
    assert_sound(host, "everything");
}

fn a198_loading_onto_a_full_disk(host: &mut Host, small: &Small) {
    let (_registry, large) = large(host);
    let archive = host.daemon().root().join("large.tar").display().to_string();
    let empty = small.free();
    host.run(&["pull", "-q", &large]);
    host.run(&["save", "-o", &archive, &large]);
    host.run(&["rmi", &large]);
    until("the layers are gone", || small.free() + MIB > empty);
    small.fill(3 * MIB);
    let before = small.free();
    for _ in 0..2 {
        let done = host.try_run(&["load", "-i", &archive]);
        assert_undone(host, small, before, "the load", &done);
    }
    let done = host.try_run(&["import", &archive, "imported"]);
    assert_undone(host, small, before, "the import", &done);
    assert_eq!(host.run(&["images", "-aq"]), "");
    small.make_room();
    host.run(&["load", "-i", &archive]);
    assert_eq!(host.run(&["run", "--rm", &large, "sh", "-c", "cat /one /two | wc -c"]), LARGE.to_string());
    assert_sound(host, "everything");
}

fn a030_committing_onto_a_full_disk(host: &mut Host, small: &Small) {
    let (image, name) = (host.image(), host.name("large"));
    host.run(&["run", "--name", &name, &image, "sh", "-c", "head -c 8000000 /dev/urandom > /file"]);
    small.fill(3 * MIB);
    let before = small.free();
    for _ in 0..2 {
        let done = host.try_run(&["commit", &name, "made"]);
        assert_undone(host, small, before, "the commit", &done);
    }
    assert!(!host.try_run(&["image", "inspect", "made"]).ok());
    small.make_room();
    host.run(&["commit", &name, "made"]);
    assert_eq!(host.run(&["run", "--rm", "made", "sh", "-c", "wc -c < /file"]), "8000000");
    assert_sound(host, "everything");
}

/// What a container writes, and what it says.
fn a118_a_container_fills_the_disk(host: &mut Host, small: &Small) {
    let (image, name) = (host.image(), host.name("talker"));
    small.fill(4 * MIB);
    let before = small.free();
    let full = host.try_run(&["run", "--rm", &image, "sh", "-c", "dd if=/dev/zero of=/file bs=64k count=128"]);
    full.fails_with(1, "No space left on device");
    until("its layer is gone", || small.free() + (128 << 10) >= before);
    let script = "yes 'a line of forty characters, every time, I' | head -n 150000; touch /tmp/said; \
                  while ! test -e /tmp/go; do sleep 0.1; done; echo after; exit 7";
    host.run(&["run", "-d", "--tmpfs", "/tmp", "--name", &name, &image, "sh", "-c", script]);
    // Nobody waits for a log that has no room.
    until("it has said everything", || host.try_run(&["exec", &name, "test", "-e", "/tmp/said"]).ok());
    assert_sound(host, "a full log");
    small.make_room();
    host.run(&["exec", &name, "touch", "/tmp/go"]);
    assert_eq!(host.run(&["wait", &name]), "7");
    let log = host.try_run(&["logs", "--tail", "2", &name]);
    assert!(log.err.contains("log lines were dropped: ") && log.out.ends_with("after"), "{log:?}");
    let first = host.try_run(&["logs", &name]);
    assert!(first.out.starts_with("a line of forty"), "what was written is there");
    assert_sound(host, "everything");
}

/// Room can be made with berth itself, also when there is none at all, and by a daemon that was started then.
fn a089_a_full_disk_is_emptied(host: &mut Host, small: &Small) {
    let (image, names) = (host.image(), ["one", "two"].map(|name| host.name(name)));
    let (_registry, large) = large(host);
    host.run(&["pull", "-q", &large]);
    for name in &names {
        host.run(&["run", "-d", "--name", name, &image, "sh", "-c", "head -c 1000000 /dev/zero > /file; sleep 300"]);
        until("it has written", || host.run(&["exec", name, "sh", "-c", "wc -c < /file"]) == "1000000");
    }
    small.fill(0);
    let full = host.try_run(&["run", "--rm", &image, "true"]);
    assert!(!full.ok() || small.free() > 0, "there was room: {}", small.free());
    assert_sound(host, "a container that found no room");
    host.run(&["rm", "-f", &names[0]]);
    until("there is room", || small.free() > MIB / 2);
    small.fill(0);
    host.kill_daemon_and_restart();
    assert_eq!(host.run(&["ps", "-q"]).lines().count(), 1);
    host.stop_daemon();
    small.fill(0);
    host.restart_daemon();
    host.run(&["rmi", &large]);
    until("there is room", || small.free() > 4 * MIB);
    host.run(&["rm", "-f", &names[1]]);
    assert_eq!(host.run(&["run", "--rm", &image, "echo", "it works"]), "it works");
    assert_sound(host, "everything");
}
