//! Our own program, out of a container's reach.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use berth_sys::mount::{Attributes, NODEV, NOSUID, RDONLY, mount_setattr};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::error::{At, LaunchError, Step};

/// Our own binary as an `O_PATH` descriptor on a read-only detached mount.
///
/// A process executed from it (`execveat` with an empty path, or `/proc/self/fd/N`) has a `/proc/self/exe` that nobody
/// can open for writing, whatever becomes of the mounts around it.
///
/// # Errors
/// Without `CAP_SYS_ADMIN`, or where the kernel lacks `open_tree` and `mount_setattr` (before 5.12).
pub fn own_program() -> Result<OwnedFd, LaunchError> {
    let said = || "(/proc/self/exe)";
    if is_protected()? {
        // Executed from such a mount already, which cannot be cloned again once its descriptor is closed.
        return openat(CWD, "/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(Step::OwnProgram, said);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let program = open_tree(CWD, "/proc/self/exe", flags).at(Step::OwnProgram, said)?;
    let change = Attributes { set: RDONLY | NOSUID | NODEV, ..Attributes::default() };
    mount_setattr(program.as_fd(), false, &change).at(Step::OwnProgram, said)?;
    Ok(program)
}

/// Whether this process was executed from a read-only mount.
pub(crate) fn is_protected() -> Result<bool, LaunchError> {
    let said = || "(/proc/self/exe)";
    let program =
        openat(CWD, "/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(Step::OwnProgram, said)?;
    Ok(fstatvfs(&program).at(Step::OwnProgram, said)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Goes on only in a process whose program is out of reach: executes it anew from [`own_program`] where it is not.
///
/// A caller without the rights for that (rootless) goes on as it is: it cannot be used against a file it cannot write.
pub(crate) fn run_protected() -> Result<(), LaunchError> {
    if is_protected()? {
        return Ok(());
    }
    let program = match own_program() {
        Err(LaunchError { errno: Some(rustix::io::Errno::PERM), .. }) if !rustix::process::geteuid().is_root() => {
            return Ok(());
        }
        program => program?,
    };
    let strings = |words: &mut dyn Iterator<Item = OsString>| -> Vec<CString> {
        words.filter_map(|word| CString::new(word.into_vec()).ok()).collect()
    };
    let args = strings(&mut std::env::args_os());
    let env = strings(&mut std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    }));
    Err(LaunchError::new(
        Step::OwnProgram,
        "(executing it anew)",
        berth_sys::exec::execve_file(program.as_fd(), &args, &env),
    ))
}
