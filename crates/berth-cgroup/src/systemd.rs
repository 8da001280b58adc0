//! The systemd driver: the cgroup is a transient scope that systemd makes.

#[cfg(feature = "systemd")]
mod bus;
mod placeholder;
#[cfg(feature = "systemd")]
mod properties;

use oci_spec::runtime::LinuxResources;

use crate::Error;

pub(crate) use placeholder::Placeholder;

/// What systemd is asked for a scope.
#[derive(Debug)]
#[cfg_attr(not(feature = "systemd"), allow(dead_code, reason = "only systemd reads it"))]
pub(crate) struct Request<'a> {
    pub(crate) unit: &'a str,
    /// On v2 the properties have other names.
    pub(crate) unified: bool,
    pub(crate) resources: &'a LinuxResources,
}

/// The path of the scope's cgroup, and its unit, from `slice:prefix:name`.
pub(crate) fn place(path: &str) -> Result<(String, String), Error> {
    let wrong = |reason| Error::Path { path: path.to_owned(), reason };
    let mut parts = path.splitn(3, ':');
    let (Some(slice), Some(prefix), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("with systemd it must be slice:prefix:name"));
    };
    if name.is_empty() || [prefix, name].iter().any(|part| part.contains('/')) {
        return Err(wrong("with systemd it must be slice:prefix:name"));
    }
    let slice = if slice.is_empty() { "system.slice" } else { slice };
    let unit = match prefix {
        _ if name.ends_with(".slice") => name.to_owned(),
        "" => format!("{name}.scope"),
        prefix => format!("{prefix}-{name}.scope"),
    };
    let above = expand(slice).ok_or(wrong("its slice is not the name of a slice"))?;
    Ok((format!("{above}/{unit}"), unit))
}

/// `a-b.slice` lies in `a.slice`; `-.slice` is the root.
fn expand(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(String::new());
    }
    if name.contains('/') || name.split('-').any(str::is_empty) {
        return None;
    }
    let mut path = String::new();
    let mut prefix = String::new();
    for part in name.split('-') {
        prefix = if prefix.is_empty() { part.to_owned() } else { format!("{prefix}-{part}") };
        path.push_str(&format!("/{prefix}.slice"));
    }
    Some(path)
}

/// The slice a scope with this path lies in.
pub(crate) fn slice(path: &str) -> &str {
    match path.split(':').next() {
        Some("") | None => "system.slice",
        Some(slice) => slice,
    }
}

#[cfg(feature = "systemd")]
mod driver {
    use super::{Error, Placeholder, Request, bus, properties};

    /// Makes the scope, with a placeholder in it: a scope cannot be empty.
    pub(crate) fn start(request: &Request<'_>, slice: &str) -> Result<Placeholder, Error> {
        let failed = |reason: String| Error::Systemd { step: "start", unit: request.unit.to_owned(), reason };
        let placeholder =
            Placeholder::new(request.resources).map_err(|errno| failed(format!("no placeholder: {errno}")))?;
        let mut all = properties::of_scope(request.unit, slice, placeholder.pid());
        all.extend(properties::of_limits(request, placeholder.holds_back()));
        bus::start(request.unit, &all).map_err(failed)?;
        Ok(placeholder)
    }

    /// Tells systemd of new limits, which it would otherwise undo at its next reload.
    pub(crate) fn update(request: &Request<'_>) -> Result<(), Error> {
        let failed = |reason| Error::Systemd { step: "change", unit: request.unit.to_owned(), reason };
        bus::update(request.unit, &properties::of_limits(request, None)).map_err(failed)
    }

    /// Stops the unit; one that is gone is no error.
    pub(crate) fn stop(unit: &str) -> Result<(), Error> {
        let failed = |reason| Error::Systemd { step: "stop", unit: unit.to_owned(), reason };
        bus::stop(unit).map_err(failed)
    }
}

#[cfg(not(feature = "systemd"))]
mod driver {
    use super::{Error, Placeholder, Request};

    fn unavailable<T>(step: &'static str, unit: &str) -> Result<T, Error> {
        Err(Error::Systemd { step, unit: unit.to_owned(), reason: "this program was built without systemd".to_owned() })
    }

    pub(crate) fn start(request: &Request<'_>, _slice: &str) -> Result<Placeholder, Error> {
        unavailable("start", request.unit)
    }

    pub(crate) fn update(request: &Request<'_>) -> Result<(), Error> {
        unavailable("change", request.unit)
    }

    pub(crate) fn stop(unit: &str) -> Result<(), Error> {
        unavailable("stop", unit)
    }
}

pub(crate) use driver::{start, stop, update};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn paths_and_units() {
        let place = |path| place(path).unwrap();
        assert_eq!(
            place("system.slice:docker:abc"),
            ("/system.slice/docker-abc.scope".into(), "docker-abc.scope".into())
        );
        assert_eq!(place(":berth:abc").0, "/system.slice/berth-abc.scope");
        assert_eq!(place("a-b-c.slice::x").0, "/a.slice/a-b.slice/a-b-c.slice/x.scope");
        assert_eq!(place("-.slice:p:x").0, "/p-x.scope");
        for wrong in ["/berth/abc", "a:b", "a.slice:b:", "a:b:c", "a--b.slice:b:c", "x/y.slice:b:c", "a.slice:b:c/d"] {
            assert!(super::place(wrong).is_err(), "{wrong}");
        }
    }
}
