//! Docker's contexts: named addresses of daemons, in the on-disk form that Docker's command line reads and writes.
//!
//! [`store`] owns the files below `contexts/` of the configuration's directory, [`archive`] the form in which a
//! context travels. This file decides which context applies. Knows no daemon.

pub(crate) mod archive;
pub(crate) mod store;

use crate::config::Config;

pub(crate) use store::{Docker, Meta, Store, Tls};

/// The context that stands for "none": `DOCKER_HOST`, or the usual socket.
pub(crate) const DEFAULT: &str = "default";

/// The context that applies where nothing on the command line names a daemon.
pub(crate) fn current(config: &Config) -> String {
    let named = std::env::var("DOCKER_CONTEXT").unwrap_or_default();
    match (named.as_str(), config.current_context()) {
        ("", "") => DEFAULT.to_owned(),
        ("", current) => current.to_owned(),
        (named, _) => named.to_owned(),
    }
}

/// How a context says its daemon is reached; `None` for the default context.
pub(crate) fn endpoint(name: &str, config: &Config) -> Result<Option<(Docker, Tls)>, String> {
    if name == DEFAULT || name.is_empty() {
        return Ok(None);
    }
    let store = Store::of(config);
    let meta = store.read(name)?;
    let docker = meta.docker().ok_or_else(|| format!("context {name:?} has no docker endpoint"))?;
    Ok(Some((docker, store.tls(name))))
}

/// A name that a context may have.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.+-".contains(&b));
    if name == DEFAULT {
        return Err(format!("{name:?} is a reserved context name"));
    }
    match first && rest {
        true => Ok(()),
        false => Err(format!(
            "context name {name:?} is invalid, names are validated against regexp \"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names() {
        for good in ["ab", "a1", "A.b_c+d-e"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "a/b", "a b", "../x", "default", "é1"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
