//! Health checks between the wire and the domain.

use berth_api::ContainerConfig;
use berth_api::container::{HEALTH_ON_FAILURE, HealthConfig};
use berth_api::host_config::HostConfig;
use berth_api::inspect::{Health, HealthResult};
use berth_engine::spec::HealthSpec;
use berth_engine::{HealthCheck, HealthStatus, OnFailure};

use crate::http::error::ApiError;

/// The shortest duration there is: a millisecond.
const SHORTEST: i64 = 1_000_000;

/// What a create request asks for.
pub(crate) fn asked(config: &ContainerConfig, host: &HostConfig) -> Result<HealthSpec, ApiError> {
    let on_failure = match host.annotations.get(HEALTH_ON_FAILURE) {
        None => OnFailure::None,
        Some(word) => OnFailure::parse(word).ok_or_else(|| {
            ApiError::invalid(format!(
                "invalid value \"{word}\" of annotation {HEALTH_ON_FAILURE}: must be none, kill, restart or stop"
            ))
        })?,
    };
    Ok(HealthSpec { check: config.healthcheck.as_ref().map(check).transpose()?, on_failure })
}

fn check(config: &HealthConfig) -> Result<HealthCheck, ApiError> {
    for (name, duration) in [
        ("Interval", config.interval),
        ("Timeout", config.timeout),
        ("StartPeriod", config.start_period),
        ("StartInterval", config.start_interval),
    ] {
        if duration != 0 && duration < SHORTEST {
            return Err(ApiError::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if config.retries < 0 {
        return Err(ApiError::invalid("Retries in Healthcheck cannot be negative"));
    }
    Ok(HealthCheck {
        test: config.test.clone(),
        interval: config.interval,
        timeout: config.timeout,
        start_period: config.start_period,
        start_interval: config.start_interval,
        retries: config.retries,
    })
}

/// `Config.Healthcheck`.
pub(crate) fn config(check: &HealthCheck) -> HealthConfig {
    HealthConfig {
        test: check.test.clone(),
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    }
}

/// `State.Health`.
pub(crate) fn shown(health: &berth_engine::Health) -> Health {
    let result = |probe: &berth_engine::Probe| HealthResult {
        start: probe.start.to_string(),
        end: probe.end.to_string(),
        exit_code: probe.exit_code.into(),
        output: probe.output.clone(),
    };
    Health {
        status: health.status.as_str().to_owned(),
        failing_streak: health.failing_streak,
        log: Some(health.log.iter().map(result).collect()),
    }
}

/// What stands behind `Up …` in lists; nothing without a check.
pub(crate) fn beside_status(health: Option<&berth_engine::Health>) -> &'static str {
    match health.map(|health| health.status) {
        None => "",
        Some(HealthStatus::Starting) => " (health: starting)",
        Some(HealthStatus::Healthy) => " (healthy)",
        Some(HealthStatus::Unhealthy) => " (unhealthy)",
    }
}

/// The filter `health`.
pub(crate) fn word(health: Option<&berth_engine::Health>) -> &'static str {
    health.map_or("none", |health| health.status.as_str())
}
