//! `system df`: what takes up space.

mod rows;

use berth_client::Client;
use serde_json::Value as Json;

use crate::cmd::FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "df",
    usage: "df [OPTIONS]",
    about: "Show what takes up space",
    aliases: &[],
    flags: &[Flag::text("format", FORMAT_HELP), Flag::switch("verbose", "Each thing by itself").short('v')],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGES: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES: &str = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const CACHES: &str =
    "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let given = parsed.get("format").filter(|format| !format.is_empty());
    let verbose = parsed.on("verbose");
    if verbose && given.is_some_and(|format| format.starts_with("table")) {
        return Err(Failure::new("--verbose shows four tables: a table of its own can't be given with --format"));
    }
    let client = session.client()?;
    let usage = session.block_on(usage(&client))??;
    let text = match (verbose, given) {
        (false, given) => {
            let rows = rows::totals(&usage);
            Format::parse(given.unwrap_or_default(), TABLE).render(&rows, &rows::total_headings(), format::PARSING)?
        }
        (true, Some(given)) => format::object_as("", format::BARE, given, &rows::everything(&usage))? + "\n",
        (true, None) => verbosely(&usage)?,
    };
    crate::print(&text);
    Ok(0)
}

async fn usage(client: &Client) -> Result<Json, berth_client::Error> {
    client.get(&["system", "df"], &[]).await
}

fn verbosely(usage: &Json) -> Result<String, Failure> {
    let mut out = String::new();
    for (title, table, rows, headings) in [
        ("Images space usage:", IMAGES, rows::images(usage, true), rows::image_headings()),
        ("Containers space usage:", CONTAINERS, rows::containers(usage, true), rows::container_headings()),
        ("Local Volumes space usage:", VOLUMES, rows::volumes(usage), rows::volume_headings()),
        (&rows::cache_title(usage), CACHES, rows::caches(usage), rows::cache_headings()),
    ] {
        let table = Format::parse("", table).render(&rows, &headings, format::PARSING)?;
        out.push_str(&format!("{title}\n\n{table}\n"));
    }
    out.pop();
    Ok(out)
}
