//! `ps` and `container ls`.

mod ports;
pub(crate) mod row;

use berth_client::ListOptions;
use jiff::Timestamp;

use crate::cmd::{FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "ps",
    usage: "ps [OPTIONS]",
    about: "List containers",
    aliases: &["container ls", "container list", "container ps", "ps"],
    flags: &[
        Flag::switch("all", "Those that do not run too").short('a'),
        Flag::typed("filter", "filter", check_filter, "Only those that match (name=value)").short('f'),
        Flag::text("format", FORMAT_HELP),
        Flag::int("last", "The newest so many, running or not").short('n').default("-1"),
        Flag::switch("latest", "The newest one, running or not").short('l'),
        Flag::switch("no-trunc", "Nothing shortened"),
        Flag::switch("quiet", "Only ids").short('q'),
        Flag::switch("size", "With sizes").short('s'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

/// Under its name within `container`.
pub(crate) const LS: Command = Command { name: "ls", usage: "ls [OPTIONS]", ..COMMAND };

const TABLE: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/// What `--format raw` means.
const RAW: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n\
                   state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n\
                   labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n";
const RAW_ID: &str = "container_id: {{.ID}}";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let quiet = parsed.on("quiet");
    let given = match parsed.get("format") {
        Some(format) if !format.is_empty() => format.to_owned(),
        _ if quiet => String::new(),
        _ => session.config().ps_format().to_owned(),
    };
    let size = parsed.on("size");
    let default = if size { format!("{TABLE}\t{{{{.Size}}}}") } else { TABLE.to_owned() };
    let raw = if quiet {
        RAW_ID.to_owned()
    } else if size {
        format!("{RAW}size: {{{{.Size}}}}\n")
    } else {
        RAW.to_owned()
    };
    let mut format = Format::parse_with_raw(&given, &default, &raw);
    if quiet && matches!(format, Format::Table(_)) {
        format = Format::Template("{{.ID}}".to_owned());
    }
    let limit = parsed.int("last").filter(|n| *n > 0).or(parsed.on("latest").then_some(1));
    let options = ListOptions {
        all: parsed.on("all"),
        limit,
        size: size || (!quiet && (format.mentions(".Size") || given.contains("json .}"))),
        filters: filters(parsed),
    };
    let client = session.client()?;
    let containers = session.block_on(client.list_containers(&options))??;
    let now = Timestamp::now();
    let truncate = !parsed.on("no-trunc");
    let rows: Vec<_> = containers.into_iter().map(|container| row::row(container, truncate, now)).collect();
    crate::print(&format.render(&rows, &row::headings(), format::FAILED)?);
    Ok(0)
}
