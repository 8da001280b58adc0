//! Layers that are refused, by both forms in the same words.

use berth_archive::{Entry, Kind, Stream, Writer};

use crate::kernel::{Mounted, assert_same, entry, same, write};

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Stream(Vec::new()));
    for entry in entries {
        writer.entry(entry).unwrap();
    }
    writer.finish().unwrap().0
}

fn refused(entries: &[Entry]) -> String {
    let archive = archive(entries);
    same(&archive).unwrap();
    Mounted::of(&archive).err().expect("it is refused").to_string()
}

#[test]
fn what_leads_out() {
    use Kind::{File, HardLink, Symlink};
    assert!(refused(&[entry(File, "../x", "")]).contains("leads out of the image"));
    assert!(refused(&[entry(HardLink, "x", "../y")]).contains("leads out of the image"));
    assert!(refused(&[entry(Symlink, "x", "../y")]).contains("points out of the image"));
    assert!(refused(&[entry(HardLink, "x", "nothing")]).contains("not in the layer"));
    refused(&[entry(Symlink, "l", "/proc/self/root"), entry(File, "l/x", "")]);
    refused(&[entry(Symlink, "a", "b"), entry(Symlink, "b", "a"), entry(File, "a/x", "")]);
    refused(&[entry(File, "f", ""), entry(File, "f/x", "")]);
    refused(&[entry(Symlink, "l", ""), entry(File, "x", "")]);
    assert_same(&archive(&[entry(Kind::Directory, "d", ""), entry(Symlink, "l", "/d"), entry(File, "l/x", "")]));
}

#[test]
fn attributes_that_the_kernel_would_not_take() {
    let with = |kind, name: &str, value: &[u8]| {
        let xattrs = vec![(name.as_bytes().to_vec(), value.to_vec())];
        Entry { xattrs, ..entry(kind, "x", "") }
    };
    refused(&[with(Kind::File, "security.capability", b"nonsense")]);
    refused(&[with(Kind::File, "system.posix_acl_access", b"x")]);
    refused(&[with(Kind::File, "system.posix_acl_access", &[2, 0, 0, 0, 1])]);
    assert_same(&archive(&[with(Kind::File, "system.posix_acl_access", b"of no version")]));
    refused(&[with(Kind::File, &format!("user.{}", "n".repeat(251)), b"")]);
    assert!(write(&archive(&[with(Kind::File, "user.large", &[0; 65536])])).is_err());
    let many = (0..5).map(|n| (format!("user.{n}").into_bytes(), vec![1; 60_000])).collect();
    assert!(write(&archive(&[Entry { xattrs: many, ..entry(Kind::File, "x", "") }])).is_err());
    // Four of them are within what an inode can have, over many blocks.
    let many: Vec<_> = (0..4).map(|n| (format!("user.{n}").into_bytes(), vec![n; 60_000])).collect();
    let mounted = Mounted::of(&archive(&[Entry { xattrs: many, ..entry(Kind::File, "x", "") }])).unwrap();
    for n in 0..4_u8 {
        let mut value = vec![0; 60_001];
        let length = rustix::fs::lgetxattr(mounted.root().join("x"), format!("user.{n}"), &mut value[..]).unwrap();
        assert_eq!(value[..length], vec![n; 60_000]);
    }
}

#[test]
fn archives_cut_off_anywhere() {
    let file = tempfile::tempdir().unwrap();
    std::fs::write(file.path().join("f"), vec![b'x'; 3000]).unwrap();
    let whole = crate::kernel::gnu_tar(file.path(), &["--mtime=@1"]);
    for length in (0..whole.len().min(6000)).step_by(100) {
        same(&whole[..length]).unwrap();
    }
}

#[test]
fn sparse_files_beyond_what_blocks_can_count() {
    let file = tempfile::tempdir().unwrap();
    std::fs::File::create(file.path().join("f")).unwrap().set_len(3 << 40).unwrap();
    let archive = crate::kernel::gnu_tar(file.path(), &["--sparse", "--mtime=@1"]);
    let error = write(&archive).unwrap_err().to_string();
    assert!(error.contains("File too large"), "{error}");
}
