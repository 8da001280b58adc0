//! The Engine API's version numbers: `1.51`, compared as numbers, not as text.

use std::fmt;
use std::str::FromStr;

/// A version of the Engine API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Always 1 so far.
    pub major: u16,
    /// Grows with the API.
    pub minor: u16,
}

impl ApiVersion {
    /// The newest version served and spoken.
    pub const MAX: Self = Self::new(1, 51);
    /// The oldest version advertised.
    pub const MIN: Self = Self::new(1, 24);

    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The text is not `<number>.<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidVersion;

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an API version is two numbers, such as 1.51")
    }
}

impl std::error::Error for InvalidVersion {}

impl FromStr for ApiVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').ok_or(InvalidVersion)?;
        let number = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse().map_err(|_| InvalidVersion),
            false => Err(InvalidVersion),
        };
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn compares_as_numbers() {
        assert!("1.9".parse::<ApiVersion>().unwrap() < "1.24".parse().unwrap());
        assert_eq!("1.51".parse(), Ok(ApiVersion::MAX));
        for bad in ["", "1", "1.", ".1", "1.x", "v1.2", "1.+2", "1.2.3"] {
            assert_eq!(bad.parse::<ApiVersion>(), Err(InvalidVersion), "{bad}");
        }
    }
}
