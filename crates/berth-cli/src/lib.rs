//! Docker's command line: grammar, rendering, terminals.
//!
//! A command line goes through two stages: `flag::parse` takes it apart by a table of flags, then the command turns
//! what was typed into what is meant (`create` for run and create), and nothing after that checks again. Commands
//! are data (`command`), one verb a file (`cmd`); building one touches no other, which is why `berth --help` costs
//! nothing. Answers of the daemon are shown by `format` and `table`; streams and terminals are in `stream`.
//! This crate speaks to a daemon only through `berth-client`, and knows no engine. Start reading at [`main`].

mod alias;
mod cmd;
mod command;
mod complete;
mod config;
mod context;
mod create;
mod credentials;
mod failure;
mod flag;
mod format;
mod global;
mod grammar;
mod label;
mod manifest;
mod ondemand;
mod order;
mod output;
mod plugin;
mod program;
mod progress;
mod prompt;
mod respell;
mod session;
mod shape;
mod ssh;
mod stream;
mod table;
mod target;
mod terminal;
mod tls;
mod unit;

use std::ffi::OsString;
use std::process::ExitCode;

use command::{Command, Entry, Group};
use failure::{Failure, Outcome};
use program::Program;
use session::Session;

/// Runs the command line `args`, of which the first is the program's name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let program = args.first().map_or(Program("berth"), |path| Program::from_path(path));
    let words: Vec<String> = args.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if words.first().is_some_and(|word| word == ondemand::DETACHED) {
        return ondemand::exec_daemon();
    }
    match dispatch(program, &words) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}

fn dispatch(program: Program, words: &[String]) -> Outcome {
    let global::Words { globals, help: wants_help, rest } = global::parse(program, words)?;
    let before = words.len() - rest.len();
    let session = Session::new(program, globals, &NOTHING, String::new());
    let Some((word, after)) = rest.split_first().filter(|_| !wants_help) else {
        print(&global::help(program, &plugin::list(&session)));
        return Ok(0);
    };
    match word.as_str() {
        "help" => return help(&session, after),
        "daemon" => return Err(ondemand::become_daemon(session.hosts(), after)),
        _ if complete::COMMANDS.contains(&word.as_str()) => {
            print(&complete::answer(&session, after, word == complete::COMMANDS[0]));
            return Ok(0);
        }
        _ => {}
    }
    match command::find(word) {
        Some(Entry::Command(command)) => run(session, command, command.name, after),
        Some(Entry::Group(group)) => in_group(session, group, after),
        other => {
            let rest = alias::replace(session.config(), &rest)?;
            if let Some(plugin) = plugin::find(&session, &rest[0]) {
                return match &plugin.error {
                    None => Err(plugin::become_plugin(&session, &plugin, &[&words[..before], &rest].concat())),
                    Some(reason) => Err(Failure::new(format!(
                        "{program}: the plugin {} cannot be used: {reason}",
                        plugin.path.display()
                    ))),
                };
            }
            match other {
                Some(_) => Err(not_yet(program, word)),
                None => Err(unknown(&session, word)),
            }
        }
    }
}

/// What the session is for before the command is known, or where there is none.
const NOTHING: Command = Command {
    name: "",
    usage: "",
    about: "",
    aliases: &[],
    flags: &[],
    args: command::Args::None,
    interspersed: true,
    wants_daemon: false,
    run: |_, _| Ok(0),
};

fn in_group(session: Session, group: &'static Group, words: &[String]) -> Outcome {
    let program = session.program;
    let Some((word, rest)) = words.split_first() else {
        eprint!("{}", global::group_help(program, group));
        return Ok(0);
    };
    if word == "--help" || word == "-h" || word == "help" {
        print(&global::group_help(program, group));
        return Ok(0);
    }
    if word.starts_with('-') {
        let error = flag::FlagError::Unknown(word.trim_start_matches('-').to_owned());
        return Err(program.bad_flag(&error, group.name, group.name));
    }
    match command::find_in(group, word) {
        Some(Entry::Command(command)) => run(session, command, &format!("{} {}", group.name, command.name), rest),
        Some(_) => Err(not_yet(program, &format!("{} {word}", group.name))),
        None => {
            let near = command::similar(word, group.commands.iter().map(|(name, _)| *name));
            Err(Failure::new(format!(
                "{program}: unknown command: {program} {} {word}\n\n{}Usage:  {program} {}\n\nRun '{program} {} --help' for more information",
                group.name,
                did_you_mean(&near),
                group.name,
                group.name
            )))
        }
    }
}

fn run(session: Session, command: &'static Command, path: &str, words: &[String]) -> Outcome {
    let program = session.program;
    let parsed = flag::parse::parse(command.flags, words, command.interspersed)
        .map_err(|error| program.bad_flag(&error, path, command.usage))?;
    if parsed.help {
        print(&global::command_help(program, path, command));
        return Ok(0);
    }
    if let Some((reason, see)) = command.check_args(parsed.args.len()) {
        return Err(program.bad_args(&reason, see, path, command));
    }
    (command.run)(&session.of(command, path.to_owned()), &parsed)
}

fn help(session: &Session, words: &[String]) -> Outcome {
    let program = session.program;
    let Some((word, rest)) = words.split_first() else {
        print(&global::help(program, &plugin::list(session)));
        return Ok(0);
    };
    let text = match (command::find(word), rest.first()) {
        (Some(Entry::Command(command)), _) => global::command_help(program, command.name, command),
        (Some(Entry::Group(group)), None) => global::group_help(program, group),
        (Some(Entry::Group(group)), Some(inner)) => match command::find_in(group, inner) {
            Some(Entry::Command(command)) => {
                global::command_help(program, &format!("{} {}", group.name, command.name), command)
            }
            _ => global::group_help(program, group),
        },
        _ => {
            return match plugin::find(session, word).filter(|plugin| plugin.error.is_none()) {
                Some(plugin) => {
                    let words = [&["help".to_owned()], words].concat();
                    Err(plugin::become_plugin(session, &plugin, &words))
                }
                None => Err(Failure::new(format!("unknown help topic: {}", words.join(" ")))),
            };
        }
    };
    print(&text);
    Ok(0)
}

fn not_yet(program: Program, command: &str) -> Failure {
    Failure::new(format!("{program}: '{command}' is not built yet (docs/not-yet.md)"))
}

fn unknown(session: &Session, word: &str) -> Failure {
    let program = session.program;
    let plugins = plugin::names(session);
    let names = global::top_level().into_iter().map(|(name, _)| name);
    let near = command::similar(word, names.chain(plugins.iter().map(String::as_str)));
    Failure::new(format!(
        "{program}: unknown command: {program} {word}\n\n{}Run '{program} --help' for more information",
        did_you_mean(&near)
    ))
}

fn did_you_mean(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!("Did you mean: {}?\n\n", near.join(", ")) }
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) {
    use std::io::Write as _;
    _ = std::io::stdout().write_all(text.as_bytes());
}
