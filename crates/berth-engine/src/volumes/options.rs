//! Options of the `local` driver: a volume that is itself a mount (`type`, `device`, `o`). Pure.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// What the driver takes.
const KNOWN: [&str; 4] = ["type", "o", "device", "size"];

/// Each of these needs the others.
const NEEDED: [(&str, &[&str]); 3] = [("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"])];

/// What is mounted where the volume lies, while it is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// File system type; `none` with `bind`.
    pub(crate) kind: String,
    /// What is mounted.
    pub(crate) source: String,
    /// mount(8)'s words.
    pub(crate) words: Vec<String>,
}

impl Device {
    /// Reads a volume's options; `None`: it is an ordinary directory.
    ///
    /// # Errors
    /// Docker's sentence about an option that is unknown or missing.
    pub(crate) fn read(options: &BTreeMap<String, String>) -> Result<Option<Self>> {
        if let Some(unknown) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(Error::Invalid(format!("invalid option: {unknown:?}")));
        }
        if options.contains_key("size") {
            return Err(Error::Invalid(
                "quota size requested but no quota support: berth's local volumes have no size limit; \
                 a tmpfs volume can have one (type=tmpfs, o=size=…)"
                    .into(),
            ));
        }
        for (_, needed) in NEEDED.iter().filter(|(option, _)| options.contains_key(*option)) {
            if let Some(missing) = needed.iter().find(|needed| !options.contains_key(**needed)) {
                return Err(Error::Invalid(format!("missing required option: {missing:?}")));
            }
        }
        let text = |key: &str| options.get(key).cloned().unwrap_or_default();
        let device = Self { kind: text("type"), source: text("device"), words: words(&text("o")) };
        if [&device.kind, &device.source].into_iter().chain(&device.words).any(|word| word.contains('\0')) {
            return Err(Error::Invalid("invalid option: a NUL byte".into()));
        }
        let nothing = device.kind.is_empty() && device.source.is_empty() && device.words.is_empty();
        Ok((!nothing).then_some(device))
    }

    /// The options as one sentence may show them: without passwords.
    pub(crate) fn shown(&self) -> String {
        let hidden = |word: &String| match word.split_once('=') {
            Some((key @ ("password" | "pass" | "passwd"), _)) => format!("{key}=********"),
            _ => word.clone(),
        };
        self.words.iter().map(hidden).collect::<Vec<_>>().join(",")
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<Device>> {
        let pair = |text: &str| text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Device::read(&text.split(' ').filter_map(pair).collect())
    }

    #[test]
    fn options_are_docker_s() {
        assert_eq!(read("").unwrap(), None);
        assert_eq!(read("type: device:").unwrap(), None);
        let device = read("type:cifs device://h/s o:user=me,password=geheim,,vers=3").unwrap().unwrap();
        assert_eq!((device.kind.as_str(), device.source.as_str(), device.words.len()), ("cifs", "//h/s", 3));
        assert_eq!(device.shown(), "user=me,password=********,vers=3");
        for (text, expected) in [
            ("foo:bar", "invalid option: \"foo\""),
            ("type:tmpfs", "missing required option: \"device\""),
            ("o:bind", "missing required option: \"device\""),
            ("device:/x", "missing required option: \"type\""),
            ("o:bind device:/x", "missing required option: \"type\""),
            ("size:1m", "quota size requested but no quota support"),
            ("type:no\0ne device:/x", "invalid option: a NUL byte"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    proptest! {
        /// Nonsense is refused or read, and never shows a password.
        #[test]
        fn any_options(o in "\\PC{0,20}", secret in "[a-z]{8}") {
            let options = format!("password={secret},{o}");
            let map = [("type", "nfs"), ("device", "h:/x"), ("o", &options)];
            let map = map.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            if let Ok(Some(device)) = Device::read(&map) {
                prop_assert!(!device.shown().contains(&secret) || o.contains(&secret));
            }
        }
    }
}
