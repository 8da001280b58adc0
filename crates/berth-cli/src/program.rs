//! Under which name we run, and how errors of the command line look.

use crate::command::Command;
use crate::failure::Failure;
use crate::flag::FlagError;

/// The name we were called by: `docker` where it is that, otherwise `berth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program(pub(crate) &'static str);

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Program {
    /// From the first word of the command line.
    pub(crate) fn from_path(path: &std::ffi::OsStr) -> Self {
        match std::path::Path::new(path).file_name().and_then(|name| name.to_str()) {
            Some("docker") => Self("docker"),
            _ => Self("berth"),
        }
    }

    /// A flag that can't be understood.
    pub(crate) fn bad_flag(self, error: &FlagError, path: &str, usage: &str) -> Failure {
        let full = join(self, path);
        let usage = self.usage(path, usage);
        Failure::new(format!("{error}\n\nUsage:  {usage}\n\nRun '{full} --help' for more information")).code(125)
    }

    /// Too few or too many arguments.
    pub(crate) fn bad_args(self, reason: &str, see: &str, path: &str, command: &Command) -> Failure {
        let full = join(self, path);
        let usage = self.usage(path, command.usage);
        Failure::new(format!(
            "{self}: '{full}' {reason}\n\nUsage:  {usage}\n\n{see} '{full} --help' for more information"
        ))
    }

    /// How a command is called; the further ways stand on lines of their own, behind a tab.
    pub(crate) fn usage(self, path: &str, usage: &str) -> String {
        let called = join(self, parent(path));
        format!("{called} {}", usage.replace('\t', &format!("\t{called} ")))
    }

    /// A run or create that failed before the container's own exit code exists.
    pub(crate) fn not_run(self, message: &str, path: &str, code: u8) -> Failure {
        let full = join(self, path);
        Failure::new(format!("{self}: {message}\n\nRun '{full} --help' for more information")).code(code)
    }
}

fn join(program: Program, path: &str) -> String {
    if path.is_empty() { program.to_string() } else { format!("{program} {path}") }
}

/// `container` for `container run`, nothing for `run`.
fn parent(path: &str) -> &str {
    path.rsplit_once(' ').map_or("", |(parent, _)| parent)
}
