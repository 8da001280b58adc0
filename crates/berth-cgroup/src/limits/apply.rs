//! Carrying out a plan.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::{Setting, Step};
use crate::cgroup::Cgroup;
use crate::{Error, file};

/// Takes every step; the first that fails ends it.
pub(crate) fn apply(cgroup: &Cgroup, steps: Vec<Step>) -> Result<(), Error> {
    let mut strict = |error| Err(error);
    run(cgroup, steps, &mut strict)
}

/// Takes every step the host can take, and gives back why it could not take the others.
pub(crate) fn apply_leniently(cgroup: &Cgroup, steps: Vec<Step>) -> Result<Vec<Error>, Error> {
    let mut warnings = Vec::new();
    let mut lenient = |error| match error {
        Error::Absent { .. } | Error::Version { .. } => {
            warnings.push(error);
            Ok(())
        }
        error => Err(error),
    };
    run(cgroup, steps, &mut lenient)?;
    Ok(warnings)
}

type Judge<'a> = &'a mut dyn FnMut(Error) -> Result<(), Error>;

/// Some values are only valid beside each other (a CPU burst and its quota, a quota and its period), in an order that
/// depends on what holds: what the kernel finds invalid is tried again after the rest.
fn run(cgroup: &Cgroup, steps: Vec<Step>, judge: Judge<'_>) -> Result<(), Error> {
    let mut again = Vec::new();
    for step in steps {
        let setting = match step {
            Ok(setting) => setting,
            Err(error) => {
                judge(error)?;
                continue;
            }
        };
        match write(cgroup, &setting) {
            Ok(()) => {}
            Err(Error::Write { source, .. }) if is(&source, Errno::INVAL) && setting.controller == "cpu" => {
                again.push(setting);
            }
            Err(error) => judge(error)?,
        }
    }
    for setting in again {
        if let Err(error) = write(cgroup, &setting) {
            judge(error)?;
        }
    }
    Ok(())
}

fn write(cgroup: &Cgroup, setting: &Setting) -> Result<(), Error> {
    let absent = |file| Error::Absent { limit: setting.limit, controller: setting.controller, file };
    let Some(directory) = cgroup.directory(setting.controller) else {
        return if setting.dispensable { Ok(()) } else { Err(absent(None)) };
    };
    let path = directory.join(&*setting.file);
    match file::write_raw(&path, &setting.value) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && setting.dispensable => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(directory, &path, setting, error)),
        Err(error) if is(&error, Errno::BUSY) && setting.limit.contains("memory") => {
            Err(in_use(directory, setting, &path, error))
        }
        Err(source) => Err(Error::Write { path, value: setting.value.clone(), source }),
    }
}

/// No file: the controller is absent, or it lacks the feature, or the whole cgroup is gone.
fn missing(directory: &Path, path: &Path, setting: &Setting, source: io::Error) -> Error {
    if !directory.is_dir() {
        return Error::Write { path: path.to_owned(), value: setting.value.clone(), source };
    }
    let file = Some(setting.file.clone().into_owned());
    Error::Absent { limit: setting.limit, controller: setting.controller, file }
}

/// The kernel could not shrink the group below its new limit.
fn in_use(directory: &Path, setting: &Setting, path: &Path, source: io::Error) -> Error {
    let usage = ["memory.usage_in_bytes", "memory.current"]
        .into_iter()
        .find_map(|name| file::number_if_there(&directory.join(name)).ok().flatten());
    match usage {
        Some(usage) => Error::Value {
            limit: setting.limit,
            value: setting.value.clone(),
            reason: format!("{usage} bytes are in use and could not be freed"),
        },
        None => Error::Write { path: path.to_owned(), value: setting.value.clone(), source },
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}
