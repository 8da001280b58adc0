//! `SecurityOpt` and capabilities: from Docker's option texts to the domain.

use berth_api::capability::{ALL, CAPABILITIES};
use berth_engine::spec::{IsolationSpec, SeccompSpec};

use crate::http::error::ApiError;

/// Refuses names that are no capability.
pub(crate) fn check_capabilities(field: &str, names: &[String]) -> Result<(), ApiError> {
    for name in names {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if bare != ALL && !CAPABILITIES.contains(&bare) {
            return Err(ApiError::invalid(format!("invalid {field}: unknown capability: \"CAP_{bare}\"")));
        }
    }
    Ok(())
}

/// Applies `--security-opt` texts.
pub(crate) fn apply(options: &[String], isolation: &mut IsolationSpec) -> Result<(), ApiError> {
    for option in options {
        if matches!(option.as_str(), "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true") {
            isolation.no_new_privileges = true;
            continue;
        }
        if option == "writable-cgroups" {
            isolation.writable_cgroups = true;
            continue;
        }
        // A colon was the separator once, and old clients still send it.
        let (name, value) = match option.split_once('=').or_else(|| option.split_once(':')) {
            Some((name, value)) => (name, value),
            None if option == "disable" => ("label", "disable"),
            None => return Err(ApiError::invalid(format!("invalid --security-opt 1: \"{option}\""))),
        };
        match name {
            "label" => isolation.labels.push(value.to_owned()),
            "apparmor" => isolation.apparmor = Some(value.to_owned()),
            "seccomp" => isolation.seccomp = seccomp(value),
            "no-new-privileges" => isolation.no_new_privileges = flag(value, option)?,
            "systempaths" if value == "unconfined" => {
                isolation.masked_paths = Some(Vec::new());
                isolation.readonly_paths = Some(Vec::new());
            }
            "writable-cgroups" => isolation.writable_cgroups = flag(value, option)?,
            _ => return Err(ApiError::invalid(format!("invalid --security-opt 2: \"{option}\""))),
        }
    }
    Ok(())
}

fn seccomp(value: &str) -> SeccompSpec {
    match value {
        "unconfined" => SeccompSpec::Unconfined,
        "builtin" => SeccompSpec::Builtin,
        "" | "default" => SeccompSpec::Default,
        profile => SeccompSpec::Profile(profile.to_owned()),
    }
}

fn flag(value: &str, option: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
        "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
        _ => Err(ApiError::invalid(format!("invalid --security-opt 2: \"{option}\""))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn applied(options: &[&str]) -> Result<IsolationSpec, ApiError> {
        let mut isolation = IsolationSpec::default();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        apply(&options, &mut isolation).map(|()| isolation)
    }

    #[test]
    fn options() {
        let isolation = applied(&["no-new-privileges", "seccomp=unconfined", "label:disable", "apparmor=x"]).unwrap();
        assert!(isolation.no_new_privileges);
        assert_eq!(isolation.seccomp, SeccompSpec::Unconfined);
        assert_eq!(isolation.labels, ["disable"]);
        assert_eq!(isolation.apparmor.as_deref(), Some("x"));
        assert_eq!(applied(&["seccomp={}"]).unwrap().seccomp, SeccompSpec::Profile("{}".into()));
        assert_eq!(applied(&["x=y"]).unwrap_err().message, "invalid --security-opt 2: \"x=y\"");
        assert_eq!(applied(&["x"]).unwrap_err().message, "invalid --security-opt 1: \"x\"");
    }

    #[test]
    fn capabilities() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        check_capabilities("CapAdd", &names(&["ALL", "net_admin", "CAP_SYS_TIME"])).unwrap();
        let error = check_capabilities("CapAdd", &names(&["NOPE"])).unwrap_err();
        assert_eq!(error.message, "invalid CapAdd: unknown capability: \"CAP_NOPE\"");
    }
}
