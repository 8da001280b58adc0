//! Flags as Go programs take them: `-name` and `--name` alike, `--name=value` or `--name value`.

use super::CommandError;

/// A flag: its spellings, the first of which is its name, and whether it takes a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    names: &'static [&'static str],
    takes: Takes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Value,
    Nothing,
    /// `--flag` or `--flag=value`, never the next word.
    Optional,
}

impl Flag {
    pub(crate) const fn value(names: &'static [&'static str]) -> Self {
        Self { names, takes: Takes::Value }
    }

    pub(crate) const fn switch(names: &'static [&'static str]) -> Self {
        Self { names, takes: Takes::Nothing }
    }

    pub(crate) const fn optional(names: &'static [&'static str]) -> Self {
        Self { names, takes: Takes::Optional }
    }
}

/// What was typed.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    values: Vec<(&'static str, String)>,
    /// What is not a flag.
    pub(crate) positional: Vec<String>,
}

impl Parsed {
    /// The last value of a flag.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a flag.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    /// A flag's value as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, CommandError> {
        self.value(name)
            .map(|value| {
                value.parse().map_err(|_| CommandError::usage(format!("--{name} takes a number, not {value:?}")))
            })
            .transpose()
    }

    /// The container's id: the first word that is not a flag.
    pub(crate) fn id(&self) -> Result<&str, CommandError> {
        self.positional.first().map(String::as_str).ok_or_else(|| CommandError::usage("the container's id is missing"))
    }

    /// Takes up flags that stood before the command; those after it win.
    pub(crate) fn inherit(&mut self, before: Self) {
        self.values.splice(0..0, before.values);
    }
}

/// Reads words. With `stop` everything from the second positional on (the first included when it is the command's
/// name) is left alone: the words of a command to run.
pub(crate) fn parse(words: &[String], known: &[&[Flag]], stop: bool) -> Result<Parsed, CommandError> {
    let mut parsed = Parsed::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            parsed.positional.extend(rest.cloned());
            break;
        }
        let Some(flag) = word.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
            parsed.positional.push(word.clone());
            if stop {
                // What follows the id may hold a flag of ours only where the next word still begins with a dash.
                parsed.positional.extend(rest.cloned());
                break;
            }
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, joined) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
        let found = known.iter().flat_map(|flags| flags.iter()).find(|flag| flag.names.contains(&name));
        let flag = found.ok_or_else(|| CommandError::usage(format!("unknown flag {word:?}")))?;
        let value = match (flag.takes, joined) {
            (_, Some(value)) => value,
            (Takes::Value, None) => {
                rest.next().cloned().ok_or_else(|| CommandError::usage(format!("the flag {word:?} needs a value")))?
            }
            (Takes::Nothing | Takes::Optional, None) => "true".to_owned(),
        };
        parsed.values.push((flag.names[0], value));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FLAGS: &[Flag] = &[Flag::value(&["bundle", "b"]), Flag::switch(&["all", "a"]), Flag::optional(&["rootless"])];

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn flags_stand_before_and_after_the_id() {
        for line in ["--bundle /x --all id", "id -b /x -a", "-bundle=/x id --all=true", "--rootless id -a -b=/x"] {
            let parsed = parse(&words(line), &[FLAGS], false).unwrap();
            assert_eq!((parsed.value("bundle"), parsed.has("all"), parsed.id().unwrap()), (Some("/x"), true, "id"));
        }
    }

    #[test]
    fn the_words_of_a_command_are_its_own() {
        let parsed = parse(&words("-a id ls --all -l"), &[FLAGS], true).unwrap();
        assert_eq!(parsed.positional, ["id", "ls", "--all", "-l"]);
    }

    #[test]
    fn unknown_flags_are_named() {
        assert_eq!(parse(&words("--nope"), &[FLAGS], false).unwrap_err().to_string(), "unknown flag \"--nope\"");
    }
}
