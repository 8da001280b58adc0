//! `--health-*` and `--no-healthcheck`.

use berth_api::container::HealthConfig;

use crate::flag::Parsed;
use crate::unit::duration;

/// Reads the health check; `None` leaves it to the image.
pub(super) fn read(parsed: &Parsed) -> Result<Option<HealthConfig>, String> {
    let time = |name: &str| match parsed.get(name) {
        Some(text) => {
            duration::parse(text).and_then(|n| if n < 0 { Err(format!("--{name} cannot be negative")) } else { Ok(n) })
        }
        None => Ok(0),
    };
    let command = parsed.text("health-cmd");
    let config = HealthConfig {
        test: if command.is_empty() { Vec::new() } else { vec!["CMD-SHELL".to_owned(), command] },
        interval: time("health-interval")?,
        timeout: time("health-timeout")?,
        start_period: time("health-start-period")?,
        start_interval: time("health-start-interval")?,
        retries: parsed.int("health-retries").unwrap_or(0),
    };
    if config.retries < 0 {
        return Err("--health-retries cannot be negative".to_owned());
    }
    let given = config != HealthConfig::default();
    match (parsed.on("no-healthcheck"), given) {
        (true, true) => Err("--no-healthcheck conflicts with --health-* options".to_owned()),
        (true, false) => Ok(Some(HealthConfig { test: vec!["NONE".to_owned()], ..HealthConfig::default() })),
        (false, true) => Ok(Some(config)),
        (false, false) => Ok(None),
    }
}
