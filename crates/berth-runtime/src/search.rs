//! Finding the program: `args[0]`, in `$PATH` where it has no slash, as the user will see it.

use std::ffi::CString;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, Stat, accessat, fstat, openat};
use rustix::io::Errno;

use crate::error::{LaunchError, Step};

/// Which file is our own program: it must not be executed in a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ourselves {
    device: u64,
    inode: u64,
}

impl Ourselves {
    pub(crate) fn find() -> Result<Self, LaunchError> {
        let stat = rustix::fs::stat("/proc/self/exe")
            .map_err(|errno| LaunchError::new(Step::OwnProgram, "(/proc/self/exe)", errno))?;
        Ok(Self { device: stat.st_dev, inode: stat.st_ino })
    }

    fn are(self, stat: &Stat) -> bool {
        (self.device, self.inode) == (stat.st_dev, stat.st_ino)
    }
}

/// The path to execute.
pub(crate) fn find(name: &str, path: &str, ourselves: Ourselves) -> Result<CString, LaunchError> {
    let failed = |errno| LaunchError::new(Step::FindProgram, name, errno);
    let whole = |path: String| CString::new(path).map_err(|_| failed(Errno::INVAL));
    if name.is_empty() {
        return Err(failed(Errno::NOENT));
    }
    if name.contains('/') {
        executable(name, ourselves).map_err(failed)?;
        return whole(name.to_owned());
    }
    let mut refused = None;
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{directory}/{name}");
        match executable(&candidate, ourselves) {
            Ok(()) => return whole(candidate),
            Err(Errno::ACCESS) => refused = Some(Errno::ACCESS),
            Err(_) => {}
        }
    }
    // A file that is there and may not be executed says more than that nothing was found.
    Err(failed(refused.unwrap_or(Errno::NOENT)))
}

/// Interpreters of interpreters, as many as the kernel follows.
const MOST_INTERPRETERS: usize = 5;

fn executable(path: &str, ourselves: Ourselves) -> Result<(), Errno> {
    let file = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => return Err(Errno::ISDIR),
        FileType::RegularFile => {}
        _ => return Err(Errno::ACCESS),
    }
    if stat.st_mode & 0o111 == 0 || ourselves.are(&stat) {
        return Err(Errno::ACCESS);
    }
    match accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        // Old kernels, or a filter without faccessat2: execve will tell.
        Ok(()) | Err(Errno::NOSYS | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    refuse_as_interpreter(path, ourselves)
}

/// A script whose interpreter is `/proc/self/exe` would be read by us.
fn refuse_as_interpreter(path: &str, ourselves: Ourselves) -> Result<(), Errno> {
    let mut script = path.to_owned();
    for _ in 0..MOST_INTERPRETERS {
        let Some(interpreter) = interpreter(&script) else { return Ok(()) };
        if rustix::fs::stat(interpreter.as_str()).is_ok_and(|stat| ourselves.are(&stat)) {
            return Err(Errno::ACCESS);
        }
        script = interpreter;
    }
    Ok(())
}

fn interpreter(path: &str) -> Option<String> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut start = [0; 256];
    let length = rustix::io::read(&file, &mut start).ok()?;
    let line = start[..length].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    String::from_utf8_lossy(line).split_whitespace().next().map(str::to_owned)
}
