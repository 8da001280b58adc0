//! `events`.

use berth_api::event::EventMessage;
use berth_client::{Client, EventsOptions};
use berth_template::{Template, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cmd::{OBJECT_FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::unit::time;
use crate::{format, shape};

pub(crate) const COMMAND: Command = Command {
    name: "events",
    usage: "events [OPTIONS]",
    about: "Show what happens, as it happens",
    aliases: &["system events", "events"],
    flags: &[
        Flag::typed("filter", "filter", check_filter, "Only those that match (name=value)").short('f'),
        Flag::text("format", OBJECT_FORMAT_HELP),
        Flag::text("since", "Also what happened since this time"),
        Flag::text("until", "Until this time"),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let now = Timestamp::now();
    let at = |name: &str| match parsed.get(name) {
        None | Some("") => Ok(String::new()),
        Some(text) => time::parse(text, now).map_err(|e| Failure::new(format!("invalid value for \"{name}\": {e}"))),
    };
    let options = EventsOptions { since: at("since")?, until: at("until")?, filters: filters(parsed) };
    let template = match parsed.get("format").filter(|f| !f.is_empty()) {
        Some("json") => Some(Template::parse("{{json .}}")),
        Some(text) => Some(Template::parse(text)),
        None => None,
    };
    let malformed = |e: &dyn std::fmt::Display| Failure::new(format!("Error parsing format: {e}")).code(64);
    let template = template.transpose().map_err(|e| malformed(&e))?;
    if let Some(template) = &template {
        // A field that no event has is told now, not when one comes.
        template.render(&value(&EventMessage::default())?).map_err(|e| malformed(&e))?;
    }
    let client = session.client()?;
    session.block_on(follow(&client, &options, template.as_ref()))?
}

async fn follow(client: &Client, options: &EventsOptions, template: Option<&Template>) -> Outcome {
    let mut events = client.events(options).await?;
    while let Some(event) = events.next().await {
        let event = event?;
        let line = match template {
            None => line(&event),
            Some(template) => template.render(&value(&event)?).map_err(|e| format::failed(&e))?,
        };
        crate::print(&format!("{line}\n"));
    }
    Ok(0)
}

/// The event with the names Go's struct has beside the names of its JSON.
fn value(event: &EventMessage) -> Result<Value, Failure> {
    let value = Value::from_serialize(event, &shape::DOCKER).map_err(|e| Failure::new(e.to_string()))?;
    let names = [
        ("Time", Value::Int(event.time)),
        ("TimeNano", Value::Int(event.time_nano)),
        ("Scope", Value::text(&event.scope)),
        ("ID", Value::text(&event.actor.id)),
        ("Status", Value::text(&event.status)),
        ("From", Value::text(&event.from)),
    ];
    Ok(value.named("*events.Message", names.map(|(name, value)| (name.to_owned(), value)).into()))
}

/// `TIME TYPE ACTION ID (name=value, …)`.
fn line(event: &EventMessage) -> String {
    let nanos = if event.time_nano != 0 { i128::from(event.time_nano) } else { i128::from(event.time) * 1_000_000_000 };
    let time = Timestamp::from_nanosecond(nanos).unwrap_or_default().to_zoned(TimeZone::system());
    let offset = if time.offset().is_zero() { "Z".to_owned() } else { time.strftime("%:z").to_string() };
    let stamp = time.strftime("%Y-%m-%dT%H:%M:%S.%9f");
    let attributes: Vec<String> = event.actor.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let attributes = if attributes.is_empty() { String::new() } else { format!(" ({})", attributes.join(", ")) };
    format!("{stamp}{offset} {} {} {}{attributes}", event.kind, event.action, event.actor.id)
}
