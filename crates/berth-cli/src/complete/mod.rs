//! What could come next on a command line: the answer to a shell's Tab.
//!
//! Shells ask with the hidden command `__complete WORDS… UNFINISHED`, the protocol of cobra's completions, so that
//! scripts made for Docker's command line work with ours too: a line a candidate (`name<TAB>about`), then `:` and a
//! number that says what the shell may do besides ([`Directive`]). [`script`] owns the shells' side, [`values`] what
//! flags and arguments can be; commands and flags come from their tables.

pub(crate) mod script;

mod names;
mod values;

use crate::command::{self, Command, Entry, Group};
use crate::flag::Flag;
use crate::session::Session;
use crate::{global, plugin};

use names::Names;
use values::What;

/// The hidden command; the second leaves the explanations out.
pub(crate) const COMMANDS: [&str; 2] = ["__complete", "__completeNoDesc"];

/// What the shell may do besides offering the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Offer files where there are no candidates.
    Files = 0,
    /// No blank after the candidate, no files.
    NoSpace = 6,
    /// No files.
    NoFiles = 4,
    /// Only directories.
    Directories = 16,
}

/// One candidate and what it is.
type Candidate = (String, String);

/// Answers a shell.
pub(crate) fn answer(session: &Session, words: &[String], with_about: bool) -> String {
    let (candidates, directive) = complete(session, words);
    let mut out = String::new();
    for (name, about) in candidates {
        out.push_str(&name);
        let about = about.lines().next().unwrap_or_default();
        if with_about && !about.is_empty() {
            out.push('\t');
            out.push_str(about);
        }
        out.push('\n');
    }
    out.push_str(&format!(":{}\n", directive as i32));
    out
}

fn complete(session: &Session, words: &[String]) -> (Vec<Candidate>, Directive) {
    let Some((unfinished, before)) = words.split_last() else { return (Vec::new(), Directive::NoFiles) };
    let names = Names::new(session);
    match place(before) {
        Place::Plugin(name) => from_plugin(session, &name, words),
        Place::Value { flag, place } => filtered(values::of_flag(flag, place.path()), unfinished, "", &names),
        Place::Word(level) if unfinished.starts_with('-') && level.flags_possible => match unfinished.split_once('=') {
            // The shell puts `--flag=` in front again.
            Some((flag, value)) => match find_flag(level.flags(), flag) {
                Some(flag) if !flag.switch => filtered(values::of_flag(flag, level.path()), value, "", &names),
                _ => (Vec::new(), Directive::NoFiles),
            },
            None => (flags(&level, unfinished), Directive::NoFiles),
        },
        Place::Word(level) => match (level.command, level.group) {
            (Some(command), group) => {
                let group = group.map_or("", |group| group.name);
                let what = values::of_argument(group, command.name, level.arguments);
                filtered(what, unfinished, "", &names)
            }
            (None, Some(group)) => (within(group, unfinished), Directive::NoFiles),
            (None, None) => (at_the_top(session, unfinished), Directive::NoFiles),
        },
    }
}

fn filtered(what: What, unfinished: &str, prefix: &str, names: &Names<'_>) -> (Vec<Candidate>, Directive) {
    let (all, directive) = names.of(what, unfinished);
    let fits = all.into_iter().filter(|name| name.starts_with(unfinished));
    (fits.map(|name| (format!("{prefix}{name}"), String::new())).collect(), directive)
}

/// How far a command line has come.
#[derive(Debug, Clone, Copy)]
struct Level {
    group: Option<&'static Group>,
    command: Option<&'static Command>,
    /// How many arguments the command has already.
    arguments: usize,
    flags_possible: bool,
}

impl Level {
    fn flags(&self) -> &'static [Flag] {
        match (self.command, self.group) {
            (Some(command), _) => command.flags,
            (None, Some(_)) => &[],
            (None, None) => global::FLAGS,
        }
    }

    fn path(&self) -> &'static str {
        self.command.map_or("", |command| command.name)
    }
}

/// What the unfinished word is.
#[derive(Debug)]
enum Place {
    Word(Level),
    /// The value of a flag that stands before it.
    Value {
        flag: &'static Flag,
        place: Level,
    },
    /// A plugin knows.
    Plugin(String),
}

/// Walks along the finished words.
fn place(words: &[String]) -> Place {
    let mut level = Level { group: None, command: None, arguments: 0, flags_possible: true };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if level.flags_possible && word == "--" {
            level.flags_possible = false;
        } else if level.flags_possible && word.len() > 1 && word.starts_with('-') {
            if let Some(flag) = waits_for_value(level.flags(), word)
                && words.next().is_none()
            {
                return Place::Value { flag, place: level };
            }
        } else if let Some(command) = level.command {
            level.arguments += 1;
            level.flags_possible &= command.interspersed;
        } else if let Some(group) = level.group {
            if let Some(Entry::Command(command)) = command::find_in(group, word) {
                level.command = Some(command);
            }
        } else {
            match command::find(word) {
                Some(Entry::Command(command)) => level.command = Some(command),
                Some(Entry::Group(group)) => level.group = Some(group),
                _ if word == "help" => {}
                _ => return Place::Plugin(word.clone()),
            }
        }
    }
    Place::Word(level)
}

/// The flag at the end of `word` whose value is the next word.
fn waits_for_value(flags: &'static [Flag], word: &str) -> Option<&'static Flag> {
    if word.contains('=') {
        return None;
    }
    if word.starts_with("--") {
        return find_flag(flags, word).filter(|flag| !flag.switch);
    }
    let mut letters = word[1..].chars();
    while let Some(letter) = letters.next() {
        let flag = flags.iter().find(|flag| flag.short == Some(letter))?;
        if !flag.switch {
            return letters.next().is_none().then_some(flag);
        }
    }
    None
}

fn find_flag(flags: &'static [Flag], word: &str) -> Option<&'static Flag> {
    match word.strip_prefix("--") {
        Some(long) => flags.iter().find(|flag| flag.long == long),
        None => flags.iter().find(|flag| flag.short.is_some() && flag.short == word[1..].chars().next()),
    }
}

fn flags(level: &Level, unfinished: &str) -> Vec<Candidate> {
    let shown = level.flags().iter().filter(|flag| !flag.hidden);
    let mut all: Vec<Candidate> = shown
        .flat_map(|flag| {
            let long = (format!("--{}", flag.long), flag.help.to_owned());
            let short = flag.short.map(|short| (format!("-{short}"), flag.help.to_owned()));
            std::iter::once(long).chain(short)
        })
        .collect();
    all.push(("--help".to_owned(), "Print help".to_owned()));
    all.retain(|(name, _)| name.starts_with(unfinished));
    all.sort();
    all
}

fn within(group: &'static Group, unfinished: &str) -> Vec<Candidate> {
    let own = group.commands.iter().filter(|(name, command)| *name == command.name);
    let fits = own.filter(|(name, _)| name.starts_with(unfinished));
    fits.map(|(name, command)| ((*name).to_owned(), command.about.to_owned())).collect()
}

fn at_the_top(session: &Session, unfinished: &str) -> Vec<Candidate> {
    let mut all = global::top_level();
    all.push(("help", "Help about a command"));
    let mut all: Vec<Candidate> = all.into_iter().map(|(n, a)| (n.to_owned(), a.to_owned())).collect();
    all.extend(plugin::names(session).into_iter().map(|name| (name, "A plugin".to_owned())));
    all.retain(|(name, _)| name.starts_with(unfinished));
    all.sort();
    all
}

/// Plugins speak the same protocol; their answer is passed on as it is.
fn from_plugin(session: &Session, name: &str, words: &[String]) -> (Vec<Candidate>, Directive) {
    let asked = [&[COMMANDS[0].to_owned()], words].concat();
    let answer = plugin::find(session, name)
        .filter(|plugin| plugin.error.is_none())
        .and_then(|plugin| plugin::ask_for(session, &plugin, &asked))
        .unwrap_or_default();
    let mut candidates = Vec::new();
    let mut directive = Directive::NoFiles;
    for line in answer.lines() {
        match line.strip_prefix(':').and_then(|number| number.parse::<i32>().ok()) {
            Some(number) if number & 16 != 0 => directive = Directive::Directories,
            Some(number) if number & 2 != 0 => directive = Directive::NoSpace,
            Some(number) if number & 5 == 0 => directive = Directive::Files,
            Some(_) => directive = Directive::NoFiles,
            None => {
                let (name, about) = line.split_once('\t').unwrap_or((line, ""));
                candidates.push((name.to_owned(), about.to_owned()));
            }
        }
    }
    (candidates, directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn where_the_cursor_is() {
        let value = |text: &str| match place(&words(text)) {
            Place::Value { flag, .. } => Some(flag.long),
            _ => None,
        };
        assert_eq!(value("run --pull"), Some("pull"));
        assert_eq!(value("run -it -e"), Some("env"));
        assert_eq!(value("run -ite"), Some("env"));
        assert_eq!(value("-H x container run --network"), Some("network"));
        assert_eq!(value("--context"), Some("context"));
        for none in ["run -d", "run --pull=always", "run -eA", "run x -e", "run -- -e", "container", ""] {
            assert_eq!(value(none), None, "{none}");
        }
        let level = |text: &str| match place(&words(text)) {
            Place::Word(level) => (level.path(), level.arguments, level.flags_possible),
            other => panic!("{other:?}"),
        };
        assert_eq!(level("container start a"), ("start", 1, true));
        assert_eq!(level("run --name x image sh"), ("run", 2, false));
        assert_eq!(level("help"), ("", 0, true));
        assert!(matches!(place(&words("compose up")), Place::Plugin(name) if name == "compose"));
    }
}
