//! Images and containers that mean harm: none of it reaches the host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::bundle::{Bundle, ours, program};

/// A number that changes when the runtime's program is changed.
fn fingerprint() -> (u64, std::time::SystemTime) {
    let meta = fs::metadata(program()).unwrap();
    (meta.len(), meta.modified().unwrap())
}

#[test]
fn our_own_program_cannot_be_the_entry_point() {
    if !ours() {
        return;
    }
    for path in ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"] {
        let mut bundle = Bundle::new("");
        bundle.config["process"]["args"] = json!([path, "--version"]);
        let said = bundle.run().failed();
        assert!(said.contains("permission denied"), "{path}: {said}");
    }
}

#[test]
fn a_script_cannot_make_it_its_interpreter() {
    if !ours() {
        return;
    }
    let mut bundle = Bundle::new("");
    for (name, text) in [("evil", "#!/proc/self/exe --version\n"), ("more", "#! /bin/evil\n"), ("link", "#!/bin/exe\n")]
    {
        let path = bundle.root().join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    symlink("/proc/self/exe", bundle.root().join("bin/exe")).unwrap();
    for name in ["evil", "more", "link", "exe"] {
        bundle.config["process"]["args"] = json!([name]);
        let said = bundle.run().failed();
        assert!(said.contains("permission denied"), "{name}: {said}");
    }
}

/// A container whose init looks for processes that join, and tries to open their program for writing.
#[test]
fn a_hostile_container_cannot_write_to_the_program_of_who_joins_it() {
    if !ours() {
        eprintln!("skipped: runc protects itself by a copy, which can be seen");
        return;
    }
    let before = fingerprint();
    let script = "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; \
        l=$(readlink $p/exe) || continue; case $l in */busybox) continue;; esac; \
        echo saw $l; (echo x >> $p/exe) 2>/dev/null && echo WRITTEN; ls $p/fd/ 2>/dev/null | grep -q . && echo FDS; done; done";
    let mut bundle = Bundle::new(script);
    let caps =
        json!(["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_SETUID", "CAP_SYS_CHROOT"]);
    bundle.config["process"]["capabilities"] = json!({ "bounding": caps, "effective": caps, "permitted": caps });
    bundle.start();
    for _ in 0..30 {
        let _ = bundle.command(&["exec", &bundle.id, "true"]);
    }
    let seen = bundle.output();
    assert!(!seen.contains("WRITTEN"), "{seen}");
    assert!(!seen.contains("saw"), "it could even look: {seen}");
    assert!(!seen.contains("FDS"), "{seen}");
    assert_eq!(fingerprint(), before);
}

#[test]
fn the_program_of_a_created_container_is_read_only_for_all() {
    if !ours() {
        return;
    }
    let bundle = Bundle::new("true");
    bundle.create().ok();
    let pid = bundle.state()["pid"].to_string();
    let flags = rustix::fs::OFlags::PATH;
    let exe = rustix::fs::open(format!("/proc/{pid}/exe"), flags, rustix::fs::Mode::empty()).unwrap();
    // That it runs protects it now (ETXTBSY); that its mount is read-only protects it for ever.
    assert!(rustix::fs::fstatvfs(&exe).unwrap().f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
}

#[test]
fn symbolic_links_do_not_lead_mounts_outside() {
    let outside = std::env::temp_dir().join(format!("berth-it-outside-{}", std::process::id()));
    fs::create_dir_all(&outside).unwrap();
    let mut bundle = Bundle::new("grep -c ' /data' /proc/mounts; ls -a /");
    symlink(&outside, bundle.root().join("absolute")).unwrap();
    symlink("../../../../../../../../../..", bundle.root().join("relative")).unwrap();
    let source = bundle.directory.join("source");
    fs::create_dir(&source).unwrap();
    for target in ["/absolute", "/relative", "/absolute/new/deep", "/relative/tmp/new"] {
        bundle.mount(json!({ "destination": target, "source": source, "type": "bind", "options": ["bind"] }));
    }
    let _ = bundle.run();
    // Wherever it was mounted, its source is named.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        !mounts.contains(source.to_str().unwrap()) && !mounts.contains(&format!("{}/source", bundle.id)),
        "{mounts}"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was made outside");
    fs::remove_dir_all(&outside).unwrap();
}

#[test]
fn dangling_links_are_made_inside() {
    let mut bundle = Bundle::new("cat /real/place/file");
    symlink("/real/place", bundle.root().join("link")).unwrap();
    let source = bundle.directory.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "found\n").unwrap();
    bundle.mount(json!({ "destination": "/link", "source": source, "type": "bind", "options": ["bind"] }));
    assert_eq!(bundle.run().ok(), "found\n");
    assert!(!Path::new("/real").exists());
}

#[test]
fn proc_is_where_it_says_and_nothing_is_mounted_into_it() {
    if !ours() {
        return;
    }
    let mut bundle = Bundle::new("true");
    let source = bundle.directory.join("source");
    fs::create_dir(&source).unwrap();
    for target in ["/proc/sys/kernel", "/proc/self/attr", "/tmp/../proc/bus", "/alias/bus"] {
        symlink("/proc", bundle.root().join("alias")).unwrap_or_default();
        bundle.config["mounts"].as_array_mut().unwrap().truncate(5);
        bundle.mount(json!({ "destination": target, "source": source, "type": "bind", "options": ["bind"] }));
        let said = bundle.run().failed();
        assert!(said.contains("inside /proc"), "{target}: {said}");
    }
    bundle.config["mounts"].as_array_mut().unwrap().truncate(5);
    fs::remove_dir(bundle.root().join("proc")).unwrap();
    symlink("/tmp", bundle.root().join("proc")).unwrap();
    bundle.run().failed();
}

#[test]
fn a_fake_of_lxcfs_is_allowed() {
    let mut bundle = Bundle::new("cat /proc/uptime");
    let source = bundle.directory.join("uptime");
    fs::write(&source, "1.00 1.00\n").unwrap();
    bundle.mount(json!({ "destination": "/proc/uptime", "source": source, "type": "bind", "options": ["bind"] }));
    assert_eq!(bundle.run().ok(), "1.00 1.00\n");
}

#[test]
fn no_descriptor_of_the_host_leaks() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.write();
    // A caller that leaks: descriptors without close-on-exec, the host's root among them.
    let path = bundle.directory.to_str().unwrap();
    let line = format!(
        "exec 7</ 8</etc; exec {} --root {}/state run -d --bundle {path} {}",
        program().display(),
        path,
        bundle.id
    );
    let mut leaky = std::process::Command::new("sh");
    leaky.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(leaky.status().unwrap().success());
    let out = bundle.exec("ls /proc/1/fd; ls /proc/self/fd").ok();
    // ls has its own for the directory it lists.
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "0", "1", "2", "3"]);
}

#[test]
fn a_working_directory_through_a_leaked_descriptor_is_refused() {
    for number in 3..12 {
        let mut bundle = Bundle::new("pwd; ls");
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let done = bundle.run();
        // Refused, or a directory of the container's own.
        assert!(!done.out.contains("boot") && !done.out.contains("vmlinuz"), "{done:?}");
        assert!(done.code != 0 || done.out.starts_with("/\nbin\n"), "{done:?}");
    }
}

#[test]
fn masked_paths_do_not_follow_a_replaced_null_device() {
    let mut bundle = Bundle::new("cat /proc/keys; cat /proc/timer_list | wc -c");
    // Without a tmpfs on /dev the image's own file stands there.
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    fs::write(bundle.root().join("dev/null"), "FROM THE IMAGE").unwrap();
    let done = bundle.run();
    assert!(!done.out.contains("FROM THE IMAGE"), "{done:?}");
}

#[test]
fn sysctl_cannot_be_redirected() {
    if !ours() {
        return;
    }
    let target = "/proc/sys/net/ipv4/ip_forward";
    let mut bundle = Bundle::new(&format!("cat {target}"));
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    // Allowed to be covered: a file of procfs that lxcfs fakes must not stand in for another.
    assert_eq!(bundle.run().ok(), "1\n");
}
