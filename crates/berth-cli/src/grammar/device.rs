//! `--device`, and limits by device.

use berth_api::host_config::{DeviceMapping, DeviceRequest, ThrottleDevice, WeightDevice};

use crate::unit::{number, size};

/// `host[:container][:rwm]`.
pub(crate) fn parse(text: &str) -> Result<DeviceMapping, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_mode = |s: &str| !s.is_empty() && s.chars().all(|c| "rwm".contains(c));
    let (container, permissions) = match parts[..] {
        [_] => (parts[0], "rwm"),
        [host, second] if is_mode(second) => (host, second),
        [host, ""] => (host, "rwm"),
        [_, second] => (second, "rwm"),
        [_, second, third] => (second, third),
        _ => return Err(format!("invalid device specification: {text}")),
    };
    if !is_mode(permissions) {
        return Err(format!("bad mode specified: {permissions}"));
    }
    Ok(DeviceMapping {
        path_on_host: parts[0].to_owned(),
        path_in_container: if container.is_empty() { parts[0] } else { container }.to_owned(),
        cgroup_permissions: permissions.to_owned(),
    })
}

/// `vendor.com/class=name`: a device that a specification on the daemon's host describes (CDI), rather than a path.
pub(crate) fn is_qualified(text: &str) -> bool {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
    };
    text.split_once('=').is_some_and(|(kind, name)| {
        word(name) && kind.split_once('/').is_some_and(|(vendor, class)| word(vendor) && word(class))
    })
}

/// What `--device` gives of the qualified names, all in one request.
pub(crate) fn qualified(names: Vec<String>) -> DeviceRequest {
    DeviceRequest { driver: "cdi".to_owned(), device_ids: Some(names), ..DeviceRequest::default() }
}

/// A rule of the device cgroup, as the kernel spells it.
pub(crate) fn check_rule(text: &str) -> Result<(), String> {
    let mut words = text.split(' ');
    let (kind, numbers, access) = (words.next(), words.next(), words.next());
    let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let good = matches!(kind, Some("a" | "b" | "c"))
        && numbers.and_then(|n| n.split_once(':')).is_some_and(|(major, minor)| number(major) && number(minor))
        && access.is_some_and(|a| (1..=3).contains(&a.len()) && a.bytes().all(|b| b"rwm".contains(&b)))
        && words.next().is_none();
    if good { Ok(()) } else { Err(format!("invalid device cgroup format '{text}'")) }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let (path, value) =
        text.split_once(':').filter(|(p, _)| !p.is_empty()).ok_or_else(|| format!("bad format: {text}"))?;
    if !path.starts_with("/dev/") {
        return Err(format!("bad format for device path: {text}"));
    }
    Ok((path, value))
}

/// `/dev/x:10mb`.
pub(crate) fn parse_bps(text: &str) -> Result<ThrottleDevice, String> {
    let (path, value) = split(text)?;
    let bad = |_| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        )
    };
    Ok(ThrottleDevice { path: path.to_owned(), rate: size::parse(value).map_err(bad)? as u64 })
}

/// `/dev/x:100`.
pub(crate) fn parse_iops(text: &str) -> Result<ThrottleDevice, String> {
    let (path, value) = split(text)?;
    let bad = |_| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"
        )
    };
    Ok(ThrottleDevice { path: path.to_owned(), rate: value.parse().map_err(bad)? })
}

/// `/dev/x:500`.
pub(crate) fn parse_weight(text: &str) -> Result<WeightDevice, String> {
    let (path, value) = split(text)?;
    let weight = number::parse_uint(value, 16).map_err(|_| format!("invalid weight for device: {text}"))? as u16;
    if weight > 0 && !(10..=1000).contains(&weight) {
        return Err(format!("invalid weight for device: {text}"));
    }
    Ok(WeightDevice { path: path.to_owned(), weight })
}

/// `--gpus all`, `--gpus 2`, `--gpus device=0,capabilities=utility`.
pub(crate) fn parse_gpus(text: &str) -> Result<DeviceRequest, String> {
    let mut request = DeviceRequest::default();
    let mut capabilities = vec!["gpu".to_owned()];
    for (i, field) in super::csv(text)?.iter().enumerate() {
        let (key, value) = field.split_once('=').unwrap_or(("count", field));
        match key {
            "count" if field.contains('=') || i == 0 => {
                request.count = match value {
                    "all" => -1,
                    n => n.parse().map_err(|_| {
                        format!("invalid count ({n}): value must be either \"all\" or an integer: invalid syntax")
                    })?,
                }
            }
            "driver" => request.driver = value.to_owned(),
            "device" => request.device_ids = Some(value.split(',').map(str::to_owned).collect()),
            "capabilities" => capabilities.extend(value.split(',').map(str::to_owned)),
            "options" => {
                request.options = Some(value.split(',').map(super::pair).collect());
            }
            other => return Err(format!("unexpected key '{other}' in '{field}'")),
        }
    }
    if request.count == 0 && request.device_ids.is_none() {
        request.count = 1;
    }
    request.capabilities = Some(vec![capabilities]);
    Ok(request)
}
