//! What is in a layer.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;

/// One thing in a layer.
#[derive(Debug)]
pub enum Entry<'a> {
    /// Path, mode, content
    File(&'a str, u32, Vec<u8>),
    /// Path, mode
    Dir(&'a str, u32),
    /// Path, what it points to
    Link(String, &'a str),
}

/// An uncompressed layer.
#[must_use]
pub fn layer(entries: Vec<Entry>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode: u32, size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    for entry in entries {
        match entry {
            Entry::File(path, mode, bytes) => {
                let mut header = header(tar::EntryType::Regular, mode, bytes.len());
                archive.append_data(&mut header, path, bytes.as_slice()).unwrap();
            }
            Entry::Dir(path, mode) => {
                archive.append_data(&mut header(tar::EntryType::Directory, mode, 0), path, &[][..]).unwrap();
            }
            Entry::Link(path, target) => {
                archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), path, target).unwrap();
            }
        }
    }
    archive.into_inner().unwrap()
}

/// Debian's static busybox with its applets, two users, and the directories that programs expect.
#[must_use]
pub fn busybox() -> Vec<u8> {
    let busybox = fs::read("/bin/busybox").expect("Debian's busybox-static is installed");
    let applets = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
    let mut entries = vec![
        Entry::Dir("bin", 0o755),
        Entry::Dir("etc", 0o755),
        Entry::Dir("root", 0o700),
        Entry::Dir("home/web", 0o755),
        Entry::Dir("tmp", 0o1777),
        Entry::File("bin/busybox", 0o755, busybox),
        Entry::File(
            "etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n".to_vec(),
        ),
        Entry::File("etc/group", 0o644, b"root:x:0:\nweb:x:1000:\nstaff:x:50:web\n".to_vec()),
    ];
    let applets = String::from_utf8(applets).unwrap();
    let names = applets.lines().filter(|name| *name != "busybox");
    entries.extend(names.map(|name| Entry::Link(format!("bin/{name}"), "busybox")));
    layer(entries)
}

/// A small Debian, cached between runs: making one takes most of a minute.
///
/// Several layers, as images in the wild have: the base, then files that replace, add and delete some of it.
#[must_use]
pub fn debian(cache: &Path) -> Vec<Vec<u8>> {
    let tar = cache.join("debian.tar");
    if !tar.exists() {
        let root = cache.join("debian");
        drop(fs::remove_dir_all(&root));
        command("debootstrap", &["--variant=minbase", "bookworm", root.to_str().unwrap()]);
        let partial = cache.join("debian.tar.partial");
        let root = root.to_str().unwrap();
        command("tar", &["-C", root, "--exclude=./var/cache/apt/*", "-cf", partial.to_str().unwrap(), "."]);
        fs::remove_dir_all(root).unwrap();
        fs::rename(partial, &tar).unwrap();
    }
    let second = layer(vec![
        Entry::File("etc/motd", 0o644, b"a fixture\n".to_vec()),
        Entry::File("etc/.wh.issue", 0o644, Vec::new()),
        Entry::File("usr/share/doc/.wh..wh..opq", 0o644, Vec::new()),
    ]);
    let third = layer(vec![Entry::Dir("srv/app", 0o755), Entry::File("srv/app/run", 0o755, b"#!/bin/sh\n".to_vec())]);
    vec![fs::read(tar).unwrap(), second, third]
}
