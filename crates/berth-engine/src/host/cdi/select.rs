//! From a request to devices, with Docker's sentences where there are none.

use super::spec::{Device, Registry};
use crate::spec::DeviceRequest;
use crate::{Error, Result};

/// What GPUs are called where several vendors' are there.
const PREFERRED: [&str; 2] = ["nvidia.com/gpu", "amd.com/gpu"];

/// The devices that a request asks for.
pub(super) fn devices<'a>(registry: &'a Registry, request: &DeviceRequest) -> Result<Vec<&'a Device>> {
    if request.count != 0 && !request.ids.is_empty() {
        return Err(Error::Invalid("cannot set both Count and DeviceIDs on device request".into()));
    }
    if request.driver == "cdi" {
        return by_full_name(registry, request);
    }
    let kind = kind(registry, request).ok_or_else(|| no_driver(request))?;
    let all = registry.names(kind);
    let ids: Vec<&str> = match (request.count, request.ids.is_empty()) {
        (_, false) => request.ids.iter().map(String::as_str).collect(),
        (count, _) if count < 0 && all.contains(&"all") => vec!["all"],
        (count, _) => numbered(&all, usize::try_from(count).unwrap_or(usize::MAX)),
    };
    let wanted = usize::try_from(request.count).unwrap_or(0);
    if ids.len() < wanted {
        return Err(Error::Invalid(format!("{wanted} devices of {kind} were asked for, and there are {}", ids.len())));
    }
    found(registry, ids.into_iter().map(|id| format!("{kind}={id}")))
}

/// The first so many of the devices that are one each: `all`, and further names of the same device, are none.
fn numbered<'a>(all: &[&'a str], count: usize) -> Vec<&'a str> {
    let mut numbers: Vec<(u32, &str)> = all.iter().filter_map(|name| Some((name.parse().ok()?, *name))).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|(_, name)| name).take(count).collect()
}

fn by_full_name<'a>(registry: &'a Registry, request: &DeviceRequest) -> Result<Vec<&'a Device>> {
    for (wrong, what) in [(request.count != 0, "count"), (!request.options.is_empty(), "options")] {
        if wrong {
            return Err(Error::Invalid(format!("unexpected {what} in CDI device request")));
        }
    }
    found(registry, request.ids.iter().cloned())
}

fn found(registry: &Registry, names: impl Iterator<Item = String>) -> Result<Vec<&Device>> {
    let (mut devices, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match registry.get(&name) {
            Some(device) => devices.push(device),
            None => missing.push(name),
        }
    }
    if missing.is_empty() {
        return Ok(devices);
    }
    let mut sentence = format!("CDI device injection failed: unresolvable CDI devices {}", missing.join(", "));
    if let Some(error) = registry.errors().first() {
        sentence.push_str(&format!(" (a specification cannot be used: {error})"));
    }
    Err(Error::Invalid(sentence))
}

/// The kind of device that can do what a request for GPUs asks; other capabilities nobody provides.
fn kind<'a>(registry: &'a Registry, request: &DeviceRequest) -> Option<&'a str> {
    let vendor = match request.driver.as_str() {
        "" => None,
        "nvidia" => Some("nvidia.com/gpu"),
        "amd" => Some("amd.com/gpu"),
        _ => return None,
    };
    let gpu = request.capabilities.iter().any(|set| set.iter().any(|capability| capability == "gpu"));
    let kinds = registry.kinds("gpu");
    let has = |kind: &str| kinds.iter().copied().find(|one| *one == kind);
    match vendor {
        _ if !gpu => None,
        Some(kind) => has(kind),
        None => PREFERRED.iter().find_map(|kind| has(kind)).or_else(|| kinds.first().copied()),
    }
}

/// Go writes lists of lists as `[[gpu utility]]`.
fn no_driver(request: &DeviceRequest) -> Error {
    let sets: Vec<String> = request.capabilities.iter().map(|set| format!("[{}]", set.join(" "))).collect();
    let sets = sets.join(" ");
    Error::Invalid(format!("could not select device driver \"{}\" with capabilities: [{sets}]", request.driver))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let directory = tempfile::tempdir().unwrap();
        let spec = r#"{"cdiVersion": "0.5.0", "kind": "amd.com/gpu", "devices": [
            {"name": "0"}, {"name": "1"}, {"name": "10"}, {"name": "2"}, {"name": "all"}, {"name": "GPU-1"}]}"#;
        std::fs::write(directory.path().join("gpu.json"), spec).unwrap();
        let registry = Registry::read(&[directory.path().to_owned()]);
        (directory, registry)
    }

    fn gpus() -> DeviceRequest {
        DeviceRequest { capabilities: vec![vec!["gpu".into(), "utility".into()]], ..DeviceRequest::default() }
    }

    fn count(request: &DeviceRequest) -> Result<usize, String> {
        devices(&registry().1, request).map(|found| found.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn requests() {
        assert_eq!(count(&DeviceRequest { count: -1, ..gpus() }), Ok(1));
        assert_eq!(count(&DeviceRequest { count: 3, ..gpus() }), Ok(3));
        assert_eq!(count(&DeviceRequest { ids: vec!["10".into(), "GPU-1".into()], ..gpus() }), Ok(2));
        let cdi = |id: &str| DeviceRequest { driver: "cdi".into(), ids: vec![id.into()], ..DeviceRequest::default() };
        assert_eq!(count(&cdi("amd.com/gpu=all")), Ok(1));
        assert_eq!(
            count(&cdi("amd.com/gpu=9")),
            Err("CDI device injection failed: unresolvable CDI devices amd.com/gpu=9".into())
        );
        assert_eq!(
            count(&DeviceRequest { driver: "nvidia".into(), count: 1, ..gpus() }),
            Err("could not select device driver \"nvidia\" with capabilities: [[gpu utility]]".into())
        );
        let none = Registry::default();
        let error = devices(&none, &DeviceRequest { count: -1, ..gpus() }).unwrap_err().to_string();
        assert_eq!(error, "could not select device driver \"\" with capabilities: [[gpu utility]]");
        assert!(count(&DeviceRequest { count: 5, ..gpus() }).unwrap_err().contains("there are 4"));
        assert!(count(&DeviceRequest { count: 5, ids: vec!["0".into()], ..gpus() }).is_err());
    }
}
