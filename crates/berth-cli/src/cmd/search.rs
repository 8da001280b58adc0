//! `search`.

use berth_api::Filters;
use berth_api::registry::SearchResult;
use berth_client::SearchOptions;
use berth_distribution::searched_registry;
use berth_template::Value;

use crate::cmd::{FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;
use crate::table;

pub(crate) const COMMAND: Command = Command {
    name: "search",
    usage: "search [OPTIONS] TERM",
    about: "Search Docker Hub, or a registry by REGISTRY/TERM",
    aliases: &[],
    flags: &[
        Flag::switch("automated", "Only images that the Hub built (there are none any more)").hidden(),
        Flag::typed("filter", "filter", check_filter, "Only those that match (is-official, stars)").short('f'),
        Flag::text("format", FORMAT_HELP),
        Flag::int("limit", "At most so many (1 to 100; 25 where not given)"),
        Flag::switch("no-trunc", "Nothing shortened"),
        Flag::typed("stars", "int", check_stars, "At least so many stars").short('s').hidden(),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

const TABLE: &str = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";
const DESCRIPTION_WIDTH: usize = 45;

fn check_stars(text: &str) -> Result<(), String> {
    match crate::unit::number::parse_uint(text, 32) {
        Ok(_) => Ok(()),
        Err(reason) => Err(reason),
    }
}

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let term = parsed.args.first().map_or("", String::as_str);
    let format = Format::parse(parsed.get("format").unwrap_or_default(), TABLE);
    let options = SearchOptions {
        term: term.to_owned(),
        limit: parsed.int("limit").filter(|limit| *limit != 0),
        filters: wanted(parsed),
        auth: session.config().credentials_of(searched_registry(term)),
    };
    let client = session.client()?;
    let found = session.block_on(client.search(&options))??;
    let view = View { whole: parsed.on("no-trunc"), marks: !format.mentions("json .") };
    let rows: Vec<Value> = found.into_iter().map(|result| view.row(result)).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    Ok(0)
}

/// The filters, also those that were flags once.
fn wanted(parsed: &Parsed) -> Filters {
    let mut filters = filters(parsed);
    if let Some(stars) = parsed.get("stars") {
        eprintln!("WARNING: --stars is deprecated: use --filter stars={stars}");
        filters.add("stars", stars);
    }
    if parsed.on("automated") {
        eprintln!("WARNING: --automated is deprecated: no image is automated any more, so nothing is found");
        filters.add("is-automated", "true");
    } else if filters.contains("is-automated") {
        eprintln!(
            "WARNING: the \"is-automated\" filter is deprecated: no image is automated any more, so nothing is found \
             with is-automated=true"
        );
    }
    filters
}

/// How results are shown.
struct View {
    whole: bool,
    /// What is official gets a mark; in JSON it is said.
    marks: bool,
}

impl View {
    fn row(&self, result: SearchResult) -> Value {
        let description = result.description.replace(['\n', '\r'], " ");
        let official = match (self.marks, result.is_official) {
            (true, true) => "[OK]".to_owned(),
            (true, false) => String::new(),
            (false, official) => official.to_string(),
        };
        let fields = [
            ("Description", if self.whole { description } else { table::ellipsis(&description, DESCRIPTION_WIDTH) }),
            ("IsOfficial", official),
            ("Name", result.name),
            ("StarCount", result.star_count.to_string()),
        ];
        let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
        Value::record("*registry.searchContext", members)
    }
}

fn headings() -> Value {
    let fields = [("Description", "DESCRIPTION"), ("IsOfficial", "OFFICIAL"), ("Name", "NAME"), ("StarCount", "STARS")];
    crate::format::headings(fields)
}
