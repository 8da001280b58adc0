//! `top`: the processes of a container as `ps` lists them, read from `/proc` by ourselves.
//!
//! The arguments are those of `ps`. What is asked for in practice (`-ef`, `aux`, `-o` with the usual columns) needs no
//! other program; for anything else the host's `ps` is run, where there is one.

mod arguments;
mod column;
mod process;
mod ps;

use std::collections::{BTreeSet, HashMap};

use arguments::Format;
use column::Column;
use process::{Host, Process};

use crate::{Error, Result};

/// Processes in columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessTable {
    /// The columns' headings.
    pub titles: Vec<String>,
    /// A row for each process.
    pub rows: Vec<Vec<String>>,
}

/// Lists these processes. Blocks for reading `/proc`.
///
/// # Errors
/// Arguments that ask for no process ids, or for what neither we nor the host's `ps` can show.
pub(crate) fn list(pids: &[i32], arguments: &[String]) -> Result<ProcessTable> {
    let Some(format) = arguments::parse(arguments) else { return ps::list(pids, arguments) };
    let Format { columns } = format;
    if !columns.iter().any(|(_, title)| title == "PID") {
        return Err(no_pids());
    }
    let (host, mut users) = (Host::read()?, Users::default());
    // Sorted, and those that have ended meanwhile left out.
    let pids: BTreeSet<i32> = pids.iter().copied().collect();
    let processes = pids.into_iter().filter_map(Process::read);
    let rows = processes
        .map(|process| columns.iter().map(|(column, _)| column.show(&process, &host, &mut users)).collect())
        .collect();
    Ok(ProcessTable { titles: columns.into_iter().map(|(_, title)| title).collect(), rows })
}

fn no_pids() -> Error {
    Error::Internal("Couldn't find PID field in ps output".into())
}

/// Names of users and groups of the host, each looked up once.
#[derive(Debug, Default)]
struct Users {
    files: HashMap<&'static str, HashMap<u32, String>>,
}

impl Users {
    fn user(&mut self, id: u32) -> String {
        self.name("/etc/passwd", id)
    }

    fn group(&mut self, id: u32) -> String {
        self.name("/etc/group", id)
    }

    fn name(&mut self, file: &'static str, id: u32) -> String {
        let names = self.files.entry(file).or_insert_with(|| read_names(file));
        names.get(&id).map_or_else(|| id.to_string(), |name| shortened(name))
    }
}

/// `ps` cuts names to the width of their column.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(8) {
        Some(_) => name.chars().take(7).chain(['+']).collect(),
        None => name.to_owned(),
    }
}

fn read_names(file: &str) -> HashMap<u32, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        Some((id.parse().ok()?, name.to_owned()))
    };
    // Of several names for one number the first counts.
    let mut names = HashMap::new();
    for (id, name) in text.lines().filter_map(line) {
        names.entry(id).or_insert(name);
    }
    names
}

/// The default: every process, in full.
pub(crate) const DEFAULT: [(Column, &str); 8] = [
    (Column::User, "UID"),
    (Column::Pid, "PID"),
    (Column::Parent, "PPID"),
    (Column::Share, "C"),
    (Column::Started, "STIME"),
    (Column::Terminal, "TTY"),
    (Column::Time, "TIME"),
    (Column::Command, "CMD"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn our_own_process_is_listed() {
        let me = i32::try_from(std::process::id()).unwrap();
        let table = list(&[me, i32::MAX], &words("-o pid,ppid,comm")).unwrap();
        assert_eq!(table.titles, ["PID", "PPID", "COMMAND"]);
        assert_eq!((table.rows.len(), table.rows[0][0].as_str()), (1, me.to_string().as_str()));
        let full = list(&[me], &[]).unwrap();
        assert_eq!(full.titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
        assert!(full.rows[0][7].contains("berth_engine") && full.rows[0].iter().all(|cell| !cell.is_empty()));
    }

    #[test]
    fn a_list_without_ids_is_refused() {
        assert!(list(&[1], &words("-o comm")).unwrap_err().to_string().contains("PID field"));
        assert!(list(&[1], &words("-o pid=X,comm")).unwrap_err().to_string().contains("PID field"));
    }

    #[test]
    fn names_are_cut() {
        assert_eq!(shortened("messagebus"), "message+");
        assert_eq!(shortened("www-data"), "www-data");
    }
}
