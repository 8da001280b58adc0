//! Where a container's cgroup lies.

use crate::id::ContainerId;
use crate::spec::ResourceSpec;
use crate::{Error, Result};

/// Its path below each hierarchy's root; with systemd, `slice:prefix:name`. The container's own parent counts before the
/// daemon's.
#[must_use]
pub fn path(own_parent: &str, parent: &str, id: &ContainerId, systemd: bool) -> String {
    let first = [own_parent, parent].into_iter().find(|p| !p.is_empty());
    if systemd {
        return format!("{}:berth:{id}", first.unwrap_or("system.slice"));
    }
    let parts = first.unwrap_or("/berth").split('/').filter(|part| !part.is_empty() && *part != ".");
    let mut path = String::new();
    for part in parts {
        path.push('/');
        path.push_str(part);
    }
    format!("{path}/{id}")
}

/// Checks a parent for the driver in use.
///
/// # Errors
/// Docker's sentence.
pub fn validate(asked: &ResourceSpec, systemd: bool) -> Result<()> {
    let parent = asked.cgroup_parent.as_str();
    if parent.split('/').any(|part| part == "..") {
        return Err(Error::Invalid(format!("invalid cgroup parent {parent:?}: it leads upwards")));
    }
    let slice = parent.strip_suffix(".slice").is_some_and(|name| !name.is_empty());
    if systemd && !parent.is_empty() && !slice {
        return Err(Error::Invalid(
            "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"".into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn paths() {
        let id = ContainerId::parse(&"0123456789abcdef".repeat(4)).unwrap();
        for (own, daemon, systemd, above) in [
            ("", "", false, "/berth/"),
            ("", "/daemon", false, "/daemon/"),
            ("/mine//deep/", "/daemon", false, "/mine/deep/"),
            ("./mine", "", false, "/mine/"),
            ("/", "", false, "/"),
            ("", "", true, "system.slice:berth:"),
            ("a-b.slice", "c.slice", true, "a-b.slice:berth:"),
        ] {
            assert_eq!(path(own, daemon, &id, systemd), format!("{above}{id}"), "{own} {daemon}");
        }
    }

    #[test]
    fn parents() {
        let checked = |parent: &str, systemd| {
            let asked = ResourceSpec { cgroup_parent: parent.into(), ..ResourceSpec::default() };
            validate(&asked, systemd).map_err(|error| error.to_string())
        };
        for good in [("", true), ("x.slice", true), ("/x/y", false), ("x.slice", false), ("", false)] {
            assert_eq!(checked(good.0, good.1), Ok(()));
        }
        let slice = "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"";
        assert_eq!(checked("/x", true), Err(slice.to_owned()));
        assert_eq!(checked(".slice", true), Err(slice.to_owned()));
        assert!(checked("/a/../b", false).is_err());
    }
}
