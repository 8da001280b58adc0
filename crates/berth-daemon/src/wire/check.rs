//! Limits that cannot be, in Docker's words.

use berth_api::ContainerConfig;
use berth_api::host_config::{HostConfig, RestartPolicy, Ulimit};
use berth_engine::spec;

use crate::http::error::ApiError;

/// The least memory a container may be limited to.
const MINIMUM_MEMORY: i64 = 6 << 20;

type Checked = Result<(), ApiError>;

fn refuse_if(wrong: bool, sentence: impl Into<String>) -> Checked {
    if wrong { Err(ApiError::invalid(sentence)) } else { Ok(()) }
}

/// Memory and swap.
pub(crate) fn memory(host: &HostConfig) -> Checked {
    let (memory, swap, reservation) = (host.memory, host.memory_swap, host.memory_reservation);
    refuse_if(memory != 0 && memory < MINIMUM_MEMORY, "Minimum memory limit allowed is 6MB")?;
    refuse_if(
        memory > 0 && swap > 0 && swap < memory,
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    )?;
    refuse_if(
        memory == 0 && swap > 0,
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    )?;
    if let Some(swappiness) = host.memory_swappiness {
        refuse_if(
            !(-1..=100).contains(&swappiness),
            format!("Invalid value: {swappiness}, valid memory swappiness range is 0-100"),
        )?;
    }
    refuse_if(reservation != 0 && reservation < MINIMUM_MEMORY, "Minimum memory reservation allowed is 6MB")?;
    refuse_if(
        memory > 0 && memory < reservation,
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    )?;
    refuse_if(host.kernel_memory != 0, "kernel memory limits are not supported: Linux has removed them")?;
    refuse_if(host.shm_size < 0, "SHM size can not be less than 0")?;
    let score = host.oom_score_adj;
    refuse_if(
        !(-1000..=1000).contains(&score),
        format!("Invalid value {score}, range for oom score adj is [-1000, 1000]"),
    )
}

/// CPUs.
pub(crate) fn cpu(host: &HostConfig, cpus: usize) -> Checked {
    let (nano, period, quota) = (host.nano_cpus, host.cpu_period, host.cpu_quota);
    refuse_if(nano > 0 && period > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set")?;
    refuse_if(nano > 0 && quota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")?;
    let most = i64::try_from(cpus).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    refuse_if(
        nano < 0 || nano > most,
        format!("range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"),
    )?;
    refuse_if(
        period != 0 && !(1000..=1_000_000).contains(&period),
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    )?;
    refuse_if(quota > 0 && quota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)")?;
    refuse_if(!is_list(&host.cpuset_cpus), format!("Invalid value {} for cpuset cpus", host.cpuset_cpus))?;
    refuse_if(!is_list(&host.cpuset_mems), format!("Invalid value {} for cpuset mems", host.cpuset_mems))
}

/// `0-3,7`, or nothing.
fn is_list(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    text.is_empty()
        || text.split(',').all(|part| match part.split_once('-') {
            Some((low, high)) => number(low).zip(number(high)).is_some_and(|(low, high)| low <= high),
            None => number(part).is_some(),
        })
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
