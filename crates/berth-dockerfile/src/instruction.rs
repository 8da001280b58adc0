//! One instruction.

use crate::words::split;
use crate::{Error, Health, health};

/// A command in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Text for a shell.
    Shell(String),
    /// A program and its arguments.
    Exec(Vec<String>),
}

/// An instruction that changes an image's configuration. Words are as written: [`crate::words::expand`] them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `CMD`
    Cmd(Command),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `ENV`
    Env(Vec<(String, String)>),
    /// `EXPOSE`
    Expose(Vec<String>),
    /// `HEALTHCHECK`
    Healthcheck(Health),
    /// `LABEL`
    Label(Vec<(String, String)>),
    /// `ONBUILD`, with the instruction that is put off
    OnBuild(String),
    /// `STOPSIGNAL`
    StopSignal(String),
    /// `USER`
    User(String),
    /// `VOLUME`
    Volume(Vec<String>),
    /// `WORKDIR`
    Workdir(String),
}

impl Instruction {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Error::NotAChange`], or what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let (name, rest) = word(line.trim());
        Ok(match name.to_ascii_uppercase().as_str() {
            "CMD" => Self::Cmd(command(rest)),
            "ENTRYPOINT" if rest.is_empty() => return Err(Error::NeedsArgument("ENTRYPOINT")),
            "ENTRYPOINT" => Self::Entrypoint(command(rest)),
            "ENV" => Self::Env(pairs("ENV", rest)?),
            "EXPOSE" => Self::Expose(list("EXPOSE", rest.split_whitespace().map(str::to_owned).collect())?),
            "HEALTHCHECK" => Self::Healthcheck(health::parse(rest)?),
            "LABEL" => Self::Label(pairs("LABEL", rest)?),
            "ONBUILD" => Self::OnBuild(trigger(rest)?),
            "STOPSIGNAL" => Self::StopSignal(one("STOPSIGNAL", rest)?),
            "USER" => Self::User(one("USER", rest)?),
            "VOLUME" => {
                let words = || rest.split_whitespace().map(str::to_owned).collect();
                Self::Volume(list("VOLUME", json_list(rest).unwrap_or_else(words))?)
            }
            "WORKDIR" => Self::Workdir(one("WORKDIR", rest)?),
            _ => return Err(Error::NotAChange(name.to_ascii_lowercase())),
        })
    }
}

/// The first word, and what follows it.
pub(crate) fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A JSON array of strings, if it is one.
pub(crate) fn json_list(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

fn command(text: &str) -> Command {
    match json_list(text) {
        Some(words) => Command::Exec(words),
        None if text.is_empty() => Command::Exec(Vec::new()),
        None => Command::Shell(text.to_owned()),
    }
}

fn one(name: &'static str, text: &str) -> Result<String, Error> {
    if text.is_empty() { Err(Error::NeedsOne(name)) } else { Ok(text.to_owned()) }
}

fn list(name: &'static str, words: Vec<String>) -> Result<Vec<String>, Error> {
    if words.is_empty() { Err(Error::NeedsArgument(name)) } else { Ok(words) }
}

/// `name=value` pairs, or the old form of one name and the rest of the line.
fn pairs(name: &'static str, text: &str) -> Result<Vec<(String, String)>, Error> {
    let words = list(name, split(text))?;
    if !words[0].contains('=') {
        return match word(text) {
            (_, "") => Err(Error::NeedsTwo(name)),
            (key, value) => Ok(vec![(key.to_owned(), value.to_owned())]),
        };
    }
    words
        .into_iter()
        .map(|word| match word.split_once('=') {
            None => Err(Error::NoEquals(word)),
            Some(("", _)) => Err(Error::BlankName(name)),
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        })
        .collect()
}

fn trigger(text: &str) -> Result<String, Error> {
    match word(text).0.to_ascii_uppercase().as_str() {
        "" => Err(Error::NeedsArgument("ONBUILD")),
        "ONBUILD" => Err(Error::Trigger("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into())),
        name @ ("MAINTAINER" | "FROM") => Err(Error::Trigger(format!("{name} isn't allowed as an ONBUILD trigger"))),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn instructions() {
        use Command::{Exec, Shell};
        for (line, is) in [
            ("CMD [\"a\", \"b\"]", Instruction::Cmd(Exec(words(&["a", "b"])))),
            ("cmd echo hi", Instruction::Cmd(Shell("echo hi".into()))),
            ("CMD", Instruction::Cmd(Exec(Vec::new()))),
            ("ENTRYPOINT [a", Instruction::Entrypoint(Shell("[a".into()))),
            ("ENTRYPOINT []", Instruction::Entrypoint(Exec(Vec::new()))),
            ("ENV A=b C=\"d e\"", Instruction::Env(vec![("A".into(), "b".into()), ("C".into(), "\"d e\"".into())])),
            ("ENV A b c", Instruction::Env(vec![("A".into(), "b c".into())])),
            ("EXPOSE 80 90/udp", Instruction::Expose(words(&["80", "90/udp"]))),
            ("VOLUME [\"/a b\"]", Instruction::Volume(words(&["/a b"]))),
            ("VOLUME /v /w", Instruction::Volume(words(&["/v", "/w"]))),
            ("ONBUILD RUN x", Instruction::OnBuild("RUN x".into())),
            ("HEALTHCHECK NONE", Instruction::Healthcheck(Health::None)),
        ] {
            assert_eq!(Instruction::parse(line).as_ref(), Ok(&is), "{line}");
        }
    }

    #[test]
    fn refusals() {
        for (line, sentence) in [
            ("RUN x", "run is not a valid change command"),
            ("SHELL [\"sh\"]", "shell is not a valid change command"),
            ("ENV", "ENV requires at least one argument"),
            ("ENV a", "ENV must have two arguments"),
            ("ENV a=b c", "Syntax error - can't find = in \"c\". Must be of the form: name=value"),
            ("USER", "USER requires exactly one argument"),
            ("VOLUME", "VOLUME requires at least one argument"),
            ("HEALTHCHECK x", "Unknown type \"X\" in HEALTHCHECK (try CMD)"),
            ("HEALTHCHECK --x=1 CMD y", "Unknown flag: x"),
            ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
            ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ] {
            assert_eq!(Instruction::parse(line).map_err(|e| e.to_string()), Err(sentence.to_owned()), "{line}");
        }
    }

    #[test]
    fn health() {
        let line = "HEALTHCHECK --interval=5s --retries=3 CMD [\"true\"]";
        let Ok(Instruction::Healthcheck(Health::Check { command, interval, retries, .. })) = Instruction::parse(line)
        else {
            panic!("{line}");
        };
        assert_eq!((command, interval, retries), (Command::Exec(words(&["true"])), 5_000_000_000, 3));
    }

    proptest! {
        #[test]
        fn any_line_is_an_instruction_or_an_error(
            name in "(CMD|ENV|LABEL|EXPOSE|HEALTHCHECK|VOLUME|ONBUILD|[A-Z]{0,5})", rest in ".{0,60}"
        ) {
            let _ = Instruction::parse(&format!("{name} {rest}"));
        }
    }
}
