//! The systemd driver: the cgroup is a transient scope that systemd makes.

use oci_spec::runtime::LinuxResources;

use crate::Error;

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

pub(crate) fn start(path: &str, unit: &str, resources: &LinuxResources) -> Result<(), Error> {
    let _ = (path, resources);
    Err(unavailable("start", unit))
}

pub(crate) fn update(unit: &str, resources: &LinuxResources) -> Result<(), Error> {
    let _ = resources;
    Err(unavailable("change", unit))
}

pub(crate) fn stop(unit: &str) -> Result<(), Error> {
    let _ = unit;
    Ok(())
}

fn unavailable(step: &'static str, unit: &str) -> Error {
    Error::Systemd { step, unit: unit.to_owned(), reason: "this build is without systemd".to_owned() }
}

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
