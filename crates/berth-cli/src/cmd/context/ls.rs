//! `context ls`.

use berth_template::Value;

use crate::cmd::FORMAT_HELP;
use crate::command::{Args, Command};
use crate::context::{self, Meta, Store};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    usage: "ls [OPTIONS]",
    about: "List contexts",
    aliases: &["context ls", "context list"],
    flags: &[Flag::text("format", FORMAT_HELP), Flag::switch("quiet", "Only names").short('q')],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str = "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";

/// Longer errors are shortened.
const ERROR_WIDTH: usize = 45;

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let mut format = Format::parse(parsed.get("format").unwrap_or_default(), TABLE);
    if parsed.on("quiet") {
        format = Format::Template("{{.Name}}".to_owned());
    }
    let current = session.context_name();
    let store = Store::of(session.config());
    let mut rows = vec![(context::DEFAULT.to_owned(), default_row(session, &current))];
    rows.extend(store.list().iter().map(|meta| (meta.name.clone(), row_of(meta, &current))));
    if !rows.iter().any(|(name, _)| *name == current) {
        let reason = store.read(&current).err().unwrap_or_default();
        rows.push((current.clone(), row(&current, true, "", "", &reason)));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    if std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty()) && !parsed.on("quiet") {
        eprintln!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable."
        );
    }
    Ok(0)
}

fn default_row(session: &Session, current: &str) -> Value {
    let host = session.default_host();
    row(context::DEFAULT, current == context::DEFAULT, "Current DOCKER_HOST based configuration", &host, "")
}

fn row_of(meta: &Meta, current: &str) -> Value {
    let host = meta.docker().unwrap_or_default().host;
    row(&meta.name, meta.name == current, meta.description(), &host, "")
}

fn row(name: &str, current: bool, description: &str, host: &str, error: &str) -> Value {
    let error = match error.chars().count() > ERROR_WIDTH {
        true => error.chars().take(ERROR_WIDTH - 1).chain(['…']).collect(),
        false => error.to_owned(),
    };
    Value::record(
        "*formatter.clientContextContext",
        vec![
            ("Current".to_owned(), Value::Bool(current)),
            ("Description".to_owned(), Value::text(description)),
            ("DockerEndpoint".to_owned(), Value::text(host)),
            ("Error".to_owned(), Value::text(error)),
            ("Name".to_owned(), Value::text(name)),
        ],
    )
}

fn headings() -> Value {
    let text =
        [("Name", "NAME"), ("Description", "DESCRIPTION"), ("DockerEndpoint", "DOCKER ENDPOINT"), ("Error", "ERROR")];
    let mut members: Vec<_> = text.iter().map(|(name, heading)| ((*name).to_owned(), Value::text(heading))).collect();
    members.push(("Current".to_owned(), Value::Bool(false)));
    Value::map(members)
}
