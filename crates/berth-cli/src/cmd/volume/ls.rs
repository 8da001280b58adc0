//! `volume ls`.

use berth_api::volume::Volume;
use berth_template::Value;

use crate::cmd::{FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::label;
use crate::session::Session;
use crate::unit::size;

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    usage: "ls [OPTIONS]",
    about: "List volumes",
    aliases: &["volume ls", "volume list"],
    flags: &[
        Flag::switch("cluster", "Only cluster volumes").hidden(),
        Flag::typed("filter", "filter", check_filter, "Only those that match (dangling, driver, label, name)")
            .short('f'),
        Flag::text("format", FORMAT_HELP),
        Flag::switch("quiet", "Only names").short('q'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str = "{{.Driver}}\t{{.Name}}";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if parsed.on("cluster") {
        return Err(Failure::new("--cluster is for swarms, and there is none here (docs/not-yet.md)"));
    }
    let quiet = parsed.on("quiet");
    let given = match parsed.get("format") {
        Some(format) if !format.is_empty() => format.to_owned(),
        _ => session.config().volumes_format().to_owned(),
    };
    let mut format = Format::parse_with_raw(
        if quiet && parsed.get("format").is_none() { "" } else { &given },
        TABLE,
        if quiet { "name: {{.Name}}" } else { "name: {{.Name}}\ndriver: {{.Driver}}\n" },
    );
    if quiet && matches!(format, Format::Table(_)) {
        format = Format::Template("{{.Name}}".to_owned());
    }
    let client = session.client()?;
    let mut volumes = session.block_on(client.volumes(&filters(parsed)))??.volumes.unwrap_or_default();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Value> = volumes.into_iter().map(row).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    Ok(0)
}

/// One volume as templates see it. What only `system df` counts, and what only swarms have, is not there.
pub(crate) fn row(volume: Volume) -> Value {
    let absent = || "N/A".to_owned();
    let used = |text: fn(berth_api::volume::VolumeUsage) -> String| volume.usage_data.map_or_else(absent, text);
    let labels = volume.labels.unwrap_or_default();
    let fields = [
        ("Availability", absent()),
        ("Driver", volume.driver),
        ("Group", absent()),
        ("Labels", label::line(&labels)),
        ("Links", used(|usage| usage.ref_count.to_string())),
        ("Mountpoint", volume.mountpoint),
        ("Name", volume.name),
        ("Scope", volume.scope),
        ("Size", used(|usage| size::human3(usage.size))),
        ("Status", absent()),
    ];
    let mut members: Vec<(String, Value)> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
    members.push(label::member(labels));
    Value::record("*formatter.volumeContext", members)
}

fn headings() -> Value {
    let fields = [
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ];
    format::headings_and_labels(fields)
}
