//! Archives that nobody would write: whatever they list, in whatever order, both forms make the same of it.

use berth_archive::{Entry, Kind, Stream, Writer};
use proptest::prelude::*;

use crate::kernel::{assert_same, same};

/// Names from so few parts that they collide, nest, and lead through each other's links.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "dd"]),
        1 => Just("."),
        1 => Just(".."),
    ];
    let last = prop_oneof![
        10 => prop::sample::select(vec!["a", "b", "c", "dd"]),
        3 => prop::sample::select(vec![".wh.a", ".wh.b", ".wh.dd", ".wh..wh..opq", ".wh..wh.plnk"]),
        1 => Just("x/"),
    ];
    (prop::collection::vec(part, 0..4), last).prop_map(|(parts, last)| {
        let all: Vec<&str> = parts.into_iter().chain([last]).collect();
        all.join("/").into_bytes()
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        5 => Just(Kind::File),
        5 => Just(Kind::Directory),
        3 => Just(Kind::Symlink),
        3 => Just(Kind::HardLink),
        1 => Just(Kind::CharDevice),
        1 => Just(Kind::BlockDevice),
        1 => Just(Kind::Fifo),
    ]
}

fn xattrs() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let names = vec!["user.a", "user.b", "trusted.overlay.redirect", "security.selinux", "user.overlay.opaque"];
    let one = (prop::sample::select(names), prop::collection::vec(any::<u8>(), 0..600));
    prop::collection::vec(one, 0..3)
        .prop_map(|all| all.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect())
}

fn entry() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let content = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..1500),
        1 => Just(vec![b'z'; 70_000]),
    ];
    let attributes = (0..0o10_000_u32, 0..70_000_u32, 0..70_000_u32, 0..1_700_000_000_i64, 0..4_u32, 0..300_u32);
    (path(), path(), kind(), attributes, xattrs(), content).prop_map(
        |(path, link, kind, (mode, uid, gid, mtime, major, minor), xattrs, content)| {
            let link = if matches!(kind, Kind::Symlink | Kind::HardLink) { link } else { Vec::new() };
            let content = if kind == Kind::File { content } else { Vec::new() };
            let (device, size) = ((major, minor), content.len() as u64);
            (Entry { path, link, kind, mode, uid, gid, mtime: (mtime, 0), device, size, xattrs }, content)
        },
    )
}

fn archive(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Stream(Vec::new()));
    for (entry, content) in entries {
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, content, 0).unwrap();
        match entry.kind {
            Kind::File => writer.file(entry, std::os::fd::AsFd::as_fd(&file)).unwrap(),
            _ => writer.entry(entry).unwrap(),
        }
    }
    writer.finish().unwrap().0
}

/// A directory has the times that the archive has for it, and no other has, whatever takes its place or leads to it.
#[test]
fn directories_times_stay_theirs() {
    use Kind::{Directory, File, Symlink};
    let same = |entries: &[(Kind, &str, &str, i64)]| {
        let entry = |&(kind, path, link, mtime): &(Kind, &str, &str, i64)| Entry {
            mtime: (mtime, 0),
            ..crate::kernel::entry(kind, path, link)
        };
        let entries: Vec<(Entry, Vec<u8>)> = entries.iter().map(|one| (entry(one), Vec::new())).collect();
        assert_same(&archive(&entries));
    };
    same(&[(Directory, "a/b", "", 5), (File, "b/b/f", "", 1), (Symlink, "a", "b", 1)]);
    same(&[(Directory, "b", "", 3), (Symlink, "a", "b", 1), (Directory, "a/x", "", 5), (File, "a", "", 1)]);
    same(&[(Directory, "a/x", "", 5), (File, "a", "", 1), (Directory, "a", "", 7), (File, "a/x/f", "", 1)]);
    same(&[
        (Directory, "b/c", "", 3),
        (Symlink, "a", "/b/../b/./c", 1),
        (Directory, "a/x", "", 5),
        (File, "a/x/f", "", 1),
    ]);
    same(&[
        (Directory, "c", "", 3),
        (Symlink, "b", "c", 1),
        (Symlink, "a", "b", 1),
        (Directory, "a/x", "", 5),
        (File, "b", "", 1),
    ]);
    same(&[(Directory, "b/x", "", 3), (Symlink, "a", "b", 1), (Directory, "a/x", "", 5), (File, "b/x/f", "", 1)]);
}

/// A directory that hands its group down (`S_ISGID`) does not to what the archive says nothing of.
#[test]
fn groups_are_not_inherited() {
    use Kind::{Directory, File};
    let above = Entry { mode: 0o2755, gid: 7, ..crate::kernel::entry(Directory, "b", "") };
    for below in ["b/.wh.a", "b/c/.wh.a", "b/c/d/e"] {
        let entries = [above.clone(), crate::kernel::entry(File, below, "")].map(|entry| (entry, Vec::new()));
        assert_same(&archive(&entries));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_forms_are_the_same(entries in prop::collection::vec(entry(), 1..25)) {
        prop_assert_eq!(same(&archive(&entries)), Ok(()));
    }

    #[test]
    fn garbage_is_no_image_and_no_panic(mut archive in prop::collection::vec(entry(), 1..6).prop_map(|e| archive(&e)),
                                        at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let at = at.index(archive.len());
        archive[at] = with;
        archive.truncate(cut.index(archive.len()) + 1);
        prop_assert_eq!(same(&archive), Ok(()));
    }
}
