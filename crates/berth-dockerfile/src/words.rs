//! Words: split outside quotes, quotes taken off, variables put in.

use crate::Error;

/// Splits at white space outside quotes; quotes and backslashes stay where they are.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut chars) = (Vec::new(), String::new(), None, text.chars());
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', Some('"') | None) => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Takes the quotes off and puts variables in: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`,
/// `${NAME:?message}`, and each without its colon. Single quotes keep everything as it is.
///
/// # Errors
/// A quote or brace without its end, a substitution that is none, a variable that must be set and is not.
pub fn expand(word: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    let mut expander = Expander { rest: word, variable };
    expander.run(None)
}

struct Expander<'a> {
    rest: &'a str,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Expander<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// To the end, or to `until`, which is passed over.
    fn run(&mut self, until: Option<char>) -> Result<String, Error> {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == until => return Ok(text),
                '\'' => self.single_quoted(&mut text)?,
                '"' => self.double_quoted(&mut text)?,
                '\\' => text.extend(self.next()),
                '$' => self.dollar(&mut text)?,
                c => text.push(c),
            }
        }
        match until {
            None => Ok(text),
            Some(_) => Err(Error::Word("syntax error: missing '}'".into())),
        }
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), Error> {
        let end = self.rest.find('\'').ok_or_else(unterminated)?;
        text.push_str(&self.rest[..end]);
        self.rest = &self.rest[end + 1..];
        Ok(())
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<(), Error> {
        while let Some(c) = self.next() {
            match c {
                '"' => return Ok(()),
                '$' => self.dollar(text)?,
                '\\' => match self.next() {
                    Some(c @ ('"' | '$' | '\\')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(unterminated()),
                },
                c => text.push(c),
            }
        }
        Err(unterminated())
    }

    fn dollar(&mut self, text: &mut String) -> Result<(), Error> {
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            text.push_str(&self.braced()?);
            return Ok(());
        }
        let name = self.name().to_owned();
        match name.as_str() {
            "" => text.push('$'),
            name => text.push_str(&(self.variable)(name).unwrap_or_default()),
        }
        Ok(())
    }

    /// A name, a digit, or one of the shell's special characters.
    fn name(&mut self) -> &str {
        let end = match self.rest.chars().next() {
            Some(c) if c.is_ascii_digit() || "@*#?-!".contains(c) => 1,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len())
            }
            _ => 0,
        };
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    fn braced(&mut self) -> Result<String, Error> {
        let name = self.name().to_owned();
        if name.is_empty() {
            return Err(Error::Word("syntax error: bad substitution".into()));
        }
        let value = (self.variable)(&name);
        let colon = self.rest.starts_with(':');
        if colon {
            self.next();
        }
        let set = value.as_ref().is_some_and(|value| !colon || !value.is_empty());
        match self.next() {
            Some('}') if !colon => Ok(value.unwrap_or_default()),
            Some('-') => self.run(Some('}')).map(|other| if set { value.unwrap_or_default() } else { other }),
            Some('+') => self.run(Some('}')).map(|other| if set { other } else { String::new() }),
            Some('?') => {
                let message = self.run(Some('}'))?;
                let unset = || Error::Word(format!("{name}: {}", or_not_allowed(&message)));
                if set { Ok(value.unwrap_or_default()) } else { Err(unset()) }
            }
            Some(c) => Err(Error::Word(format!("unsupported modifier ({c}) in substitution"))),
            None => Err(Error::Word("syntax error: missing '}'".into())),
        }
    }
}

fn or_not_allowed(message: &str) -> &str {
    if message.is_empty() { "is not allowed to be unset" } else { message }
}

fn unterminated() -> Error {
    Error::Word("unexpected end of statement while looking for matching quote".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "A" => Some("a b".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn quotes_and_variables() {
        for (word, text) in [
            ("x", "x"),
            ("\"d e\"", "d e"),
            ("'$A'", "$A"),
            ("\"$A\"", "a b"),
            ("${A}c", "a bc"),
            ("$Ac", ""),
            ("\\$A", "$A"),
            ("${NO:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${A:+y}", "y"),
            ("${NO:+y}", ""),
            ("${NO:-${A}}", "a b"),
            ("a\\ b", "a b"),
            ("$", "$"),
            ("$/x", "$/x"),
        ] {
            assert_eq!(expand(word, &variable).as_deref(), Ok(text), "{word}");
        }
        for word in ["'x", "\"x", "${A", "${}", "${A:x}", "${NO:?}"] {
            assert!(expand(word, &variable).is_err(), "{word}");
        }
    }

    #[test]
    fn words_end_outside_quotes() {
        assert_eq!(split("a=1 b=\"x y\"  c='p q' d=e\\ f"), ["a=1", "b=\"x y\"", "c='p q'", "d=e\\ f"]);
        assert_eq!(split("  "), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn any_text_is_a_text_or_an_error(text in ".{0,60}") {
            let _ = expand(&text, &variable);
            let _ = split(&text);
        }
    }
}
