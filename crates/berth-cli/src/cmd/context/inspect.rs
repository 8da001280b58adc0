//! `context inspect`.

use std::collections::BTreeMap;

use berth_template::{Shape, Value, to_indented, to_json};
use serde::Serialize;

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::command::{Args, Command};
use crate::context::{self, Docker, Store};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::format;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    usage: "inspect [OPTIONS] [CONTEXT] [CONTEXT...]",
    about: "Show everything about contexts",
    aliases: &[],
    flags: &[Flag::text("format", OBJECT_FORMAT_HELP).short('f')],
    args: Args::AtLeast(0),
    interspersed: true,
    wants_daemon: false,
    run,
};

/// Which of the members are maps, and which may be missing.
const SHAPE: Shape =
    Shape { maps: &["TLSMaterial", "Endpoints"], lists: &[], optional: &[("Metadata", &["Description"])], texts: &[] };

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    name: String,
    metadata: serde_json::Map<String, serde_json::Value>,
    endpoints: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "TLSMaterial")]
    tls_material: BTreeMap<String, Vec<String>>,
    storage: Storage,
}

#[derive(Serialize)]
struct Storage {
    #[serde(rename = "MetadataPath")]
    metadata: String,
    #[serde(rename = "TLSPath")]
    tls: String,
}

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let names = if parsed.args.is_empty() { vec![session.context_name()] } else { parsed.args.clone() };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in &names {
        match look(session, name) {
            Ok(shown) => {
                let value = Value::from_serialize(&shown, &SHAPE).map_err(|error| Failure::new(error.to_string()))?;
                found.push(value.named("context.contextWithTLSListing", Vec::new()));
            }
            Err(reason) => errors.push(reason),
        }
    }
    match parsed.get("format").filter(|format| !format.is_empty()) {
        None => crate::print(&format!("{}\n", to_indented(&Value::list(found), "    "))),
        Some("json") => crate::print(&format!("{}\n", to_json(&Value::list(found)))),
        Some(template) => {
            for value in &found {
                crate::print(&format!("{}\n", format::object(template, value)?));
            }
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

fn look(session: &Session, name: &str) -> Result<Shown, String> {
    if name == context::DEFAULT {
        let docker = Docker { host: session.default_host(), skip_tls_verify: false };
        let memory = "<IN MEMORY>".to_owned();
        return Ok(Shown {
            name: name.to_owned(),
            metadata: serde_json::Map::new(),
            endpoints: BTreeMap::from([("docker".to_owned(), serde_json::to_value(docker).unwrap_or_default())]),
            tls_material: BTreeMap::new(),
            storage: Storage { metadata: memory.clone(), tls: memory },
        });
    }
    let store = Store::of(session.config());
    let meta = store.read(name)?;
    let files: Vec<String> = store.tls(name).files.into_keys().collect();
    Ok(Shown {
        name: meta.name,
        metadata: meta.metadata,
        endpoints: meta.endpoints,
        tls_material: Some(files).filter(|f| !f.is_empty()).map(|f| ("docker".to_owned(), f)).into_iter().collect(),
        storage: Storage {
            metadata: store.meta_path(name).to_string_lossy().into_owned(),
            tls: store.tls_path(name).to_string_lossy().into_owned(),
        },
    })
}
