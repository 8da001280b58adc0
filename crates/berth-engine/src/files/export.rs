//! The whole root file system as an archive.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use berth_archive::pack::{Packing, Take, pack};
use berth_archive::{Output, Writer};

/// `root` is a mount of the root file system alone: where something is mounted in the container lies what is below.
pub(super) fn pack_all(root: &OwnedFd, writer: &mut Writer<&mut dyn Output>) -> io::Result<()> {
    let packing = Packing { name: b"", overlay: false, choose: &mut |_| Take::Whole };
    pack(root.as_fd(), b"", packing, writer)
}
