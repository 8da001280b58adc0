//! The arguments of `ps` that we read ourselves. Pure.

use super::column::Column;

/// Columns with their headings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) columns: Vec<(Column, String)>,
}

/// What shapes the list, besides columns of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `ps -e`
    Short,
    /// `ps -ef`
    Full,
    /// `ps ax`
    Bsd,
    /// `ps aux`
    BsdUser,
}

/// `None`: only `ps` itself knows. No arguments mean `-ef`.
pub(super) fn parse(arguments: &[String]) -> Option<Format> {
    let (mut shape, mut own) = (Shape::Short, Vec::new());
    if arguments.is_empty() {
        shape = Shape::Full;
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (dashed, letters) = match word.strip_prefix('-') {
            Some(letters) => (true, letters),
            None => (false, word.as_str()),
        };
        // As ps itself reads `-aux`, which has been typed too often to mean anything else.
        let bsd = !dashed || letters.contains('u') && letters.chars().all(|letter| "auxw".contains(letter));
        for (at, letter) in letters.char_indices() {
            match (letter, bsd) {
                ('o', _) => {
                    let list = &letters[at + 1..];
                    let list = if list.is_empty() { words.next()?.as_str() } else { list };
                    add(&mut own, list)?;
                    break;
                }
                ('e' | 'A', false) | ('w', _) => {}
                ('f', false) => shape = Shape::Full,
                ('a' | 'x', true) if shape == Shape::Short => shape = Shape::Bsd,
                ('a' | 'x', true) => {}
                ('u', true) => shape = Shape::BsdUser,
                _ => return None,
            }
        }
        if letters.is_empty() {
            return None;
        }
    }
    Some(Format { columns: if own.is_empty() { shape.columns() } else { own } })
}

/// `pid,comm`, `pid=HEADING` (which takes the rest of the word).
fn add(columns: &mut Vec<(Column, String)>, list: &str) -> Option<()> {
    let mut rest = list;
    while !rest.is_empty() {
        let end = rest.find([',', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (column, title) = Column::named(name)?;
        match after.strip_prefix('=') {
            Some(heading) => {
                columns.push((column, heading.to_owned()));
                return Some(());
            }
            None => columns.push((column, title.to_owned())),
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(())
}

impl Shape {
    fn columns(self) -> Vec<(Column, String)> {
        let columns: &[(Column, &str)] = match self {
            Self::Full => &super::DEFAULT,
            Self::Short => {
                &[(Column::Pid, "PID"), (Column::Terminal, "TTY"), (Column::Time, "TIME"), (Column::Program, "CMD")]
            }
            Self::Bsd => &[
                (Column::Pid, "PID"),
                (Column::Terminal, "TTY"),
                (Column::Flags, "STAT"),
                (Column::Minutes, "TIME"),
                (Column::Command, "COMMAND"),
            ],
            Self::BsdUser => &[
                (Column::User, "USER"),
                (Column::Pid, "PID"),
                (Column::Percent, "%CPU"),
                (Column::MemoryPercent, "%MEM"),
                (Column::Virtual, "VSZ"),
                (Column::Resident, "RSS"),
                (Column::Terminal, "TTY"),
                (Column::Flags, "STAT"),
                (Column::Started, "START"),
                (Column::Minutes, "TIME"),
                (Column::Command, "COMMAND"),
            ],
        };
        columns.iter().map(|(column, title)| (*column, (*title).to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn titles(text: &str) -> Option<String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let titles: Vec<String> = parse(&words)?.columns.into_iter().map(|(_, title)| title).collect();
        Some(titles.join(" "))
    }

    #[test]
    fn what_is_read_here() {
        let full = "UID PID PPID C STIME TTY TIME CMD";
        let user = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND";
        for (arguments, expected) in [
            ("", full),
            ("-ef", full),
            ("-e -f", full),
            ("-fww", full),
            ("aux", user),
            ("-aux", user),
            ("auxww", user),
            ("-e", "PID TTY TIME CMD"),
            ("-A", "PID TTY TIME CMD"),
            ("ax", "PID TTY STAT TIME COMMAND"),
            ("-o pid,comm", "PID COMMAND"),
            ("-opid,comm", "PID COMMAND"),
            ("-eo pid,user,args", "PID USER COMMAND"),
            ("o pid -o ppid", "PID PPID"),
            ("-o pid -o comm=WHAT IS", ""),
            ("-o pid,comm=WHAT", "PID WHAT"),
        ] {
            let expected = Some(expected).filter(|text| !text.is_empty());
            assert_eq!(titles(arguments).as_deref(), expected, "{arguments}");
        }
        for other in ["-l", "axf", "--forest", "-o nosuch", "-o", "-", "-p 1", "-o pid,wchan"] {
            assert_eq!(titles(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(words in prop::collection::vec("[-a-z,=]{0,12}|\\PC{0,6}", 0..5)) {
            drop(parse(&words));
        }
    }
}
