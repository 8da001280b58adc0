//! From the words of a command line to flags and arguments.

use super::{Flag, parse_bool};

/// A command line taken apart; every value has passed its flag's check.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    values: Vec<(&'static str, String)>,
    /// What is not a flag.
    pub(crate) args: Vec<String>,
    /// `--help` was among the flags.
    pub(crate) help: bool,
}

/// Why a command line could not be taken apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlagError {
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("unknown shorthand flag: {0:?} in -{1}")]
    UnknownShort(char, String),
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("flag needs an argument: --{0}")]
    NoValue(String),
    #[error("flag needs an argument: {0:?} in -{1}")]
    NoShortValue(char, String),
    #[error("invalid argument {value:?} for \"{flag}\" flag: {reason}")]
    Invalid { value: String, flag: String, reason: String },
}

/// Takes `words` apart. Unless `interspersed`, the first argument ends the flags (`run IMAGE -d` gives `-d` to
/// the image's command).
pub(crate) fn parse(flags: &'static [Flag], words: &[String], interspersed: bool) -> Result<Parsed, FlagError> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.args.extend(words.cloned());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            parse_long(flags, long, &mut words, &mut parsed)?;
        } else if word.len() > 1 && word.starts_with('-') {
            parse_short(flags, &word[1..], &mut words, &mut parsed)?;
        } else {
            parsed.args.push(word.clone());
            if !interspersed {
                parsed.args.extend(words.cloned());
                break;
            }
        }
    }
    Ok(parsed)
}

type Words<'a> = std::slice::Iter<'a, String>;

fn parse_long(flags: &'static [Flag], word: &str, words: &mut Words<'_>, parsed: &mut Parsed) -> Result<(), FlagError> {
    if word.starts_with(['-', '=']) {
        return Err(FlagError::Syntax(format!("--{word}")));
    }
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let Some(flag) = flags.iter().find(|f| f.long == name) else {
        if name == "help" {
            parsed.help = true;
            return Ok(());
        }
        return Err(FlagError::Unknown(name.to_owned()));
    };
    let value = match value {
        Some(value) => value,
        None if flag.switch => "true".to_owned(),
        None => words.next().cloned().ok_or_else(|| FlagError::NoValue(name.to_owned()))?,
    };
    parsed.set(flag, value)
}

fn parse_short(
    flags: &'static [Flag],
    word: &str,
    words: &mut Words<'_>,
    parsed: &mut Parsed,
) -> Result<(), FlagError> {
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        let cluster = rest;
        rest = &rest[c.len_utf8()..];
        let Some(flag) = flags.iter().find(|f| f.short == Some(c)) else {
            if c == 'h' {
                parsed.help = true;
                return Ok(());
            }
            return Err(FlagError::UnknownShort(c, cluster.to_owned()));
        };
        if let Some(value) = rest.strip_prefix('=').filter(|v| !v.is_empty()) {
            return parsed.set(flag, value.to_owned());
        }
        if flag.switch {
            parsed.set(flag, "true".to_owned())?;
            continue;
        }
        let value = match rest {
            "" => words.next().cloned().ok_or_else(|| FlagError::NoShortValue(c, cluster.to_owned()))?,
            glued => glued.to_owned(),
        };
        return parsed.set(flag, value);
    }
    Ok(())
}

impl Parsed {
    fn set(&mut self, flag: &Flag, value: String) -> Result<(), FlagError> {
        if let Err(reason) = (flag.check)(&value) {
            return Err(FlagError::Invalid { value, flag: flag.display(), reason });
        }
        self.values.push((flag.long, value));
        Ok(())
    }

    /// Every value given for a flag, in order.
    pub(crate) fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// As [`Parsed::all`], owned.
    pub(crate) fn strings(&self, long: &str) -> Vec<String> {
        self.all(long).map(str::to_owned).collect()
    }

    /// The last value given.
    pub(crate) fn get(&self, long: &str) -> Option<&str> {
        self.values.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// The last value given, or nothing.
    pub(crate) fn text(&self, long: &str) -> String {
        self.get(long).unwrap_or_default().to_owned()
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, long: &str) -> bool {
        self.get(long).and_then(parse_bool).unwrap_or(false)
    }

    /// The number given (its check has passed).
    pub(crate) fn int(&self, long: &str) -> Option<i64> {
        self.get(long).and_then(|v| crate::unit::number::parse_int(v).ok())
    }

    /// The flag was given.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.get(long).is_some()
    }
}
