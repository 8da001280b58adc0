//! Patterns as Go's `path.Match` knows them: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a
//! backslash takes the next letter as it is. The whole name must match.

/// The pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub(crate) struct BadPattern;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Any number of letters that are no slash.
    Star,
    /// One letter that is no slash.
    Any,
    /// One letter of these, or one that is none of them.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// This letter.
    Letter(char),
}

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Result<Self, BadPattern> {
        let mut letters = pattern.chars().peekable();
        let mut pieces = Vec::new();
        while let Some(letter) = letters.next() {
            pieces.push(match letter {
                '*' => Piece::Star,
                '?' => Piece::Any,
                '[' => class(&mut letters)?,
                '\\' => Piece::Letter(letters.next().ok_or(BadPattern)?),
                letter => Piece::Letter(letter),
            });
        }
        Ok(Self(pieces))
    }

    /// Takes time in proportion to both lengths, whatever the pattern.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // Where in the pattern we may be after the letters so far.
        let mut at = vec![false; self.0.len() + 1];
        at[0] = true;
        self.skip_stars(&mut at);
        for letter in name.chars() {
            let mut next = vec![false; at.len()];
            for (n, piece) in self.0.iter().enumerate().filter(|(n, _)| at[*n]) {
                match piece {
                    Piece::Star => next[n] |= letter != '/',
                    Piece::Any => next[n + 1] |= letter != '/',
                    Piece::Letter(wanted) => next[n + 1] |= letter == *wanted,
                    Piece::Class { negated, ranges } => {
                        let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter));
                        next[n + 1] |= inside != *negated;
                    }
                }
            }
            self.skip_stars(&mut next);
            at = next;
        }
        at[self.0.len()]
    }

    /// A star may stand for nothing.
    fn skip_stars(&self, at: &mut [bool]) {
        for (n, piece) in self.0.iter().enumerate() {
            if at[n] && *piece == Piece::Star {
                at[n + 1] = true;
            }
        }
    }
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows `[`.
fn class(letters: &mut Letters<'_>) -> Result<Piece, BadPattern> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || letters.next_if_eq(&']').is_none() {
        let low = escaped(letters)?;
        let high = if letters.next_if_eq(&'-').is_some() { escaped(letters)? } else { low };
        ranges.push((low, high));
    }
    Ok(Piece::Class { negated, ranges })
}

/// One end of a range.
fn escaped(letters: &mut Letters<'_>) -> Result<char, BadPattern> {
    match letters.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => letters.next().ok_or(BadPattern),
        Some(letter) => Ok(letter),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn matches_as_go_does() {
        for (pattern, name, fits) in [
            ("*:latest", "busybox:latest", true),
            ("*:latest", "a/busybox:latest", false),
            ("*/*/*", "127.0.0.1:5999/team/ftbox", true),
            ("*/*/*", "team/ftbox", false),
            ("ft[a-c]x", "ftbx", true),
            ("ft[^a-c]x", "ftbx", false),
            ("ft[^a-c]x", "ftzx", true),
            ("a.b", "axb", false),
            ("a?", "ab", true),
            ("a?b", "a/b", false),
            ("[a-ce-g]", "d", false),
            ("[\\-]", "-", true),
            ("\\*", "*", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxbxx", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**a", "bba", true),
            ("é?", "éé", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in ["[a", "[", "[]a]", "[-a]", "[a-]", "a\\", "[a-\\", "[x-"] {
            assert_eq!(Glob::parse(pattern), Err(BadPattern), "{pattern}");
        }
    }

    #[test]
    fn many_stars_are_no_trouble() {
        let pattern = "*a".repeat(100) + "b";
        assert!(!Glob::parse(&pattern).unwrap().matches(&"a".repeat(250)));
    }
}
