//! An archive in both forms: as a mounted image, and as a directory.

use std::fs::File;
use std::io::BufReader;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_archive::{Entry, Kind, Limits, UnpackError, Unpacked, unpack};
use berth_erofs::{ARCHIVE_START, Image};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use tempfile::TempDir;

use crate::seen::{Seen, tree};

/// An image that is mounted nowhere.
pub(crate) struct Mounted {
    mount: OwnedFd,
    pub(crate) file: File,
    pub(crate) image: Image,
}

impl Mounted {
    /// Makes an image of an archive and mounts it.
    pub(crate) fn of(archive: &[u8]) -> Result<Self, UnpackError> {
        let (file, image) = write(archive)?;
        image.seal(&file, *b"0123456789abcdef").unwrap();
        Ok(Self { mount: mount(&file), file, image })
    }

    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/", self.mount.as_raw_fd()))
    }

    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.mount
    }
}

/// Makes an image of an archive.
pub(crate) fn write(archive: &[u8]) -> Result<(File, Image), UnpackError> {
    let file = tempfile::tempfile().unwrap();
    let image = Image::write(BufReader::with_capacity(100_000, archive), &file, Limits::default())?;
    Ok((file, image))
}

/// Mounts an image from a file (Linux 6.12).
pub(crate) fn mount(file: &File) -> OwnedFd {
    let erofs = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_set_string(erofs.as_fd(), "source", format!("/proc/self/fd/{}", file.as_raw_fd()).as_str()).unwrap();
    fsconfig_create(erofs.as_fd()).expect("the kernel mounts the image");
    fsmount(erofs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY).unwrap()
}

/// The directory that an archive unpacks to.
pub(crate) fn directory(archive: &[u8]) -> Result<(TempDir, Unpacked), UnpackError> {
    let directory = tempfile::tempdir().unwrap();
    unpack(archive, directory.path(), Limits::default()).map(|unpacked| (directory, unpacked))
}

/// Both forms have the same files, or both refuse it in the same words.
pub(crate) fn same(archive: &[u8]) -> Result<(), String> {
    let (image, directory) = (Mounted::of(archive), directory(archive));
    let (image, (directory, unpacked)) = match (image, directory) {
        (Ok(image), Ok(directory)) => (image, directory),
        (Err(image), Err(directory)) => {
            let (image, directory) = (image.to_string(), directory.to_string());
            return if image == directory { Ok(()) } else { Err(format!("{image:?} but {directory:?}")) };
        }
        (Ok(_), Err(directory)) => return Err(format!("only the directory refuses: {directory}")),
        (Err(image), Ok(_)) => return Err(format!("only the image refuses: {image}")),
    };
    if image.image.unpacked() != unpacked {
        return Err(format!("{:?} but {unpacked:?}", image.image.unpacked()));
    }
    verbatim(&image, archive)?;
    compare(&tree(&image.root()), &tree(directory.path()))
}

fn verbatim(image: &Mounted, archive: &[u8]) -> Result<(), String> {
    let mut kept = vec![0; archive.len()];
    std::os::unix::fs::FileExt::read_exact_at(&image.file, &mut kept, ARCHIVE_START).unwrap();
    let whole = image.image.archive() == archive.len() as u64 && kept == archive;
    if whole { Ok(()) } else { Err("the archive is not in the image as it came".into()) }
}

fn compare(image: &[Seen], directory: &[Seen]) -> Result<(), String> {
    for (image, directory) in image.iter().zip(directory) {
        if !image.is_as(directory) {
            return Err(format!("in the image {image:?}\nin the directory {directory:?}"));
        }
    }
    if image.len() == directory.len() { Ok(()) } else { Err(format!("{} but {}", image.len(), directory.len())) }
}

/// As [`same`], for an archive that both take.
pub(crate) fn assert_same(archive: &[u8]) {
    same(archive).unwrap();
    Mounted::of(archive).unwrap();
}

/// What GNU tar makes of a directory.
pub(crate) fn gnu_tar(source: &Path, options: &[&str]) -> Vec<u8> {
    packed(source, ".", options)
}

/// What GNU tar makes of something in a directory.
pub(crate) fn packed(source: &Path, name: &str, options: &[&str]) -> Vec<u8> {
    let mut tar = std::process::Command::new("tar");
    let output = tar.arg("-C").arg(source).args(options).args(["-cf", "-", name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// An entry like any other of its kind.
pub(crate) fn entry(kind: Kind, path: &str, link: &str) -> Entry {
    Entry { link: link.into(), mode: 0o755, mtime: (1, 0), ..Entry::plain(kind, path) }
}
