//! The OCI runtime command line, with the flags that containerd, podman and dockerd pass, in runc's and crun's spelling.
//!
//! A command is one function from its arguments to an exit code. State between commands is in `state.rs` alone.

mod arguments;
mod console;
mod control;
mod create;
mod describe;
mod exec;
mod resources;
mod run;
mod state;
mod supervise;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::{Flag, Parsed, parse};
use berth_cgroup::Driver;

use crate::error::LaunchError;

/// Why a command failed: one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The process could not be born.
    #[error("{0}")]
    Launch(#[from] LaunchError),
    /// The control group.
    #[error("{0}")]
    Cgroup(#[from] berth_cgroup::Error),
    /// A file of ours or of the bundle.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done to it.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// No container of that id.
    #[error("container {0:?} does not exist")]
    Missing(String),
    /// Anything the user has to put right.
    #[error("{0}")]
    Usage(String),
}

impl CommandError {
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

/// What every command is told.
#[derive(Debug)]
pub(crate) struct Global {
    /// Where the containers' states are.
    pub(crate) root: PathBuf,
    /// Who makes cgroups.
    pub(crate) driver: Driver,
}

type Command = fn(&Global, &Parsed) -> Result<u8, CommandError>;

const GLOBAL: &[Flag] = &[
    Flag::value(&["root"]),
    Flag::value(&["log"]),
    Flag::value(&["log-format"]),
    Flag::value(&["log-level"]),
    Flag::switch(&["systemd-cgroup"]),
    Flag::value(&["cgroup-manager"]),
    Flag::value(&["criu"]),
    Flag::optional(&["rootless"]),
    Flag::switch(&["debug"]),
    Flag::switch(&["help", "h"]),
    Flag::switch(&["version", "v"]),
];

/// Each command: its name, its flags, whether the arguments after the first belong to somebody else, what it does.
const COMMANDS: &[(&str, &[Flag], bool, Command)] = &[
    ("create", create::FLAGS, false, create::create),
    ("start", &[], false, create::start),
    ("run", run::FLAGS, false, run::run),
    ("state", &[], false, control::state),
    ("kill", control::KILL, false, control::kill),
    ("delete", control::DELETE, false, control::delete),
    ("exec", exec::FLAGS, true, exec::exec),
    ("list", control::LIST, false, control::list),
    ("ps", control::PS, true, control::ps),
    ("pause", &[], false, control::pause),
    ("resume", &[], false, control::resume),
    ("update", resources::UPDATE, false, resources::update),
    ("events", resources::EVENTS, false, resources::events),
    ("features", &[], false, describe::features),
    ("spec", describe::SPEC, false, describe::spec),
    ("checkpoint", &[], true, describe::not_supported),
    ("restore", &[], true, describe::not_supported),
];

/// Runs one command line; `args` begins with the program and the word `runtime`.
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    let words: Vec<String> = args.iter().skip(2).map(|word| word.to_string_lossy().into_owned()).collect();
    let report = Report::from(&words);
    match run_words(&words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run_words(words: &[String]) -> Result<u8, CommandError> {
    let before = parse(words, &[GLOBAL], true)?;
    if before.has("version") {
        return describe::version();
    }
    let Some((name, rest)) = before.positional.split_first() else {
        return describe::help(before.has("help"));
    };
    let command = COMMANDS.iter().find(|(known, ..)| known == name);
    let Some((_, flags, foreign, command)) = command else {
        return Err(CommandError::usage(format!(
            "{name:?} is not a command of berth runtime; see berth runtime --help"
        )));
    };
    let mut parsed = parse(rest, &[flags, GLOBAL], *foreign)?;
    if parsed.has("help") {
        return describe::help(true);
    }
    parsed.inherit(before);
    let systemd = parsed.has("systemd-cgroup") || parsed.value("cgroup-manager") == Some("systemd");
    let global = Global {
        root: parsed.value("root").map_or_else(default_root, PathBuf::from),
        driver: if systemd { Driver::Systemd } else { Driver::Cgroupfs },
    };
    command(&global, &parsed)
}

fn default_root() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(own) if !rustix::process::geteuid().is_root() => PathBuf::from(own).join("berth/runtime"),
        _ => PathBuf::from("/run/berth/runtime"),
    }
}

/// Where failures are told: standard error always, and the log that the caller reads.
struct Report {
    log: Option<PathBuf>,
    json: bool,
}

impl Report {
    /// Read apart from the rest, so that a wrong command line is logged too.
    fn from(words: &[String]) -> Self {
        let value = |name: &str| {
            let (long, joined) = (format!("--{name}"), format!("--{name}="));
            let position = words.iter().position(|word| *word == long || word.starts_with(&joined))?;
            let word = &words[position];
            word.strip_prefix(&joined).map(str::to_owned).or_else(|| words.get(position + 1).cloned())
        };
        Self {
            log: value("log").filter(|path| !path.is_empty()).map(PathBuf::from),
            json: value("log-format").as_deref() == Some("json"),
        }
    }

    fn failed(&self, error: &CommandError) {
        let sentence = error.to_string();
        eprintln!("berth runtime: {sentence}");
        let Some(path) = &self.log else { return };
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let line = if self.json {
            serde_json::json!({ "level": "error", "msg": sentence, "time": time }).to_string()
        } else {
            format!("time={time:?} level=error msg={sentence:?}")
        };
        if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
            let _ = writeln!(file, "{line}");
        }
    }
}
