//! What an image runs on: operating system, architecture, variant; and which images run on this host.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is wrong with a platform's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// A component has other characters than letters, digits, `_`, `.` and `-`, or there are too many or none.
    #[error("{0:?} is an invalid platform: it reads os[/architecture[/variant]]")]
    Syntax(String),
    /// One word that is neither an operating system nor an architecture.
    #[error("{0:?}: unknown operating system or architecture")]
    Unknown(String),
}

/// An operating system and the machine under it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`, … (Go's names).
    #[serde(default)]
    pub architecture: String,
    /// `v7` of `arm`; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Windows only.
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Windows only.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
];
const ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390", "s390x", "wasm",
];

impl Platform {
    /// A platform from its parts, normalised.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) =
            normal_architecture(&architecture.to_ascii_lowercase(), &variant.to_ascii_lowercase());
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        Self { os, architecture, variant, ..Self::default() }
    }

    /// The machine this program was built for, running Linux.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", ""),
            "x86" => ("386", ""),
            "aarch64" => ("arm64", "v8"),
            "arm" => ("arm", "v7"),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", ""),
            "powerpc64" => ("ppc64", ""),
            "loongarch64" => ("loong64", ""),
            other => (other, ""),
        };
        Self::new("linux", architecture, variant)
    }

    /// Parses `os[/architecture[/variant]]`, or an architecture alone; what is missing is the host's.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let word =
            |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if parts.len() > 3 || !parts.iter().all(|p| word(p)) {
            return Err(PlatformError::Syntax(text.into()));
        }
        let host = Self::host();
        match parts[..] {
            [one] => {
                let as_system = Self::new(one, &host.architecture, &host.variant);
                if SYSTEMS.contains(&as_system.os.as_str()) {
                    return Ok(as_system);
                }
                let as_machine = Self::new(&host.os, one, "");
                if ARCHITECTURES.contains(&as_machine.architecture.as_str()) {
                    return Ok(as_machine);
                }
                Err(PlatformError::Unknown(text.into()))
            }
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err(PlatformError::Syntax(text.into())),
        }
    }

    /// The same platform in its canonical spelling.
    pub fn normalised(&self) -> Self {
        let plain = Self::new(&self.os, &self.architecture, &self.variant);
        Self { os_version: self.os_version.clone(), os_features: self.os_features.clone(), ..plain }
    }

    /// How well `image` suits this platform: `None` if it does not run, otherwise lower is better.
    ///
    /// An arm runs what was built for itself and for every version before it; arm64 runs 32-bit arm,
    /// amd64 runs 386, both as a last resort.
    pub fn suits(&self, image: &Self) -> Option<u32> {
        let (want, have) = (self.normalised(), image.normalised());
        if want.os != have.os {
            return None;
        }
        match (want.architecture.as_str(), have.architecture.as_str()) {
            (a, b) if a == b => variant_distance(&want, &have),
            ("amd64", "386") => Some(100),
            ("arm64", "arm") => Some(100 + 8_u32.checked_sub(level(&have))?),
            _ => None,
        }
    }
}

fn variant_distance(want: &Platform, have: &Platform) -> Option<u32> {
    match want.architecture.as_str() {
        "arm" | "arm64" | "amd64" => level(want).checked_sub(level(have)),
        _ => (want.variant == have.variant || have.variant.is_empty()).then_some(0),
    }
}

/// A variant as a number that grows with the machine: `v7` is 7; what is left out is the usual one.
fn level(platform: &Platform) -> u32 {
    let default = match platform.architecture.as_str() {
        "arm" => 7,
        "arm64" => 8,
        _ => 1,
    };
    let digits = platform.variant.trim_start_matches('v').split('.').next().unwrap_or_default();
    digits.parse().unwrap_or(default)
}

fn normal_architecture(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386" | "i486" | "i586" | "i686" | "x86", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", v) => ("amd64", v),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64", v) => ("arm64", v),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let os = if self.os.is_empty() { "unknown" } else { &self.os };
        write!(f, "{os}")?;
        for part in [&self.architecture, &self.variant] {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(s: &str) -> Result<Self, PlatformError> {
        Self::parse(s)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn suits(want: &str, have: &str) -> Option<u32> {
        Platform::parse(want).unwrap().suits(&Platform::parse(have).unwrap())
    }

    #[test]
    fn spellings_become_one() {
        for (text, plain) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armhf", "linux/arm/v7"),
            ("macos/arm64", "darwin/arm64"),
            ("linux/ARM/6", "linux/arm/v6"),
            ("s390x", "linux/s390x"),
            ("linux/i686", "linux/386"),
        ] {
            assert_eq!(Platform::parse(text).unwrap().to_string(), plain);
        }
        assert!(matches!(Platform::parse("a/b/c/d"), Err(PlatformError::Syntax(_))));
        assert!(matches!(Platform::parse("linux/"), Err(PlatformError::Syntax(_))));
        assert!(matches!(Platform::parse("pdp11"), Err(PlatformError::Unknown(_))));
    }

    #[test]
    fn arms_run_older_arms() {
        assert_eq!(suits("linux/amd64", "linux/amd64"), Some(0));
        assert_eq!(suits("linux/amd64", "linux/arm64"), None);
        assert_eq!(suits("linux/amd64", "windows/amd64"), None);
        assert_eq!(suits("linux/arm/v7", "linux/arm/v6"), Some(1));
        assert_eq!(suits("linux/arm/v6", "linux/arm/v7"), None);
        assert!(suits("linux/arm64", "linux/arm/v8") < suits("linux/arm64", "linux/arm/v7"));
        assert!(suits("linux/amd64", "linux/386").is_some());
        assert_eq!(suits("linux/amd64", "linux/amd64/v3"), None);
    }
}
