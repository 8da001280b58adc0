//! Extended attributes: which of them a file may have, as the kernel decides it, and how they stand behind an inode.

use berth_archive::Kind;
use rustix::io::Errno;

/// An attribute's name and value.
pub(crate) type Xattr = (Box<[u8]>, Box<[u8]>);

pub(crate) const OPAQUE: &[u8] = b"trusted.overlay.opaque";

const ACL_ACCESS: &[u8] = b"system.posix_acl_access";
const ACL_DEFAULT: &[u8] = b"system.posix_acl_default";

/// The longest name Linux takes.
const MAX_NAME: usize = 255;
/// The length of a value has 16 bits.
const MAX_VALUE: usize = 65535;
/// All of an inode's together: their count of four-byte units has 16 bits.
const MAX_ALL: u64 = 12 + 4 * 65534;
const HEADER: u64 = 12;

/// Whether the kernel would set it on something of this kind, were this a directory being filled. `false`: what has no
/// such attributes does without.
pub(crate) fn permitted(kind: Kind, name: &[u8], value: &[u8]) -> Result<bool, Errno> {
    if name.len() > MAX_NAME {
        return Err(Errno::RANGE);
    }
    if value.len() > MAX_VALUE {
        return Err(Errno::TOOBIG);
    }
    match name {
        b"user." => Err(Errno::INVAL),
        b"security.capability" => {
            if is_capability(value) {
                Ok(true)
            } else {
                Err(Errno::INVAL)
            }
        }
        ACL_ACCESS | ACL_DEFAULT if kind == Kind::Symlink || value.is_empty() => Ok(false),
        ACL_DEFAULT if kind != Kind::Directory => Err(Errno::ACCESS),
        ACL_ACCESS | ACL_DEFAULT => is_acl(value),
        name if name.starts_with(b"system.") => Ok(false),
        _ => Ok(matches!(kind, Kind::File | Kind::Directory)),
    }
}

/// `struct vfs_cap_data` of revision 2, or 3 (with a root's id).
fn is_capability(value: &[u8]) -> bool {
    matches!((value.get(3), value.len()), (Some(2), 20) | (Some(3), 24))
}

/// `struct posix_acl_xattr_header` of version 2 and entries of eight bytes; another version is none, and no error.
fn is_acl(value: &[u8]) -> Result<bool, Errno> {
    match value.strip_prefix(&[2, 0, 0, 0]) {
        Some(entries) if entries.len().is_multiple_of(8) => Ok(!entries.is_empty()),
        None if value.len() >= 4 => Ok(false),
        _ => Err(Errno::INVAL),
    }
}

/// Gives a file an attribute, in place of one of that name.
pub(crate) fn set(xattrs: &mut Vec<Xattr>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    match xattrs.iter_mut().find(|(other, _)| **other == *name) {
        Some((_, old)) => *old = value.into(),
        None => xattrs.push((name.into(), value.into())),
    }
    if length(xattrs) > MAX_ALL { Err(Errno::NOSPC) } else { Ok(()) }
}

/// Bytes they take behind an inode.
pub(crate) fn length(xattrs: &[Xattr]) -> u64 {
    match xattrs {
        [] => 0,
        xattrs => HEADER + xattrs.iter().map(|xattr| entry(xattr) as u64).sum::<u64>(),
    }
}

fn entry((name, value): &Xattr) -> usize {
    (4 + prefix(name).1.len() + value.len()).next_multiple_of(4)
}

/// Writes what stands behind the inode.
pub(crate) fn encode(xattrs: &[Xattr], out: &mut Vec<u8>) {
    if xattrs.is_empty() {
        return;
    }
    out.extend_from_slice(&[0; HEADER as usize]);
    for xattr @ (name, value) in xattrs {
        let (index, rest) = prefix(name);
        let end = out.len() + entry(xattr);
        out.extend_from_slice(&[rest.len() as u8, index]);
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
        out.extend_from_slice(rest);
        out.extend_from_slice(value);
        out.resize(end, 0);
    }
}

/// A name's first part is one number.
fn prefix(name: &[u8]) -> (u8, &[u8]) {
    let prefixes: [(u8, &[u8]); 5] =
        [(1, b"user."), (2, ACL_ACCESS), (3, ACL_DEFAULT), (4, b"trusted."), (6, b"security.")];
    let found = prefixes.iter().find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)));
    found.unwrap_or((0, name))
}
