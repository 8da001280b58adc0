//! `version`.

use std::fmt::Write as _;

use berth_api::ApiVersion;
use berth_api::system::Version;
use berth_template::Value;

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::{format, shape};

pub(crate) const COMMAND: Command = Command {
    name: "version",
    usage: "version [OPTIONS]",
    about: "Show the versions of client and daemon",
    aliases: &[],
    flags: &[Flag::text("format", OBJECT_FORMAT_HELP).short('f')],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    let (server, spoken) = session.block_on(async { (client.version().await, client.version_spoken()) })?;
    let (server, error) = match server {
        Ok(version) => (Some(version), None),
        Err(error) => (None, Some(error)),
    };
    let text = match parsed.get("format").filter(|f| !f.is_empty()) {
        Some(template) => {
            let value = value(session, server.as_ref(), spoken)?;
            format::object_as("version", format::BARE, template, &value)? + "\n"
        }
        None => client_text(session, spoken) + &server.map_or(String::new(), |s| server_text(&s)),
    };
    crate::print(&text);
    error.map_or(Ok(0), |error| Err(error.into()))
}

fn value(session: &Session, server: Option<&Version>, spoken: ApiVersion) -> Result<Value, Failure> {
    let json = serde_json::json!({
        "Client": {
            "Version": env!("CARGO_PKG_VERSION"), "ApiVersion": spoken.to_string(),
            "DefaultAPIVersion": ApiVersion::MAX.to_string(), "GitCommit": "", "GoVersion": "",
            "Os": "linux", "Arch": arch(), "BuildTime": "", "Context": session.context_name(),
        },
        "Server": server,
    });
    let wrong = |e: serde_json::Error| Failure::new(e.to_string());
    let value = Value::from_serialize(&json, &shape::DOCKER).map_err(wrong)?;
    let part = |name: &str| match &value {
        Value::Object(object) => object.get(name).cloned().unwrap_or_default(),
        _ => Value::Nil,
    };
    // In the order of the type, which the detour over JSON loses.
    let server = match server {
        Some(server) => Value::from_serialize(server, &shape::DOCKER).map_err(wrong)?,
        None => Value::Nil,
    };
    let whole = Value::struct_of(vec![
        ("Client".to_owned(), with_go_names(part("Client"), "system.clientVersion")),
        ("Server".to_owned(), with_go_names(server, "*types.Version")),
    ]);
    Ok(whole.named("system.versionInfo", Vec::new()))
}

/// Go's fields have other names than the JSON here and there.
fn with_go_names(value: Value, type_name: &'static str) -> Value {
    let Value::Object(object) = &value else { return value };
    let fields = [
        ("APIVersion", object.get("ApiVersion").cloned().unwrap_or_default()),
        ("Experimental", Value::Bool(false)),
        ("BuildTime", Value::text("")),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    value.named(type_name, fields)
}

fn arch() -> String {
    berth_oci::Platform::host().architecture
}

fn client_text(session: &Session, spoken: ApiVersion) -> String {
    let negotiated = match spoken == ApiVersion::MAX {
        true => String::new(),
        false => format!(" (downgraded from {})", ApiVersion::MAX),
    };
    format!(
        "Client: berth\n Version:           {}\n API version:       {spoken}{negotiated}\n OS/Arch:           linux/{}\n Context:           {}\n",
        env!("CARGO_PKG_VERSION"),
        arch(),
        session.context_name()
    )
}

fn server_text(server: &Version) -> String {
    let platform = if server.platform.name.is_empty() { String::new() } else { format!(" {}", server.platform.name) };
    let mut out = format!("\nServer:{platform}\n");
    for component in &server.components {
        _ = writeln!(out, " {}:", component.name);
        let detail = |name: &str| component.details.get(name).map_or("", String::as_str);
        if component.name != "Engine" {
            _ = writeln!(out, "  {:<17} {}", "Version:", component.version);
            for (name, value) in &component.details {
                _ = writeln!(out, "  {:<17} {value}", format!("{name}:"));
            }
            continue;
        }
        let api = format!("{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion"));
        let lines = [
            ("Version:", component.version.clone()),
            ("API version:", api),
            ("Go version:", detail("GoVersion").to_owned()),
            ("Git commit:", detail("GitCommit").to_owned()),
            ("Built:", detail("BuildTime").to_owned()),
            ("OS/Arch:", format!("{}/{}", detail("Os"), detail("Arch"))),
            ("Experimental:", detail("Experimental").to_owned()),
        ];
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            _ = writeln!(out, "  {name:<17} {value}");
        }
    }
    out
}
