//! `stats`: what containers use, once or as it changes; those that come and go are followed by events.

mod live;
mod row;

use berth_api::stats::Stats;
use berth_client::{Client, ListOptions};

use crate::cmd::FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;

use row::Figures;

pub(crate) const COMMAND: Command = Command {
    name: "stats",
    usage: "stats [OPTIONS] [CONTAINER...]",
    about: "Show what containers use, as it changes",
    aliases: &["container stats", "stats"],
    flags: &[
        Flag::switch("all", "Those that do not run too").short('a'),
        Flag::text("format", FORMAT_HELP),
        Flag::switch("no-stream", "Once, and end"),
        Flag::switch("no-trunc", "Nothing shortened"),
    ],
    args: Args::AtLeast(0),
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str =
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/// What is shown, and how.
#[derive(Debug)]
struct Wanted {
    /// As the user named them; none: all there are.
    names: Vec<String>,
    /// Those that do not run too.
    all: bool,
    format: Format,
    truncate: bool,
}

/// One line of the table: how the container was named, and what it uses as far as that is known.
#[derive(Debug, Clone, Default)]
struct Line {
    container: String,
    id: String,
    name: String,
    figures: Option<Figures>,
}

impl Line {
    fn take(&mut self, stats: &Stats) {
        self.id.clone_from(&stats.id);
        stats.name.trim_start_matches('/').clone_into(&mut self.name);
        self.figures = Some(Figures::of(stats));
    }
}

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let given = parsed.get("format").filter(|format| !format.is_empty());
    let wanted = Wanted {
        names: parsed.args.clone(),
        all: parsed.on("all"),
        format: Format::parse(given.unwrap_or(session.config().stats_format()), TABLE),
        truncate: !parsed.on("no-trunc"),
    };
    let client = session.client()?;
    match parsed.on("no-stream") {
        true => session.block_on(once(&client, &wanted))?,
        false => session.block_on(live::follow(&client, wanted))?,
    }
}

/// The containers to begin with.
async fn present(client: &Client, wanted: &Wanted) -> Result<Vec<String>, Failure> {
    if !wanted.names.is_empty() {
        return Ok(wanted.names.clone());
    }
    let options = ListOptions { all: wanted.all, ..ListOptions::default() };
    Ok(client.list_containers(&options).await?.into_iter().map(|container| container.id).collect())
}

/// All at the same time: each takes a second, for something to compare with.
async fn once(client: &Client, wanted: &Wanted) -> Outcome {
    let mut samples = tokio::task::JoinSet::new();
    for (at, name) in present(client, wanted).await?.into_iter().enumerate() {
        let client = client.clone();
        samples.spawn(async move { (at, client.container_stats(&name).await, name) });
    }
    let (mut lines, mut failure) = (Vec::new(), None);
    while let Some(sample) = samples.join_next().await {
        let Ok((at, sample, container)) = sample else { continue };
        let mut line = Line { container, ..Line::default() };
        match sample {
            Ok(stats) => {
                line.take(&stats);
                lines.push((at, line));
            }
            // One of all there were may be gone by now.
            Err(error) if wanted.names.is_empty() => drop(error),
            Err(error) => failure = Some(error),
        }
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    lines.sort_by_key(|(at, _)| *at);
    let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    crate::print(&render(&lines, wanted)?);
    Ok(0)
}

fn render(lines: &[Line], wanted: &Wanted) -> Result<String, Failure> {
    let rows: Vec<_> = lines.iter().map(|line| row::row(line, wanted.truncate)).collect();
    wanted.format.render(&rows, &row::headings(), format::PARSING)
}
