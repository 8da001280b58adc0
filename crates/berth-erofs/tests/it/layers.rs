//! Layers as builders make them.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};

use crate::kernel::{Mounted, assert_same, gnu_tar, packed, write};

/// All that is packed is older than this test.
const OLD: &str = "--mtime=@1234567890.5";

#[test]
fn every_kind_of_file() {
    let source = tempfile::tempdir().unwrap();
    let at = |name: &str| source.path().join(name);
    std::fs::write(at("file"), b"content").unwrap();
    std::fs::write(at("empty"), b"").unwrap();
    std::fs::write(at("block"), [7; 512]).unwrap();
    let large: Vec<u8> = (0..3_000_001_u32).map(|n| (n / 3) as u8).collect();
    std::fs::write(at("large"), large).unwrap();
    std::fs::hard_link(at("file"), at("hard")).unwrap();
    lchown(at("file"), Some(1234), Some(2_000_000)).unwrap();
    std::fs::set_permissions(at("file"), PermissionsExt::from_mode(0o6751)).unwrap();
    symlink("file", at("soft")).unwrap();
    lchown(at("soft"), Some(7), Some(8)).unwrap();
    std::fs::hard_link(at("soft"), at("soft too")).unwrap();
    std::fs::create_dir_all(at("dir/sub")).unwrap();
    std::fs::set_permissions(at("dir"), PermissionsExt::from_mode(0o1777)).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, at("null"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3)).unwrap();
    mknodat(CWD, at("loop"), FileType::BlockDevice, Mode::RUSR, makedev(7, 300_000)).unwrap();
    for format in ["--format=v7", "--format=ustar", "--format=gnu", "--format=pax"] {
        let exclude = if format == "--format=v7" { "--exclude=./[!d]*" } else { "--exclude=none" };
        assert_same(&gnu_tar(source.path(), &[format, OLD, exclude]));
    }
    lchown(at("file"), Some(4_000_000_000), Some(3_000_000)).unwrap();
    assert_same(&gnu_tar(source.path(), &["--format=pax", "--mtime=@-5.25"]));
}

#[test]
fn names_and_links_of_every_length() {
    let source = tempfile::tempdir().unwrap();
    for length in (1..=255).step_by(2) {
        std::fs::write(source.path().join("n".repeat(length)), length.to_string()).unwrap();
    }
    for length in [1, 100, 440, 447, 448, 449, 500, 511, 512, 513, 1000, 4000, 4095] {
        symlink("t".repeat(length), source.path().join(format!("link{length}"))).unwrap();
    }
    let deep = source.path().join("a/".repeat(200));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("b".repeat(200)), b"deep").unwrap();
    for format in ["--format=gnu", "--format=pax"] {
        assert_same(&gnu_tar(source.path(), &[format, OLD]));
    }
}

#[test]
fn directories_of_every_size() {
    let source = tempfile::tempdir().unwrap();
    for files in [0, 1, 10, 30, 31, 32, 33, 34, 35, 36, 100, 3000] {
        let directory = source.path().join(format!("d{files}"));
        std::fs::create_dir(&directory).unwrap();
        for n in 0..files {
            // Some sort before `.` and `..`, some after.
            std::fs::write(directory.join(format!("{}{n:x}", ["!", "..", "x", "\u{ff}"][n % 4])), b"").unwrap();
        }
    }
    let archive = gnu_tar(source.path(), &[OLD]);
    assert_same(&archive);
    let mounted = Mounted::of(&archive).unwrap();
    for n in 0..3000 {
        let name = format!("d3000/{}{n:x}", ["!", "..", "x", "\u{ff}"][n % 4]);
        assert!(mounted.root().join(name).exists());
    }
    assert!(!mounted.root().join("d3000/y").exists());
}

#[test]
fn attributes() {
    let source = tempfile::tempdir().unwrap();
    let at = |name: &str| source.path().join(name);
    std::fs::write(at("file"), b"x").unwrap();
    std::fs::create_dir(at("dir")).unwrap();
    for name in ["file", "dir"] {
        setxattr(at(name), "user.test", b"a=b\nc\0", XattrFlags::empty()).unwrap();
        setxattr(at(name), "user.empty", b"", XattrFlags::empty()).unwrap();
        setxattr(at(name), "user.large", &[b'v'; 2000], XattrFlags::empty()).unwrap();
    }
    // VFS_CAP_REVISION_2, effective, cap_net_raw.
    let capability: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    setxattr(at("file"), "security.capability", &capability, XattrFlags::empty()).unwrap();
    // Owner rw-, user 7 r--, group r--, mask r--, others ---.
    let entry = |tag: u16, permissions: u16, id: u32| -> Vec<u8> {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let none = u32::MAX;
    let entries = [entry(1, 6, none), entry(2, 4, 7), entry(4, 4, none), entry(16, 4, none), entry(32, 0, none)];
    let acl = [vec![2, 0, 0, 0], entries.concat()].concat();
    setxattr(at("file"), "system.posix_acl_access", &acl, XattrFlags::empty()).unwrap();
    setxattr(at("dir"), "system.posix_acl_default", &acl, XattrFlags::empty()).unwrap();
    let options = ["--format=pax", OLD, "--xattrs", "--xattrs-include=*"];
    let archive = gnu_tar(source.path(), &options);
    assert_same(&archive);
    assert!(archive.windows(19).any(|text| text == b"security.capability"));
}

#[test]
fn sparse_files_are_expanded() {
    let source = tempfile::tempdir().unwrap();
    let sparse = std::fs::File::create(source.path().join("sparse")).unwrap();
    for n in 0..50_u64 {
        sparse.write_all_at(&[n as u8 + 1; 4096], n * 65536 + 8192).unwrap();
    }
    sparse.set_len(10_000_001).unwrap();
    std::fs::File::create(source.path().join("hole")).unwrap().set_len(40 << 30).unwrap();
    std::fs::write(source.path().join("after"), b"after").unwrap();
    for version in ["0.0", "0.1", "1.0"] {
        let version = format!("--sparse-version={version}");
        assert_same(&gnu_tar(source.path(), &["--format=pax", OLD, "--sparse", &version]));
    }
    let archive = gnu_tar(source.path(), &["--format=gnu", OLD, "--sparse"]);
    assert_same(&archive);
    let file = Mounted::of(&archive).unwrap().file;
    assert!(file.metadata().unwrap().len() > 40 << 30);
    assert!(file.metadata().unwrap().blocks() < 4000, "holes take no room");
}

#[test]
fn a_system_as_it_is_packed() {
    for tree in ["etc", "usr/share/perl", "usr/lib/udev"] {
        if Path::new("/").join(tree).exists() {
            let options = ["--format=pax", OLD, "--xattrs", "--xattrs-include=security.capability"];
            assert_same(&packed(Path::new("/"), tree, &options));
        }
    }
}

#[test]
fn the_same_archive_gives_the_same_image() {
    let archive = packed(Path::new("/"), "etc", &[OLD]);
    let bytes = || {
        let (file, image) = write(&archive).unwrap();
        image.seal(&file, [1; 16]).unwrap();
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn overlay_understands_what_is_gone() {
    let layer = |entries: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        Mounted::of(&tar.into_inner().unwrap()).unwrap()
    };
    let lower = layer(&[("a/one", b"1"), ("a/two", b"2"), ("b/one", b"1"), ("c", b"c")]);
    let upper =
        layer(&[("a/.wh.one", b""), ("a/three", b"3"), ("b/.wh..wh..opq", b""), ("b/two", b"2"), (".wh.c", b"")]);
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    for layer in [&upper, &lower] {
        let path = format!("/proc/self/fd/{}", layer.descriptor().as_raw_fd());
        fsconfig_set_string(overlay.as_fd(), "lowerdir+", path.as_str()).unwrap();
    }
    fsconfig_create(overlay.as_fd()).unwrap();
    let mount = fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
    let root = format!("/proc/self/fd/{}/", mount.as_raw_fd());
    let names = |path: &str| {
        let entries = std::fs::read_dir(format!("{root}{path}")).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!((names(""), names("a"), names("b")), ("a b".into(), "three two".into(), "two".into()));
}
