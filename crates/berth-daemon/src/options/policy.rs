//! What the options decide for containers that say nothing themselves.

use std::path::{Path, PathBuf};

use berth_engine::spec::{CgroupnsMode, IpcMode};
use berth_engine::{CDI_DIRECTORIES, DefaultSeccomp, Policy};

use super::{OptionsError, value};
use crate::settings::Settings;

/// Where systemd says that it is the system's.
const SYSTEMD: &str = "/run/systemd/system";

pub(super) fn read(settings: &Settings) -> Result<Policy, OptionsError> {
    let directories = settings.list("cdi-spec-dir");
    let given = directories.iter().filter(|directory| !directory.is_empty()).map(PathBuf::from).collect();
    Ok(Policy {
        seccomp: seccomp(settings)?,
        no_new_privileges: settings.switch("no-new-privileges").unwrap_or(false),
        cgroupns: cgroupns(settings)?,
        init_path: init(settings)?,
        systemd_cgroups: systemd(settings)?,
        cdi_directories: if directories.is_empty() { CDI_DIRECTORIES.map(PathBuf::from).to_vec() } else { given },
    })
}

/// A file that is no profile is told now, not at the first container.
fn seccomp(settings: &Settings) -> Result<DefaultSeccomp, OptionsError> {
    match settings.text("seccomp-profile") {
        None | Some("" | "builtin") => Ok(DefaultSeccomp::Builtin),
        Some("unconfined") => Ok(DefaultSeccomp::Unconfined),
        Some(path) => {
            let json = std::fs::read_to_string(path).map_err(|why| value("seccomp-profile", path, why))?;
            berth_engine::check_seccomp_profile(&json).map_err(|why| value("seccomp-profile", path, why))?;
            Ok(DefaultSeccomp::Profile { json, path: PathBuf::from(path) })
        }
    }
}

fn cgroupns(settings: &Settings) -> Result<Option<CgroupnsMode>, OptionsError> {
    let text = settings.text("default-cgroupns-mode").unwrap_or_default();
    crate::wire::limits::cgroupns(text).map_err(|_| value("default-cgroupns-mode", text, "not one of private, host"))
}

fn init(settings: &Settings) -> Result<Option<PathBuf>, OptionsError> {
    match settings.text("init-path").filter(|path| !path.is_empty()) {
        Some(path) if !Path::new(path).is_absolute() => Err(value("init-path", path, "the path must be absolute")),
        Some(path) if !Path::new(path).is_file() => Err(value("init-path", path, "no such file")),
        path => Ok(path.map(PathBuf::from)),
    }
}

fn systemd(settings: &Settings) -> Result<bool, OptionsError> {
    const OPTION: &str = "native.cgroupdriver=systemd";
    let wanted = settings.list("exec-opt").last().is_some_and(|option| option == OPTION);
    match wanted && !Path::new(SYSTEMD).is_dir() {
        true => Err(value("exec-opt", OPTION, "systemd does not run this host")),
        false => Ok(wanted),
    }
}

/// `--default-ipc-mode`.
pub(super) fn ipc(settings: &Settings) -> Result<IpcMode, OptionsError> {
    match settings.text("default-ipc-mode") {
        None | Some("" | "private") => Ok(IpcMode::Private),
        Some("shareable") => Ok(IpcMode::Shareable),
        Some(other) => Err(value("default-ipc-mode", other, "not one of private, shareable")),
    }
}

/// `--oom-score-adjust`.
pub(super) fn oom_score(settings: &Settings) -> Result<Option<i64>, OptionsError> {
    match settings.number("oom-score-adjust") {
        Some(score) if !(-1000..=1000).contains(&score) => {
            Err(value("oom-score-adjust", &score.to_string(), "it must be between -1000 and 1000"))
        }
        score => Ok(score),
    }
}
