//! What GNU tar packs, in each of its formats, unpacks to the same tree.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, mknodat, setxattr};

use crate::hostile::unpack;

/// Everything about a file that a layer carries.
#[derive(Debug, PartialEq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    device: u64,
    links: u64,
    content: Vec<u8>,
    xattrs: Vec<Option<Vec<u8>>>,
}

fn look(root: &Path, path: &Path, fraction: bool, seen: &mut BTreeMap<Vec<u8>, Seen>) {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let content = match () {
        () if kind.is_symlink() => std::fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec(),
        () if kind.is_file() => std::fs::read(path).unwrap(),
        () => Vec::new(),
    };
    let xattrs = ["user.test", "security.capability"].map(|name| {
        let mut value = [0_u8; 256];
        lgetxattr(path, name, &mut value[..]).ok().map(|n| value[..n].to_vec())
    });
    let relative = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
    let one = Seen {
        mode: meta.mode(),
        owner: (meta.uid(), meta.gid()),
        mtime: (meta.mtime(), if fraction { meta.mtime_nsec() } else { 0 }),
        device: meta.rdev(),
        links: if kind.is_dir() { 0 } else { meta.nlink() },
        content,
        xattrs: xattrs.to_vec(),
    };
    seen.insert(relative, one);
    if kind.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            look(root, &entry.unwrap().path(), fraction, seen);
        }
    }
}

fn tree(root: &Path, fraction: bool) -> BTreeMap<Vec<u8>, Seen> {
    let mut seen = BTreeMap::new();
    look(root, root, fraction, &mut seen);
    seen
}

fn round_trip(source: &Path, options: &[&str], fraction: bool) {
    let output = Command::new("tar").arg("-C").arg(source).args(options).args(["-cf", "-", "."]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (_fixture, unpacked) = unpack(output.stdout);
    assert_eq!(tree(&unpacked.unwrap(), fraction), tree(source, fraction), "{options:?}");
}

#[test]
fn every_kind_of_file_in_every_format() {
    let source = tempfile::tempdir().unwrap();
    let at = |name: &str| source.path().join(name);
    std::fs::write(at("file"), b"content").unwrap();
    // Zeros at the beginning, in the middle and at the end: whether they are written nobody can tell.
    let mut zeros = vec![0; 1_000_000];
    zeros[400_000] = 1;
    std::fs::write(at("zeros"), zeros).unwrap();
    std::fs::set_permissions(at("file"), PermissionsExt::from_mode(0o4751)).unwrap();
    lchown(at("file"), Some(1234), Some(4321)).unwrap();
    std::fs::set_permissions(at("file"), PermissionsExt::from_mode(0o4751)).unwrap();
    std::fs::hard_link(at("file"), at("hard")).unwrap();
    symlink("file", at("soft")).unwrap();
    lchown(at("soft"), Some(7), Some(8)).unwrap();
    std::fs::create_dir_all(at("dir/sub")).unwrap();
    std::fs::set_permissions(at("dir"), PermissionsExt::from_mode(0o1777)).unwrap();
    std::fs::set_permissions(at("dir/sub"), PermissionsExt::from_mode(0o2750)).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, at("null"), FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3)).unwrap();
    mknodat(CWD, at("block"), FileType::BlockDevice, Mode::RUSR, rustix::fs::makedev(7, 300)).unwrap();
    for format in ["--format=ustar", "--format=gnu", "--format=pax"] {
        round_trip(source.path(), &[format], false);
    }
    round_trip(source.path(), &["--format=pax"], true);
}

#[test]
fn long_names_attributes_and_large_numbers() {
    let source = tempfile::tempdir().unwrap();
    let deep = source.path().join(format!("{}/{}/{}", "a".repeat(120), "b".repeat(200), "ü".repeat(100)));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("file"), b"x").unwrap();
    symlink("t".repeat(300), deep.join("link")).unwrap();
    std::fs::hard_link(deep.join("file"), deep.join("hard")).unwrap();
    lchown(deep.join("file"), Some(3_000_000), Some(4_000_000_000)).unwrap();
    for format in ["--format=gnu", "--format=pax"] {
        round_trip(source.path(), &[format], false);
    }
    setxattr(deep.join("file"), "user.test", b"a=b\nc", XattrFlags::empty()).unwrap();
    // VFS_CAP_REVISION_2, effective, cap_net_raw.
    let capability: [u8; 20] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    setxattr(deep.join("file"), "security.capability", &capability, XattrFlags::empty()).unwrap();
    round_trip(source.path(), &["--format=pax", "--xattrs", "--xattrs-include=*"], true);
}

#[test]
fn sparse_files_are_expanded() {
    let source = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(source.path().join("sparse")).unwrap();
    for block in 0..40_u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &[b'a' + (block % 26) as u8; 5000], block * 100_000).unwrap();
    }
    file.set_len(9_000_000).unwrap();
    std::fs::File::create(source.path().join("hole")).unwrap().set_len(1_000_000).unwrap();
    std::fs::write(source.path().join("z"), b"after").unwrap();
    for format in [
        &["--format=gnu"][..],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        round_trip(source.path(), &[format, &["--sparse"]].concat(), false);
    }
}

/// One thing in a random tree.
#[derive(Debug, Clone)]
enum Thing {
    File(Vec<u8>, u32),
    Directory(u32),
    Link(String),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_trees(
        things in prop::collection::btree_map(
            "[a-zA-Z0-9 äß.-]{1,40}(/[a-z]{1,60}){0,3}",
            prop_oneof![
                (prop::collection::vec(any::<u8>(), 0..3000), 0_u32..0o10000).prop_map(|(c, m)| Thing::File(c, m)),
                (0_u32..0o10000).prop_map(Thing::Directory),
                "[a-z/]{1,150}".prop_map(Thing::Link),
            ],
            0..20,
        ),
        format in prop::sample::select(vec!["gnu", "pax"]),
    ) {
        let source = tempfile::tempdir().unwrap();
        for (path, thing) in &things {
            let at = source.path().join(path);
            let name = at.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if path.split('/').any(|p| p == "." || p == "..") || name.starts_with(".wh.") { continue; }
            if std::fs::create_dir_all(at.parent().unwrap()).is_err() { continue; }
            match thing {
                Thing::File(content, mode) if std::fs::write(&at, content).is_ok() => {
                    std::fs::set_permissions(&at, PermissionsExt::from_mode(*mode)).unwrap();
                }
                Thing::Directory(mode) if std::fs::create_dir(&at).is_ok() => {
                    std::fs::set_permissions(&at, PermissionsExt::from_mode(*mode)).unwrap();
                }
                Thing::Link(target) => drop(symlink(target, &at)),
                _ => {}
            }
        }
        round_trip(source.path(), &[&format!("--format={format}")], format == "pax");
    }
}
