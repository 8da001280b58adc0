//! Options as they were given: from the command line, from the file, and both together.
//!
//! Values are texts here, checked against their kind; [`crate::options`] gives them meaning.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::flags::{Flag, Kind, Status};

/// Values by the option's long name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<&'static str, Vec<String>>);

/// What is wrong with what was given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("unknown flag: {0}")]
    UnknownFlag(String),
    #[error("unknown shorthand flag: '{0}' in -{1}")]
    UnknownShort(char, String),
    #[error("flag needs an argument: {0}")]
    NoValue(String),
    #[error("invalid argument \"{value}\" for \"{flag}\" flag: {why}")]
    BadValue { flag: String, value: String, why: &'static str },
    #[error("\"berth daemon\" accepts no arguments, found {0}")]
    Argument(String),
    #[error("berth does not support {spelled} yet")]
    NotYet { spelled: String },
    #[error("berth does not support {spelled} yet, only {only}")]
    Only { spelled: String, only: String },
    #[error("unable to configure the daemon with file {file}: {why}")]
    File { file: String, why: String },
}

impl Settings {
    /// Reads the command line after `berth daemon`.
    pub(crate) fn from_args(args: &[String]) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let unknown = || SettingsError::UnknownFlag(format!("--{name}"));
                let flag = Flag::by_long(name).ok_or_else(unknown)?;
                settings.take(flag, &format!("--{name}"), value, &mut args)?;
            } else if let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
                settings.take_shorts(cluster, &mut args)?;
            } else {
                return Err(SettingsError::Argument(arg.clone()));
            }
        }
        Ok(settings)
    }

    /// `-Dl debug`, `-H=x`, `-Hx`.
    fn take_shorts(&mut self, cluster: &str, args: &mut std::slice::Iter<'_, String>) -> Result<(), SettingsError> {
        let mut rest = cluster.chars();
        while let Some(letter) = rest.next() {
            let unknown = || SettingsError::UnknownShort(letter, cluster.to_owned());
            let flag = Flag::by_short(letter).ok_or_else(unknown)?;
            let attached = rest.as_str();
            let value = match attached.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if flag.kind == Kind::Switch || attached.is_empty() => None,
                None => Some(attached.to_owned()),
            };
            let done = value.is_some();
            self.take(flag, &format!("-{letter}"), value, args)?;
            if done {
                break;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        flag: &'static Flag,
        spelled: &str,
        value: Option<String>,
        args: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), SettingsError> {
        let value = match (flag.kind, value) {
            (_, Some(value)) => value,
            (Kind::Switch, None) => "true".to_owned(),
            (_, None) => args.next().cloned().ok_or_else(|| SettingsError::NoValue(spelled.to_owned()))?,
        };
        let bad = |why| SettingsError::BadValue { flag: spelled.to_owned(), value: value.clone(), why };
        let value = match flag.kind {
            Kind::Switch => switch(&value).ok_or_else(|| bad("invalid boolean value"))?.to_string(),
            Kind::Number => value.parse::<i64>().map_err(|_| bad("not a number"))?.to_string(),
            Kind::Map if !value.contains('=') => return Err(bad("not name=value")),
            Kind::Text | Kind::List | Kind::Map => value,
        };
        check_status(flag, &value, spelled)?;
        self.put(flag, value);
        Ok(())
    }

    fn put(&mut self, flag: &'static Flag, value: String) {
        let values = self.0.entry(flag.long).or_default();
        if !matches!(flag.kind, Kind::List | Kind::Map) {
            values.clear();
        }
        values.push(value);
    }

    /// Reads the file's text.
    pub(crate) fn from_file(file: &str, text: &str) -> Result<Self, SettingsError> {
        let wrong = |why: String| SettingsError::File { file: file.to_owned(), why };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(format!("invalid JSON: {error}")))?;
        let Value::Object(map) = value else {
            return Err(wrong(format!("the file must hold an object, found {}", kind_of(&value))));
        };
        let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|key| Flag::by_key(key).is_none()).collect();
        if !unknown.is_empty() {
            let keys = unknown.join(", ");
            return Err(wrong(format!("the following directives don't match any configuration option: {keys}")));
        }
        let mut settings = Self::default();
        for (key, value) in &map {
            let Some(flag) = Flag::by_key(key) else { continue };
            for text in values(flag, value).map_err(|why| wrong(format!("{key}{why}")))? {
                check_status(flag, &text, key).map_err(|error| wrong(error.to_string()))?;
                settings.put(flag, text);
            }
        }
        Ok(settings)
    }

    /// The two together; what both say is an error, except for lists of names, which the file may extend nowhere either.
    pub(crate) fn with_file(mut self, file: &str, other: Self) -> Result<Self, SettingsError> {
        let conflict = |(name, theirs): (&&'static str, &Vec<String>)| {
            let ours = self.0.get(name)?;
            let key = Flag::by_long(name).map_or(*name, |flag| flag.key);
            Some(format!("{key}: (from flag: {}, from file: {})", ours.join(","), theirs.join(",")))
        };
        let conflicts: Vec<String> = other.0.iter().filter_map(conflict).collect();
        if !conflicts.is_empty() {
            let why = format!(
                "the following directives are specified both as a flag and in the configuration file: {}",
                conflicts.join(", ")
            );
            return Err(SettingsError::File { file: file.to_owned(), why });
        }
        self.0.extend(other.0);
        Ok(self)
    }

    /// The value of an option that has one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(switch)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// `name=value` pairs; the last of a name counts.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.list(name).iter().filter_map(pair).collect()
    }
}

fn check_status(flag: &Flag, value: &str, spelled: &str) -> Result<(), SettingsError> {
    match flag.status {
        Status::Honoured => Ok(()),
        Status::Only(values) if values.contains(&value) => Ok(()),
        Status::Only(values) => {
            Err(SettingsError::Only { spelled: format!("{spelled}={value}"), only: values.join(" or ") })
        }
        Status::NotYet => Err(SettingsError::NotYet { spelled: spelled.to_owned() }),
    }
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A file's value as the texts that flags would give; the error begins with the path below the key.
fn values(flag: &Flag, value: &Value) -> Result<Vec<String>, String> {
    let wanted = |what: &str, found: &Value| format!(": expected {what}, found {}", kind_of(found));
    match (flag.kind, value) {
        (Kind::Switch, Value::Bool(on)) => Ok(vec![on.to_string()]),
        (Kind::Switch, other) => Err(wanted("true or false", other)),
        (Kind::Text, Value::String(text)) => Ok(vec![text.clone()]),
        // Docker takes a number for a size too.
        (Kind::Text, Value::Number(number)) if flag.long == "default-shm-size" => Ok(vec![number.to_string()]),
        (Kind::Text, other) => Err(wanted("a string", other)),
        (Kind::Number, Value::Number(number)) if number.is_i64() => Ok(vec![number.to_string()]),
        (Kind::Number, other) => Err(wanted("a whole number", other)),
        (Kind::List, Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                Value::String(text) => Ok(text.clone()),
                other if flag.status == Status::NotYet => Ok(other.to_string()),
                other => Err(format!("[{index}]{}", wanted("a string", other))),
            })
            .collect(),
        // Docker knows mirrors of Docker Hub only; ours may be another registry's.
        (Kind::List, Value::Object(map)) if flag.long == "registry-mirror" => map
            .iter()
            .map(|(registry, mirrors)| mirrors_of(registry, mirrors))
            .collect::<Result<Vec<_>, _>>()
            .map(|m| m.concat()),
        (Kind::List, other) => Err(wanted("a list", other)),
        (Kind::Map, Value::Object(map)) if flag.long == "default-ulimit" => {
            map.iter().map(|(name, limit)| ulimit(name, limit)).collect()
        }
        (Kind::Map, Value::Object(map)) => map
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok(format!("{name}={text}")),
                other if flag.status == Status::NotYet => Ok(format!("{name}={other}")),
                // A runtime has a path and arguments; what they mean is not for here.
                Value::Object(_) if flag.long == "add-runtime" => Ok(format!("{name}={value}")),
                other => Err(format!(".{name}{}", wanted("a string", other))),
            })
            .collect(),
        (Kind::Map, other) => Err(wanted("an object", other)),
    }
}

/// `{"gcr.io": ["https://mirror"]}` as `gcr.io=https://mirror`.
fn mirrors_of(registry: &str, mirrors: &Value) -> Result<Vec<String>, String> {
    let wanted = |found: &Value| format!(".{registry}: expected a list of strings, found {}", kind_of(found));
    let list = mirrors.as_array().ok_or_else(|| wanted(mirrors))?;
    let one = |mirror: &Value| mirror.as_str().map(|text| format!("{registry}={text}")).ok_or_else(|| wanted(mirror));
    list.iter().map(one).collect()
}

/// `{"Name": "nofile", "Soft": 1, "Hard": 2}` as `nofile=1:2`.
fn ulimit(name: &str, limit: &Value) -> Result<String, String> {
    let number = |field: &str| {
        let value = limit.get(field).unwrap_or(&Value::Null);
        value.as_i64().ok_or_else(|| format!(".{name}.{field}: expected a whole number, found {}", kind_of(value)))
    };
    Ok(format!("{name}={}:{}", number("Soft")?, number("Hard")?))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Result<Settings, SettingsError> {
        Settings::from_args(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    fn file(text: &str) -> Result<Settings, SettingsError> {
        Settings::from_file("daemon.json", text)
    }

    #[test]
    fn flags_in_every_spelling() {
        let settings = args(&["-D", "-H", "unix:///a", "-Htcp://b", "--host=c", "--init=false", "-l", "warn", "-p=/x"]);
        let settings = settings.unwrap();
        assert_eq!(settings.list("host"), ["unix:///a", "tcp://b", "c"]);
        assert_eq!((settings.switch("debug"), settings.switch("init")), (Some(true), Some(false)));
        assert_eq!((settings.text("log-level"), settings.text("pidfile")), (Some("warn"), Some("/x")));
        assert_eq!(args(&["-Dl", "info"]).unwrap().text("log-level"), Some("info"));
    }

    #[test]
    fn refusals_are_sentences() {
        for (given, sentence) in [
            (&["--nope"][..], "unknown flag: --nope"),
            (&["-Z"], "unknown shorthand flag: 'Z' in -Z"),
            (&["--bip"], "flag needs an argument: --bip"),
            (&["--debug=maybe"], "invalid argument \"maybe\" for \"--debug\" flag: invalid boolean value"),
            (&["--mtu", "x"], "invalid argument \"x\" for \"--mtu\" flag: not a number"),
            (&["what"], "\"berth daemon\" accepts no arguments, found what"),
            (&["--userns-remap=x"], "berth does not support --userns-remap yet"),
            (
                &["--storage-driver", "zfs"],
                "berth does not support --storage-driver=zfs yet, only overlay2 or overlayfs or erofs",
            ),
        ] {
            assert_eq!(args(given).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn the_file_says_where_it_is_wrong() {
        for (text, why) in [
            ("{", "invalid JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "the file must hold an object, found a list"),
            (r#"{"nope":1,"debug":true}"#, "the following directives don't match any configuration option: nope"),
            (r#"{"debug":"yes"}"#, "debug: expected true or false, found a string"),
            (r#"{"registry-mirrors":["a",3]}"#, "registry-mirrors[1]: expected a string, found a number"),
            (r#"{"log-opts":{"max-size":1}}"#, "log-opts.max-size: expected a string, found a number"),
            (
                r#"{"default-ulimits":{"nofile":{"Soft":1}}}"#,
                "default-ulimits.nofile.Hard: expected a whole number, found nothing",
            ),
            (r#"{"userns-remap":"x"}"#, "berth does not support userns-remap yet"),
        ] {
            let wanted = format!("unable to configure the daemon with file daemon.json: {why}");
            assert_eq!(file(text).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn the_file_and_the_flags_must_not_say_the_same() {
        let both = args(&["-D", "--bip=10.0.0.1/24"]).unwrap().with_file("f", file(r#"{"debug":false}"#).unwrap());
        assert_eq!(
            both.unwrap_err().to_string(),
            "unable to configure the daemon with file f: the following directives are specified both as a flag and in \
             the configuration file: debug: (from flag: true, from file: false)"
        );
        let text = r#"{"log-opts":{"max-size":"1m"},"default-ulimits":{"nofile":{"Name":"nofile","Soft":1,"Hard":2}}}"#;
        let both = args(&["-D"]).unwrap().with_file("f", file(text).unwrap()).unwrap();
        assert_eq!(both.map("log-opt"), BTreeMap::from([("max-size".to_owned(), "1m".to_owned())]));
        assert_eq!(both.list("default-ulimit"), ["nofile=1:2"]);
    }
}
