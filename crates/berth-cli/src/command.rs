//! What commands there are, as data. Only the one that is asked for is looked at any closer.

use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

/// How many arguments a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Args {
    None,
    AtLeast(usize),
    Exactly(usize),
    AtMost(usize),
    Between(usize, usize),
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// After the program's name: `run [OPTIONS] IMAGE [COMMAND] [ARG...]`.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    /// Its full names, shown by help.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) flags: &'static [Flag],
    pub(crate) args: Args,
    /// Flags may follow arguments.
    pub(crate) interspersed: bool,
    /// Starts a daemon where none listens.
    pub(crate) wants_daemon: bool,
    pub(crate) run: fn(&Session, &Parsed) -> Outcome,
}

impl Command {
    /// What is wrong with a number of arguments: the sentence, and how it points to help.
    pub(crate) fn check_args(&self, given: usize) -> Option<(String, &'static str)> {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        match self.args {
            Args::None if given > 0 => Some(("accepts no arguments".to_owned(), "Run")),
            Args::AtLeast(n) if given < n => Some((format!("requires at least {n} argument{}", s(n)), "See")),
            Args::Exactly(n) if given != n => Some((format!("requires {n} argument{}", s(n)), "Run")),
            Args::AtMost(n) if given > n => Some((format!("requires at most {n} argument{}", s(n)), "See")),
            Args::Between(low, high) if !(low..=high).contains(&given) => {
                Some((format!("requires at least {low} and at most {high} arguments"), "See"))
            }
            _ => None,
        }
    }
}

/// What a word on the command line stands for.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A command of ours.
    Command(&'static Command),
    /// A group of commands (`container`).
    Group(&'static Group),
    /// Docker has it; we do not, yet.
    NotYet,
}

/// A management command.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// (name within the group, command); aliases repeat the command.
    pub(crate) commands: &'static [(&'static str, &'static Command)],
    /// What Docker has there and we do not, yet.
    pub(crate) not_yet: &'static [&'static str],
}

use crate::cmd::{
    attach, commit, completion, context, cp, create, df, dial_stdio, diff, events, exec, export, history, image_diff,
    image_explain, image_flatten, image_prune, image_rebase, images, import, info, inspect, kill, load, login, logs,
    manifest, network, pause, port, prune, ps, pull, push, rename, restart, rm, rmi, run, save, search, start, stats,
    stop, stop_all, system_check, system_prune, tag, top, unpause, update, version, volume, wait,
};

/// The commands at the top, in the order of help.
pub(crate) const COMMON: &[&Command] =
    &[&run::COMMAND, &exec::COMMAND, &ps::COMMAND, &pull::COMMAND, &images::COMMAND, &version::COMMAND, &info::COMMAND];

/// The others.
pub(crate) const OTHERS: &[&Command] = &[
    &attach::COMMAND,
    &commit::COMMAND,
    &cp::COMMAND,
    &create::COMMAND,
    &diff::COMMAND,
    &events::COMMAND,
    &export::COMMAND,
    &history::COMMAND,
    &import::COMMAND,
    &inspect::COMMAND,
    &kill::COMMAND,
    &load::COMMAND,
    &login::COMMAND,
    &login::LOGOUT,
    &logs::COMMAND,
    &pause::COMMAND,
    &push::COMMAND,
    &rename::COMMAND,
    &port::COMMAND,
    &restart::COMMAND,
    &rm::COMMAND,
    &rmi::COMMAND,
    &save::COMMAND,
    &search::COMMAND,
    &start::COMMAND,
    &stats::COMMAND,
    &stop::COMMAND,
    &tag::COMMAND,
    &top::COMMAND,
    &unpause::COMMAND,
    &update::COMMAND,
    &wait::COMMAND,
];

/// The groups.
pub(crate) const GROUPS: &[&Group] = &[
    &completion::GROUP,
    &CONTAINER,
    &context::GROUP,
    &IMAGE,
    &manifest::GROUP,
    &network::GROUP,
    &SYSTEM,
    &volume::GROUP,
];

const CONTAINER: Group = Group {
    name: "container",
    about: "Manage containers",
    commands: &[
        ("attach", &attach::COMMAND),
        ("commit", &commit::COMMAND),
        ("cp", &cp::COMMAND),
        ("create", &create::COMMAND),
        ("diff", &diff::COMMAND),
        ("exec", &exec::COMMAND),
        ("export", &export::COMMAND),
        ("inspect", &inspect::CONTAINER),
        ("kill", &kill::COMMAND),
        ("logs", &logs::COMMAND),
        ("ls", &ps::LS),
        ("list", &ps::LS),
        ("ps", &ps::LS),
        ("pause", &pause::COMMAND),
        ("prune", &prune::CONTAINERS),
        ("rename", &rename::COMMAND),
        ("port", &port::COMMAND),
        ("restart", &restart::COMMAND),
        ("rm", &rm::COMMAND),
        ("remove", &rm::COMMAND),
        ("run", &run::COMMAND),
        ("start", &start::COMMAND),
        ("stats", &stats::COMMAND),
        ("stop", &stop::COMMAND),
        ("top", &top::COMMAND),
        ("unpause", &unpause::COMMAND),
        ("update", &update::COMMAND),
        ("wait", &wait::COMMAND),
    ],
    not_yet: &[],
};

const IMAGE: Group = Group {
    name: "image",
    about: "Manage images",
    commands: &[
        ("diff", &image_diff::COMMAND),
        ("explain", &image_explain::COMMAND),
        ("flatten", &image_flatten::COMMAND),
        ("history", &history::COMMAND),
        ("import", &import::COMMAND),
        ("inspect", &inspect::IMAGE),
        ("load", &load::COMMAND),
        ("ls", &images::LS),
        ("list", &images::LS),
        ("prune", &image_prune::COMMAND),
        ("pull", &pull::COMMAND),
        ("push", &push::COMMAND),
        ("rm", &rmi::RM),
        ("rebase", &image_rebase::COMMAND),
        ("remove", &rmi::RM),
        ("save", &save::COMMAND),
        ("tag", &tag::COMMAND),
    ],
    not_yet: &["build"],
};

const SYSTEM: Group = Group {
    name: "system",
    about: "Look at the engine",
    commands: &[
        ("check", &system_check::COMMAND),
        ("df", &df::COMMAND),
        ("dial-stdio", &dial_stdio::COMMAND),
        ("events", &events::COMMAND),
        ("info", &info::COMMAND),
        ("prune", &system_prune::COMMAND),
        ("stop-all", &stop_all::COMMAND),
    ],
    not_yet: &[],
};

/// What Docker has at the top and we do not, yet.
const NOT_YET: &[&str] = &[
    "build",
    "builder",
    "buildx",
    "checkpoint",
    "compose",
    "config",
    "node",
    "plugin",
    "secret",
    "service",
    "stack",
    "swarm",
    "trust",
];

/// Looks a word at the top up.
pub(crate) fn find(word: &str) -> Option<Entry> {
    if let Some(command) = COMMON.iter().chain(OTHERS).find(|c| c.name == word) {
        return Some(Entry::Command(command));
    }
    if let Some(group) = GROUPS.iter().find(|g| g.name == word) {
        return Some(Entry::Group(group));
    }
    NOT_YET.contains(&word).then_some(Entry::NotYet)
}

/// A command of ours, which no plugin can replace.
pub(crate) fn is_ours(word: &str) -> bool {
    matches!(find(word), Some(Entry::Command(_) | Entry::Group(_)))
        || matches!(word, "help" | "daemon" | "completion" | "__complete" | "__completeNoDesc")
}

/// Looks a word in a group up.
pub(crate) fn find_in(group: &'static Group, word: &str) -> Option<Entry> {
    if let Some((_, command)) = group.commands.iter().find(|(name, _)| *name == word) {
        return Some(Entry::Command(command));
    }
    group.not_yet.contains(&word).then_some(Entry::NotYet)
}

/// The names closest to a word that is none.
pub(crate) fn similar<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (distance(word, name), name))
        .filter(|(d, name)| *d <= 2 && *d < name.len() || (name.starts_with(word) && !word.is_empty()))
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

/// How many letters are wrong, missing, too many, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = match i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    true => rows[i - 2][j - 2] + 1,
                    false => usize::MAX,
                };
                replaced.min(swapped).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[a.len()][b.len()]
}
