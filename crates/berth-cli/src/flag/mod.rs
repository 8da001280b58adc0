//! Flags as data: one table a command, from which parsing, help and (later) completions are made.
//!
//! The rules are those of Docker's own parser, down to the texts of its errors, because scripts match on them.
//! Nothing is built at start: the tables are constants, and looking one flag up is a scan over a few dozen
//! entries. What a value *means* is the business of whoever asks for it; a flag only checks that it can mean
//! something (`check`). Parsing is in [`parse`], help in [`help`].

pub(crate) mod help;
pub(crate) mod parse;

pub(crate) use parse::{FlagError, Parsed};

/// Whether a text can be this flag's value.
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    /// The kind of value as help shows it; empty for a switch.
    pub(crate) shown: &'static str,
    /// Shown by help after the text.
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
    pub(crate) check: Check,
    /// `--rm` alone means `--rm=true`.
    pub(crate) switch: bool,
    pub(crate) hidden: bool,
}

impl Flag {
    /// A flag that is on or off.
    pub(crate) const fn switch(long: &'static str, help: &'static str) -> Self {
        Self { switch: true, ..Self::typed(long, "", check_bool, help) }
    }

    /// A flag with any text.
    pub(crate) const fn text(long: &'static str, help: &'static str) -> Self {
        Self::typed(long, "string", |_| Ok(()), help)
    }

    /// A flag that may be given several times.
    pub(crate) const fn list(long: &'static str, help: &'static str) -> Self {
        Self::typed(long, "list", |_| Ok(()), help)
    }

    /// A whole number.
    pub(crate) const fn int(long: &'static str, help: &'static str) -> Self {
        Self::typed(long, "int", |v| crate::unit::number::parse_int(v).map(drop), help)
    }

    /// A flag with a value of its own kind.
    pub(crate) const fn typed(long: &'static str, shown: &'static str, check: Check, help: &'static str) -> Self {
        Self { long, short: None, shown, default: "", help, check, switch: false, hidden: false }
    }

    pub(crate) const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub(crate) const fn checked(self, check: Check) -> Self {
        Self { check, ..self }
    }

    pub(crate) const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// As errors name it: `-n, --last`.
    pub(crate) fn display(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

/// What Go's `strconv.ParseBool` takes.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn check_bool(text: &str) -> Result<(), String> {
    parse_bool(text).map(drop).ok_or_else(|| format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))
}

#[cfg(test)]
mod tests;
