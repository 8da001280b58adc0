//! A volume's name, checked as Docker checks it: it becomes a directory's.

use std::fmt;

use crate::{Error, Result};

/// A name that can be a directory's, and nothing else: no slash, no `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeName(String);

/// The longest name a directory can have.
const LONGEST: usize = 255;

impl VolumeName {
    /// Checks it.
    ///
    /// # Errors
    /// Docker's sentence, which begins with `create NAME:`.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: String| Err(Error::Invalid(format!("create {text}: {why}")));
        if text.len() == 1 {
            return invalid("volume name is too short, names should be at least two alphanumeric characters".into());
        }
        let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !first || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            return invalid(format!(
                "{text:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
                 allowed. If you intended to pass a host directory, use absolute path"
            ));
        }
        if text.len() > LONGEST {
            return invalid(format!("volume name is too long, names can have {LONGEST} characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// One that nobody has.
    #[must_use]
    pub fn random() -> Self {
        Self(crate::ContainerId::random().as_str().to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_docker_s() {
        for good in ["ab", "0.", "a_b-c.d", "A1"] {
            assert_eq!(VolumeName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".a", "..", "a/b", "/abs", "-ab", "a b", "é1", "a\0", "a\n"] {
            let text = VolumeName::parse(bad).unwrap_err().to_string();
            assert!(text.contains("includes invalid characters for a local volume name"), "{text}");
        }
        assert!(VolumeName::parse("a").unwrap_err().to_string().contains("too short"));
        assert!(VolumeName::parse(&"a".repeat(256)).unwrap_err().to_string().contains("too long"));
    }

    proptest! {
        /// Whatever is let through is one ordinary name within a directory.
        #[test]
        fn a_name_is_one_component(text in "\\PC{0,12}") {
            if let Ok(name) = VolumeName::parse(&text) {
                let mut components = std::path::Path::new(name.as_str()).components();
                prop_assert!(matches!(components.next(), Some(std::path::Component::Normal(_))));
                prop_assert!(components.next().is_none());
            }
        }
    }
}
