//! Every kind of mount and option.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::json;

use crate::bundle::{Bundle, ours};

/// The options of the last mount at a place, from the container's `/proc/mounts`.
fn options<'a>(mounts: &'a str, target: &str) -> Vec<&'a str> {
    let line = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(target));
    line.unwrap_or_else(|| panic!("nothing is mounted at {target}: {mounts}"))
        .split(' ')
        .nth(3)
        .unwrap()
        .split(',')
        .collect()
}

#[test]
fn binds_with_their_options() {
    let mut bundle = Bundle::new("cat /proc/mounts; cat /file; touch /dir/x 2>&1; touch /ro/x 2>&1; true");
    let source = bundle.directory.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content\n").unwrap();
    let file = source.join("file");
    bundle
        .mount(json!({ "destination": "/dir", "source": source, "type": "bind", "options": ["rbind", "rprivate", "nosuid", "noexec", "noatime"] }))
        .mount(json!({ "destination": "/ro", "source": source, "options": ["bind", "ro"] }))
        .mount(json!({ "destination": "/file", "source": file, "type": "bind", "options": ["bind", "ro"] }));
    let out = bundle.run().ok();
    let dir = options(&out, "/dir");
    assert!(["rw", "nosuid", "noexec", "noatime"].iter().all(|one| dir.contains(one)), "{dir:?}");
    assert!(options(&out, "/ro").contains(&"ro"));
    assert!(out.contains("content\n"));
    assert!(source.join("x").exists());
    assert!(out.contains("touch: /ro/x: Read-only file system"), "{out}");
}

#[test]
fn recursive_read_only_reaches_below() {
    if !ours() {
        eprintln!("skipped: older runtimes do not know rro");
        return;
    }
    let mut bundle = Bundle::new("touch /dir/below/x");
    let source = bundle.directory.join("source");
    fs::create_dir_all(source.join("below")).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(source.join("below")).status().unwrap();
    assert!(mounted.success());
    let run = |bundle: &mut Bundle, option: &str| {
        let mount = json!({ "destination": "/dir", "source": source, "type": "bind", "options": ["rbind", option] });
        bundle.config["mounts"].as_array_mut().unwrap().truncate(5);
        bundle.mount(mount);
        bundle.run()
    };
    let (plain, recursive) = (run(&mut bundle, "ro"), run(&mut bundle, "rro"));
    Command::new("umount").arg(source.join("below")).status().unwrap();
    plain.ok();
    assert!(recursive.failed().contains("Read-only file system"));
}

#[test]
fn propagation_reaches_from_the_host_and_back_as_asked() {
    let bundle = Bundle::new("");
    let source = bundle.directory.join("source");
    fs::create_dir_all(source.join("late")).unwrap();
    let run = |words: &[&str]| assert!(Command::new("mount").args(words).arg(&source).status().unwrap().success());
    run(&["--bind", source.to_str().unwrap()]);
    run(&["--make-shared"]);
    let mut seen = Vec::new();
    for option in ["rprivate", "rslave", "rshared"] {
        let mut inner = Bundle::new("exec sleep 1000");
        inner.config["process"]["capabilities"]["bounding"] = json!(["CAP_SYS_ADMIN"]);
        inner.mount(json!({ "destination": "/dir", "source": source, "type": "bind", "options": ["rbind", option] }));
        inner.start();
        let late = source.join("late");
        Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&late).status().unwrap();
        seen.push(inner.exec("grep -c ' /dir/late ' /proc/mounts").out.trim() == "1");
        Command::new("umount").arg(&late).status().unwrap();
    }
    Command::new("umount").arg(&source).status().unwrap();
    assert_eq!(seen, [false, true, true]);
}

#[test]
fn a_missing_source_is_told_with_both_ends() {
    let mut bundle = Bundle::new("true");
    bundle.mount(json!({ "destination": "/dir", "source": "/no/such", "type": "bind", "options": ["bind"] }));
    let said = bundle.run().failed();
    assert!(said.contains("/no/such") && said.contains("no such file or directory"), "{said}");
}

#[test]
fn tmpfs_with_size_mode_and_a_copy_of_what_is_below() {
    let mut bundle = Bundle::new("cat /full/a /full/sub/b; stat -c %a /full /small; cat /proc/mounts");
    let full = bundle.root().join("full");
    fs::create_dir_all(full.join("sub")).unwrap();
    fs::write(full.join("a"), "a\n").unwrap();
    fs::write(full.join("sub/b"), "b\n").unwrap();
    fs::set_permissions(&full, fs::Permissions::from_mode(0o700)).unwrap();
    bundle
        .mount(json!({ "destination": "/full", "source": "tmpfs", "type": "tmpfs", "options": ["tmpcopyup"] }))
        .mount(json!({ "destination": "/small", "source": "tmpfs", "type": "tmpfs", "options": ["mode=1770", "size=64k", "ro"] }));
    let out = bundle.run().ok();
    assert!(out.starts_with("a\nb\n700\n1770\n"), "{out}");
    let small = options(&out, "/small");
    assert!(small.contains(&"ro") && small.contains(&"size=64k"), "{small:?}");
}

#[test]
fn a_read_only_root_still_has_its_mounts() {
    let mut bundle = Bundle::new("touch /x; touch /dev/x && echo dev; touch /dev/shm/x && echo shm");
    bundle.config["root"]["readonly"] = json!(true);
    let done = bundle.run();
    assert!(done.err.contains("Read-only file system"), "{done:?}");
    assert_eq!(done.out, "dev\nshm\n");
}

#[test]
fn ids_of_a_mount_are_mapped() {
    if !ours() {
        eprintln!("skipped: older runtimes cannot map ids of mounts");
        return;
    }
    let mut bundle = Bundle::new("stat -c %u /dir/file; touch /dir/new");
    let source = bundle.directory.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    std::os::unix::fs::chown(source.join("file"), Some(7), Some(7)).unwrap();
    std::os::unix::fs::chown(&source, Some(7), Some(7)).unwrap();
    let map = json!([{ "containerID": 7, "hostID": 0, "size": 1 }]);
    bundle.mount(json!({
        "destination": "/dir", "source": source, "type": "bind", "options": ["bind"],
        "uidMappings": map, "gidMappings": map,
    }));
    assert_eq!(bundle.run().ok(), "0\n");
    assert_eq!(fs::metadata(source.join("new")).unwrap().uid(), 7);
}

#[test]
fn cgroups_are_mounted_with_and_without_a_namespace() {
    for namespace in [true, false] {
        let mut bundle = Bundle::new(
            "cat /proc/mounts; ls /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; mkdir /sys/fs/cgroup/pids/x",
        );
        bundle
            .mount(json!({ "destination": "/sys/fs/cgroup", "source": "cgroup", "type": "cgroup", "options": ["ro"] }));
        if namespace {
            bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
        }
        let done = bundle.run();
        assert!(done.out.contains("pids.max\n"), "{done:?}");
        assert!(done.err.contains("Read-only file system") || done.err.contains("No such file"), "{done:?}");
        assert!(!ours() || options(&done.out, "/sys/fs/cgroup").contains(&"ro"));
    }
}

#[test]
fn devices_are_made() {
    let mut bundle =
        Bundle::new("ls -ln /dev/mine /dev/null /dev/ptmx; echo x > /dev/null; head -c 1 /dev/zero | wc -c");
    bundle.config["linux"]["devices"] =
        json!([{ "path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 5, "gid": 6 }]);
    let out = bundle.run().ok();
    assert!(out.starts_with("crw-r-----    1 5        6           1,   5"), "{out}");
    assert!(out.contains("crw-rw-rw-    1 0        0           1,   3"), "{out}");
    assert!(out.trim_end().ends_with("\n1"), "{out}");
}

#[test]
fn something_else_in_a_devices_place_is_told() {
    if !ours() {
        return;
    }
    let mut bundle = Bundle::new("true");
    fs::write(bundle.root().join("mine"), "a file").unwrap();
    bundle.config["linux"]["devices"] = json!([{ "path": "/mine", "type": "c", "major": 1, "minor": 5 }]);
    assert!(bundle.run().failed().contains("cannot create the device /mine: file exists"));
}

#[test]
fn masked_and_read_only_paths() {
    let mut bundle = Bundle::new(
        "wc -c < /proc/timer_list; ls -A /sys/kernel | wc -l; cat /secret/x; echo 1 > /proc/sys/net/ipv4/ip_forward",
    );
    fs::create_dir(bundle.root().join("secret")).unwrap();
    fs::write(bundle.root().join("secret/x"), "secret\n").unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/timer_list", "/sys/kernel", "/secret", "/no/such"]);
    let done = bundle.run();
    assert_eq!(done.out, "0\n0\n");
    assert!(done.err.contains("'/secret/x': No such file"), "{done:?}");
    assert!(done.err.contains("Read-only file system"), "{done:?}");
}

#[test]
fn overlay_with_many_long_layers() {
    let mut bundle = Bundle::new("cat /o/a0 /o/a29");
    let mut lower = Vec::new();
    for number in 0..30 {
        let layer = bundle.directory.join(format!("a-layer-with-a-rather-long-name-{number}"));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join(format!("a{number}")), format!("{number}\n")).unwrap();
        lower.push(layer.display().to_string());
    }
    let option = format!("lowerdir={}", lower.join(":"));
    bundle.mount(json!({ "destination": "/o", "source": "overlay", "type": "overlay", "options": [option] }));
    assert_eq!(bundle.run().ok(), "0\n29\n");
}

#[test]
fn without_pivot_root_the_host_is_out_of_reach_too() {
    let bundle = Bundle::new("ls /; ls /../..; test -e /proc/1/root/bin/busybox && echo busybox");
    bundle.write();
    let done = bundle.command(&["run", "--no-pivot", "--bundle", bundle.directory.to_str().unwrap(), &bundle.id]);
    let out = done.ok();
    assert!(!out.contains("boot") && out.ends_with("busybox\n"), "{out}");
}
