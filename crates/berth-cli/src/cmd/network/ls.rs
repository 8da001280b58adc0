//! `network ls`.

use berth_api::network::Network;
use berth_template::{Object, Value};

use crate::cmd::{FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;
use crate::unit::time;

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    usage: "ls [OPTIONS]",
    about: "List networks",
    aliases: &["network ls", "network list"],
    flags: &[
        Flag::typed("filter", "filter", check_filter, "Only those that match (name=value)").short('f'),
        Flag::text("format", FORMAT_HELP),
        Flag::switch("no-trunc", "Nothing shortened"),
        Flag::switch("quiet", "Only ids").short('q'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

/// What `--format raw` means.
const RAW: &str = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let quiet = parsed.on("quiet");
    let given = match parsed.get("format") {
        Some(format) if !format.is_empty() => format.to_owned(),
        _ if quiet => String::new(),
        _ => session.config().networks_format().to_owned(),
    };
    let raw = if quiet { "network_id: {{.ID}}" } else { RAW };
    let mut format = Format::parse_with_raw(&given, TABLE, raw);
    if quiet && matches!(format, Format::Table(_)) {
        format = Format::Template("{{.ID}}".to_owned());
    }
    let client = session.client()?;
    let mut networks = session.block_on(client.networks_that(&filters(parsed)))??;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Value> = networks.iter().map(|network| row(network, !parsed.on("no-trunc"))).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    Ok(0)
}

fn row(network: &Network, truncate: bool) -> Value {
    let id = if truncate { network.id.chars().take(12).collect() } else { network.id.clone() };
    let labels = network.labels.clone().unwrap_or_default();
    let joined: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let fields = [
        ("CreatedAt", time::go_string_of(&network.created)),
        ("Driver", network.driver.clone()),
        ("ID", id),
        ("IPv4", network.enable_ipv4.to_string()),
        ("IPv6", network.enable_ipv6.to_string()),
        ("Internal", network.internal.to_string()),
        ("Labels", joined.join(",")),
        ("Name", network.name.clone()),
        ("Scope", network.scope.clone()),
    ];
    let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
    let label = move |arguments: &[Value]| {
        let name = arguments.first().and_then(Value::as_str).unwrap_or_default();
        Ok(Value::text(labels.get(name).map_or("", String::as_str)))
    };
    let label = Value::Function(berth_template::Function(std::rc::Rc::new(label)));
    Value::Object(std::rc::Rc::new(Object {
        members,
        type_name: Some("*network.networkContext"),
        escaped: true,
        hidden: vec![("Label".to_owned(), label)],
        ..Object::default()
    }))
}

fn headings() -> Value {
    let fields = [
        ("CreatedAt", "CREATED AT"),
        ("Driver", "DRIVER"),
        ("ID", "NETWORK ID"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("Name", "NAME"),
        ("Scope", "SCOPE"),
    ];
    crate::format::headings(fields)
}
