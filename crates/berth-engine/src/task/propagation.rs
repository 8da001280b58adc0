//! Bind mounts that share mounts with the host: they can only where the host shares what they are taken from.

use berth_sys::mountinfo;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use crate::spec::{MountKind, MountSpec};
use crate::{Error, Result};

/// Refuses what would be accepted and do nothing, in Docker's words.
pub(super) fn check(mounts: &[MountSpec]) -> Result<()> {
    let mut table = None;
    for mount in mounts {
        let MountKind::Bind { source, propagation, .. } = &mount.kind else { continue };
        let both = match propagation.trim_start_matches('r') {
            "shared" => true,
            "slave" => false,
            _ => continue,
        };
        let table = match &table {
            Some(table) => table,
            None => table.insert(mountinfo::read().map_err(Error::file("reading", mountinfo::OWN))?),
        };
        let stat = statx(CWD, source, AtFlags::empty(), StatxFlags::MNT_ID);
        let stat = stat.map_err(|errno| Error::file("looking at", source)(errno.into()))?;
        // A kernel before 5.8 does not say which mount it is.
        let Some(from) = table.iter().find(|mount| mount.id == stat.stx_mnt_id) else { continue };
        if !(from.shared || !both && from.slave) {
            let wanted = if both { "shared" } else { "shared or slave" };
            let point = from.point.display();
            return Err(Error::Invalid(format!("path {source} is mounted on {point} but it is not a {wanted} mount")));
        }
    }
    Ok(())
}
