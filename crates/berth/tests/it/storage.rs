//! Layers as file-system images and as directories, side by side in one data root, across restarts.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use crate::host::{Cli, Host, Wishes, until};

/// `EROFS_SUPER_MAGIC_V1`
const EROFS: i64 = 0xE0F5_E1E2;

fn keeping(driver: &str) -> Wishes {
    Wishes { flags: vec![format!("--storage-driver={driver}")], ..Wishes::default() }
}

/// How many layers of each form lie in the data root: images, directories.
fn forms(host: &Host) -> (usize, usize) {
    let layers = std::fs::read_dir(host.daemon().data_root().join("layers")).unwrap();
    let names: Vec<String> = layers.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let images = names.iter().filter(|name| name.ends_with(".erofs")).count();
    (images, names.iter().filter(|name| name.len() == 64).count())
}

/// The file systems of the images that a process has open.
fn held(process: u32) -> BTreeSet<u64> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten().map(|entry| entry.path());
    let images = files.filter(|file| rustix::fs::statfs(file).is_ok_and(|fs| fs.f_type == EROFS));
    images.map(|file| std::fs::metadata(file).unwrap().dev()).collect()
}

#[test]
fn info_says_which_form_and_why() {
    for (driver, form) in [("erofs", "file-system images"), ("overlay2", "directories"), ("overlayfs", "directories")] {
        let host = Host::start_as(Cli::Docker, keeping(driver));
        let said = host.run(&["info", "-f", "{{.Driver}}: {{range .DriverStatus}}{{index . 0}}={{index . 1}};{{end}}"]);
        let name = if driver == "overlayfs" { "overlay2" } else { driver };
        let begin = format!("{name}: Layers={form} (asked for by storage-driver);Backing Filesystem=");
        assert!(said.starts_with(&begin), "{said}");
        host.image();
        assert_eq!(forms(&host).0 > 0, driver == "erofs");
        assert_eq!(forms(&host).1 > 0, driver != "erofs");
    }
    let host = Host::start_as(Cli::Ours, Wishes::default());
    let chosen = host.run(&["info", "-f", "{{.Driver}} {{index .DriverStatus 0}}"]);
    if std::env::var("BERTH_TEST_STORAGE").is_err() {
        assert!(
            chosen.contains("this kernel mounts layers from files") || chosen.contains("no EROFS here"),
            "{chosen}"
        );
    }
}

#[test]
fn both_forms_in_one_data_root_and_in_one_stack() {
    let mut host = Host::start_as(Cli::Ours, keeping("overlay2"));
    let (image, name) = (host.image(), host.name("old"));
    host.run(&["run", "--name", &name, &image, "sh", "-c", "echo upper > /one; rm -f /etc/group"]);
    let (_, directories) = forms(&host);
    host.stop_daemon();
    host.wish(keeping("erofs"));
    host.restart_daemon();
    // What was here before goes on as it is.
    let changes = host.run(&["diff", &name]);
    assert_eq!(changes.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["A /one", "C /etc", "D /etc/group"]));
    assert!(host.run(&["start", "-a", &name]).is_empty());
    host.run(&["commit", &name, "mixed"]);
    assert_eq!(forms(&host), (1, directories));
    assert_eq!(host.run(&["run", "--rm", "mixed", "sh", "-c", "cat /one; ls /etc/group 2>&1 | wc -l"]), "upper\n1");
    let second = host.name("second");
    host.run(&["run", "--name", &second, "mixed", "sh", "-c", "echo two > /two; chmod 700 /one"]);
    host.stop_daemon();
    host.wish(keeping("overlay2"));
    host.restart_daemon();
    host.run(&["commit", &second, "mixed"]);
    assert_eq!(forms(&host), (1, directories + 1));
    assert_eq!(host.run(&["run", "--rm", "mixed", "cat", "/one", "/two"]), "upper\ntwo");
    let volume = host.run(&["run", "--rm", "-v", "/etc", "mixed", "ls", "/etc"]);
    assert!(volume.contains("passwd") && !volume.contains("group"), "{volume}");
    host.run(&["rm", &name, &second]);
    host.run(&["rmi", "mixed"]);
    host.run(&["image", "prune", "-af"]);
    host.run(&["rmi", "-f", &image]);
    assert_eq!(forms(&host), (0, 0));
}

/// A layer that two daemons mount is in memory twice.
#[test]
fn a_layer_is_mounted_once_whatever_becomes_of_the_daemon() {
    let mut host = Host::start_as(Cli::Ours, keeping("erofs"));
    let (image, name) = (host.image(), host.name("sleeps"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "1000"]);
    host.run(&["run", "--rm", &image, "true"]);
    let before = held(host.daemon().pid());
    let layers = host.inspect(&image, "{{len .RootFS.Layers}}");
    assert_eq!(before.len().to_string(), layers);
    for _ in 0..2 {
        host.kill_daemon_and_restart();
        assert_eq!(host.run(&["run", "--rm", &image, "echo", "still"]), "still");
        assert_eq!(host.run(&["exec", &name, "echo", "there"]), "there");
        assert_eq!(held(host.daemon().pid()), before);
    }
    host.run(&["rm", "-f", &name]);
    host.run(&["rmi", &image]);
    until("its layers are let go", || held(host.daemon().pid()).is_empty());
}

/// Programs that stay on one file system see the whole container; a file keeps its number when it is written to.
#[test]
fn a_container_is_one_file_system() {
    let host = Host::start_as(Cli::Ours, keeping("erofs"));
    let image = host.image();
    let script = "stat -c %d / /bin /bin/busybox /etc/passwd /etc | sort -u | wc -l; find /etc -xdev -name passwd; \
                  stat -c %i /etc/passwd > /before; echo x >> /etc/passwd; stat -c %i /etc/passwd | diff - /before; \
                  stat -c %d / /bin/busybox /etc/passwd | sort -u | wc -l";
    assert_eq!(host.run(&["run", "--rm", &image, "sh", "-c", script]), "1\n/etc/passwd\n1");
}

#[test]
fn what_is_asked_for_and_cannot_be_is_said() {
    let done = std::process::Command::new(crate::host::BERTH)
        .args(["daemon", "--config-file", "/dev/null", "--storage-driver", "btrfs"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("--storage-driver=btrfs yet, only overlay2 or overlayfs or erofs"), "{said}");
}
