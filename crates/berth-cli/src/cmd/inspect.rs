//! `inspect`, `container inspect` and `image inspect`.

mod again;
mod names;

use berth_api::ContainerInspect;
use berth_api::image::ImageInspect;
use berth_api::network::Network;
use berth_api::volume::Volume;
use berth_client::{Client, Error};
use berth_template::{Value, to_indented};

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::{format, order};

const FORMAT: Flag = Flag::text("format", OBJECT_FORMAT_HELP).short('f');
const RUN: Flag = Flag::switch("run", "Print the command line that makes the container again");
const SIZE: Flag = Flag::switch("size", "With sizes, where it is a container").short('s');

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    usage: "inspect [OPTIONS] NAME|ID [NAME|ID...]",
    about: "Show everything about objects",
    aliases: &[],
    flags: &[FORMAT, RUN, SIZE, Flag::text("type", "Only objects of this type")],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

/// Within `container`.
pub(crate) const CONTAINER: Command = Command {
    usage: "inspect [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Show everything about containers",
    flags: &[FORMAT, RUN, SIZE],
    run: |session, parsed| match parsed.on("run") {
        true => again::print(session, parsed),
        false => inspect(session, parsed, &[Kind::CONTAINER]),
    },
    ..COMMAND
};

/// Within `image`.
pub(crate) const IMAGE: Command = Command {
    usage: "inspect [OPTIONS] IMAGE [IMAGE...]",
    about: "Show everything about images",
    flags: &[FORMAT, Flag::text("platform", "The image for this platform (os[/arch[/variant]])")],
    run: |session, parsed| {
        let platform = parsed.get("platform").filter(|platform| !platform.is_empty());
        let platform = platform.map(crate::cmd::platform_json).transpose()?;
        inspect_with(session, parsed, &[Kind::IMAGE], platform.as_deref())
    },
    ..COMMAND
};

/// Within `network`.
pub(crate) const NETWORK: Command = Command {
    usage: "inspect [OPTIONS] NETWORK [NETWORK...]",
    about: "Show everything about networks",
    flags: &[FORMAT, Flag::switch("verbose", "With what other nodes of a swarm know").short('v')],
    run: |session, parsed| {
        if parsed.on("verbose") {
            return Err(Failure::new("--verbose asks the nodes of a swarm: swarm is not built yet (docs/not-yet.md)"));
        }
        inspect(session, parsed, &[Kind::NETWORK])
    },
    ..COMMAND
};

/// Within `volume`.
pub(crate) const VOLUME: Command = Command {
    usage: "inspect [OPTIONS] VOLUME [VOLUME...]",
    about: "Show everything about volumes",
    flags: &[FORMAT],
    run: |session, parsed| inspect(session, parsed, &[Kind::VOLUME]),
    ..COMMAND
};

/// A kind of object: its name, and where its objects are in the API.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    collection: &'static str,
    /// `/json` follows the name.
    json: bool,
    /// Puts the answer's members into their usual order.
    read: fn(&serde_json::Value) -> Result<Value, Failure>,
}

impl Kind {
    const CONTAINER: Self =
        Self { name: "container", collection: "containers", json: true, read: order::like::<ContainerInspect> };
    const IMAGE: Self = Self { name: "image", collection: "images", json: true, read: order::like::<ImageInspect> };
    const NETWORK: Self = Self { name: "network", collection: "networks", json: false, read: order::like::<Network> };
    const VOLUME: Self = Self { name: "volume", collection: "volumes", json: false, read: order::like::<Volume> };
    /// In the order in which they are tried.
    const ALL: &[Self] = &[
        Self::CONTAINER,
        Self::IMAGE,
        Self::NETWORK,
        Self::VOLUME,
        Self { name: "plugin", collection: "plugins", json: true, read: order::like::<serde_json::Value> },
    ];
}

/// What Docker's `--type` also takes; none of it exists without swarm.
const SWARM: &[&str] = &["config", "node", "secret", "service", "task"];

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if parsed.on("run") {
        return again::print(session, parsed);
    }
    let Some(name) = parsed.get("type") else { return inspect(session, parsed, Kind::ALL) };
    if SWARM.contains(&name) {
        return Err(Failure::new("This node is not a swarm manager: swarm is not built yet (docs/not-yet.md)"));
    }
    match Kind::ALL.iter().position(|kind| kind.name == name) {
        Some(at) => inspect(session, parsed, &Kind::ALL[at..=at]),
        None => Err(Failure::new(format!(
            "unknown type: {name:?}: must be one of \"config\", \"container\", \"image\", \"network\", \"node\", \"plugin\", \"secret\", \"service\", \"task\", \"volume\""
        ))),
    }
}

fn inspect(session: &Session, parsed: &Parsed, kinds: &[Kind]) -> Outcome {
    inspect_with(session, parsed, kinds, None)
}

fn inspect_with(session: &Session, parsed: &Parsed, kinds: &[Kind], platform: Option<&str>) -> Outcome {
    let template = parsed.get("format").filter(|f| !f.is_empty());
    if let Some(template) = template.filter(|t| *t != "json") {
        berth_template::Template::parse(template).map_err(|e| format::bad_template(&e).code(64))?;
    }
    let client = session.client()?;
    // Where any kind may come, Docker's templates see the JSON alone once the struct has no such field.
    let one_kind = kinds.len() == 1 && !parsed.has("type");
    let found = session.block_on(async {
        let mut found = Vec::new();
        for name in &parsed.args {
            let object = find(&client, name, kinds, parsed.on("size"), platform).await;
            found.push(object.map(|(kind, value)| names::with_go_names(kind, one_kind, value)));
        }
        found
    })?;
    let (text, errors) = shown(template, found);
    crate::print(&text);
    for error in &errors {
        eprintln!("{error}");
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::silent(1)) }
}

/// What is printed, and what went wrong, in the order of the names.
fn shown(template: Option<&str>, found: Vec<Result<Value, String>>) -> (String, Vec<String>) {
    let Some(template) = template.filter(|template| *template != "json") else {
        let (found, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        let list = Value::list(found.into_iter().flatten());
        let text = if template.is_some() { berth_template::to_json(&list) } else { to_indented(&list, "    ") };
        return (text + "\n", errors.into_iter().filter_map(Result::err).collect());
    };
    let (mut text, mut errors) = (String::new(), Vec::new());
    for object in found {
        match object.and_then(|value| format::object(template, &value).map_err(|failure| failure.message)) {
            Ok(line) => text.push_str(&(line + "\n")),
            Err(error) => errors.push(error),
        }
    }
    if text.is_empty() {
        text.push('\n');
    }
    (text, errors)
}

/// Looks an object up, trying the kinds in order; the error is a sentence.
async fn find(
    client: &Client,
    name: &str,
    kinds: &[Kind],
    size: bool,
    platform: Option<&str>,
) -> Result<(&'static str, Value), String> {
    for kind in kinds {
        let mut parts = vec![kind.collection, name];
        if kind.json {
            parts.push("json");
        }
        let query =
            [("size", if size && kind.name == "container" { "1" } else { "" }), ("platform", platform.unwrap_or(""))];
        match client.get(&parts, &query).await {
            Ok(json) => {
                let value = (kind.read)(&json).map_err(|failure| failure.message)?;
                return Ok((kind.name, value));
            }
            // A kind this daemon does not have holds no object of that name.
            Err(Error::Api { status: 404 | 501, .. }) if kinds.len() > 1 => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("Error: No such object: {name}"))
}
