//! Limits that cannot be, in Docker's words.

use berth_api::ContainerConfig;
use berth_api::host_config::{HostConfig, RestartPolicy, Ulimit};
use berth_engine::spec;

use crate::http::error::ApiError;

type Checked = Result<(), ApiError>;

fn refuse_if(wrong: bool, sentence: impl Into<String>) -> Checked {
    if wrong { Err(ApiError::invalid(sentence)) } else { Ok(()) }
}

/// Something was asked for.
pub(super) fn some<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

/// `--storage-opt`: there is one option, and it wants a file system that keeps quotas for directories.
pub(super) fn storage(host: &HostConfig) -> Checked {
    let Some(name) = host.storage_opt.keys().next() else { return Ok(()) };
    match name.to_ascii_lowercase().as_str() {
        "size" => Err(ApiError::internal(
            "--storage-opt is not supported: the size of a container's files cannot be limited; limit what it writes to \
             with a volume of a size of its own (volume create -o type=tmpfs -o device=tmpfs -o o=size=...)",
        )),
        _ => Err(ApiError::internal(format!("Unknown option {name}"))),
    }
}

/// Limits that only Windows has.
pub(crate) fn windows_only(host: &HostConfig) -> Checked {
    refuse_if(
        host.io_maximum_bandwidth != 0 || host.io_maximum_iops != 0,
        "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
    )
}

/// `--restart`, beside `--rm`.
pub(crate) fn restart_policy(policy: &RestartPolicy, auto_remove: bool) -> Result<spec::RestartPolicy, ApiError> {
    let name = policy.name.as_str();
    refuse_if(
        !matches!(name, "" | "no" | "always" | "on-failure" | "unless-stopped"),
        format!("invalid restart policy '{name}'"),
    )?;
    refuse_if(
        policy.maximum_retry_count != 0 && name != "on-failure",
        format!("maximum retry count cannot be used with restart policy '{name}'"),
    )?;
    refuse_if(policy.maximum_retry_count < 0, "maximum retry count cannot be negative")?;
    refuse_if(auto_remove && !matches!(name, "" | "no"), "can't create 'AutoRemove' container with restart policy")?;
    Ok(match name {
        "always" => spec::RestartPolicy::Always,
        "unless-stopped" => spec::RestartPolicy::UnlessStopped,
        "on-failure" => {
            spec::RestartPolicy::OnFailure { retries: u32::try_from(policy.maximum_retry_count).unwrap_or(u32::MAX) }
        }
        _ => spec::RestartPolicy::No,
    })
}

/// `--ulimit`.
pub(crate) fn ulimits(ulimits: &[Ulimit]) -> Checked {
    const NAMES: [&str; 16] = [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
        "as",
    ];
    for limit in ulimits {
        let Ulimit { name, hard, soft } = limit;
        refuse_if(!NAMES.contains(&name.as_str()), format!("invalid ulimit type: {name}"))?;
        refuse_if(
            *hard != -1 && (*soft == -1 || soft > hard),
            format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"),
        )?;
    }
    Ok(())
}

/// What `Config` says of the process.
pub(crate) fn config(config: &ContainerConfig) -> Checked {
    let directory = &config.working_dir;
    refuse_if(
        !directory.is_empty() && !directory.starts_with('/'),
        format!("the working directory '{directory}' is invalid, it needs to be an absolute path"),
    )?;
    for entry in config.env.iter().flatten() {
        refuse_if(entry.is_empty() || entry.starts_with('='), format!("invalid environment variable: {entry}"))?;
        refuse_if(entry.contains('\0'), format!("invalid environment variable: {}", entry.escape_default()))?;
    }
    let name = &config.hostname;
    refuse_if(name.len() > 63 || name.contains(['\0', '\n']), format!("invalid hostname format: {name}"))
}

/// `isolation`.
pub(crate) fn isolation(isolation: &str) -> Checked {
    refuse_if(!matches!(isolation, "" | "default"), format!("invalid isolation '{isolation}' on linux"))
}
