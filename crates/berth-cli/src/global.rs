//! Flags before the command, and the help texts above single commands.

use crate::command::{COMMON, Command, GROUPS, Group, OTHERS};
use crate::failure::Failure;
use crate::flag::{Flag, help as render, parse};
use crate::plugin::Plugin;
use crate::program::Program;
use crate::terminal;
use crate::tls::TlsFlags;

pub(crate) const FLAGS: &[Flag] = &[
    Flag::text("config", "Directory of the client's configuration").default("~/.docker"),
    Flag::text("context", "Context whose daemon is used (overrides DOCKER_HOST)").short('c'),
    Flag::switch("debug", "Say more about what goes wrong").short('D'),
    Flag::list("host", "Address of the daemon's socket").short('H'),
    Flag::text("log-level", "How much to log (debug, info, warn, error, fatal)").short('l').default("\"info\""),
    Flag::switch("tls", "Use TLS"),
    Flag::text("tlscacert", "Trust certificates signed by this authority only"),
    Flag::text("tlscert", "The client's TLS certificate"),
    Flag::text("tlskey", "The client's TLS key"),
    Flag::switch("tlsverify", "Use TLS and verify the daemon"),
    Flag::switch("version", "Print the version and quit").short('v'),
];

/// What stood before the command.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    pub(crate) hosts: Vec<String>,
    pub(crate) context: Option<String>,
    pub(crate) config: Option<String>,
    pub(crate) tls: TlsFlags,
    pub(crate) debug: bool,
}

/// Takes the flags before the command; the rest begins with the command.
pub(crate) fn parse(program: Program, words: &[String]) -> Result<Words, Failure> {
    let parsed = parse::parse(FLAGS, words, false)
        .map_err(|error| program.bad_flag(&error, "", "[OPTIONS] COMMAND [ARG...]"))?;
    if parsed.on("version") {
        crate::print(&format!("{}\n", version_line(program)));
        return Err(Failure::silent(0));
    }
    if let Some(level) = parsed.get("log-level")
        && !matches!(level, "trace" | "debug" | "info" | "warn" | "warning" | "error" | "fatal" | "panic")
    {
        return Err(Failure::new(format!("Unable to parse logging level: {level}")));
    }
    let globals = Globals {
        hosts: parsed.strings("host"),
        context: parsed.get("context").map(str::to_owned),
        config: parsed.get("config").map(str::to_owned),
        tls: TlsFlags {
            tls: parsed.get("tls").map(|_| parsed.on("tls")),
            verify: parsed.get("tlsverify").map(|_| parsed.on("tlsverify")),
            ca: parsed.get("tlscacert").map(str::to_owned),
            cert: parsed.get("tlscert").map(str::to_owned),
            key: parsed.get("tlskey").map(str::to_owned),
        },
        debug: parsed.on("debug"),
    };
    if !globals.hosts.is_empty() && globals.context.is_some() {
        return Err(Failure::new("conflicting options: cannot specify both --host and --context"));
    }
    Ok(Words { globals, help: parsed.help, rest: parsed.args })
}

/// A command line whose beginning has been read.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) globals: Globals,
    /// `--help` stood before the command.
    pub(crate) help: bool,
    /// The command and what follows it.
    pub(crate) rest: Vec<String>,
}

fn version_line(program: Program) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match program.0 {
        "docker" => format!("Docker version {version}, build berth"),
        _ => format!("berth version {version}"),
    }
}

/// `--help` alone; `plugins` are listed with the groups, broken ones with what is wrong with them.
pub(crate) fn help(program: Program, plugins: &[Plugin]) -> String {
    let lines = |commands: &[&'static Command]| commands.iter().map(|c| (c.name, c.about)).collect::<Vec<_>>();
    let working = plugins.iter().filter(|plugin| plugin.error.is_none() && !plugin.hidden);
    // Docker marks what comes from a plugin with a star.
    let starred: Vec<_> = working.map(|p| (format!("{}*", p.name), p.short_description.as_str())).collect();
    let mut groups: Vec<_> = GROUPS.iter().map(|g| (g.name, g.about)).collect();
    groups.extend(starred.iter().map(|(name, about)| (name.as_str(), *about)));
    groups.sort_unstable();
    let mut others = lines(OTHERS);
    others.push(("daemon", "Serve the Engine API"));
    others.sort_unstable();
    let broken: Vec<_> = plugins.iter().filter_map(|p| Some((p.name.as_str(), p.error.as_deref()?))).collect();
    let broken = if broken.is_empty() { String::new() } else { render::names("Invalid Plugins", &broken) };
    format!(
        "Usage:  {program} [OPTIONS] COMMAND\n\nRuns containers\n{}{}{}{broken}{}\nRun '{program} COMMAND --help' for more information on a command.\n",
        render::names("Common Commands", &lines(COMMON)),
        render::names("Management Commands", &groups),
        render::names("Commands", &others),
        render::flags("Global Options", FLAGS, terminal::width()),
    )
}

/// Every word that a command line can begin with, and what it is; plugins excepted.
pub(crate) fn top_level() -> Vec<(&'static str, &'static str)> {
    let commands = COMMON.iter().chain(OTHERS).map(|command| (command.name, command.about));
    let groups = GROUPS.iter().map(|group| (group.name, group.about));
    commands.chain(groups).chain([("daemon", "Serve the Engine API")]).collect()
}

/// `container --help`.
pub(crate) fn group_help(program: Program, group: &Group) -> String {
    let lines: Vec<_> =
        group.commands.iter().filter(|(name, c)| *name == c.name).map(|(name, c)| (*name, c.about)).collect();
    format!(
        "Usage:  {program} {} COMMAND\n\n{}\n{}\nRun '{program} {} COMMAND --help' for more information on a command.\n",
        group.name,
        group.about,
        render::names("Commands", &lines),
        group.name
    )
}

/// `run --help`.
pub(crate) fn command_help(program: Program, path: &str, command: &Command) -> String {
    let aliases = match command.aliases {
        [] => String::new(),
        names => {
            let full: Vec<String> = names.iter().map(|name| format!("{program} {name}")).collect();
            format!("\nAliases:\n  {}\n", full.join(", "))
        }
    };
    format!(
        "Usage:  {}\n\n{}\n{aliases}{}",
        program.usage(path, command.usage),
        command.about,
        render::flags("Options", command.flags, terminal::width())
    )
}
