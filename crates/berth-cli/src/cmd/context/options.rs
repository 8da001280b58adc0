//! `--docker key=value,…`: how a context reaches its daemon.

use std::collections::BTreeMap;

use crate::context::{self, Docker, Meta, Store};
use crate::flag::{Flag, Parsed, parse_bool};
use crate::grammar::{csv, os_error, pair};
use crate::session::Session;

pub(super) const DESCRIPTION: Flag = Flag::text("description", "What the context is for");
pub(super) const DOCKER: Flag = Flag::typed(
    "docker",
    "stringToString",
    |text| fields(text).map(drop),
    "How the daemon is reached: host=ADDRESS, ca=FILE, cert=FILE, key=FILE, skip-tls-verify=BOOL, or from=CONTEXT",
)
.default("[]");

/// What `--description` says, where it is given.
pub(super) fn describe(meta: &mut Meta, parsed: &Parsed) {
    if let Some(text) = parsed.get("description") {
        meta.set_description(text);
    }
}

fn fields(text: &str) -> Result<BTreeMap<String, String>, String> {
    let fields = csv(text)?;
    if let [one] = fields.as_slice()
        && !one.contains('=')
    {
        return Err(format!("{one} must be formatted as key=value"));
    }
    if let Some(bare) = fields.iter().find(|field| !field.contains('=')) {
        return Err(format!("{bare} must be formatted as key=value"));
    }
    Ok(fields.iter().map(|field| pair(field)).collect())
}

/// An endpoint and its keys, as `--docker` describes them.
pub(super) fn endpoint(session: &Session, parsed: &Parsed) -> Result<(Docker, BTreeMap<String, Vec<u8>>), String> {
    let mut given = BTreeMap::new();
    for text in parsed.all("docker") {
        given.extend(fields(text)?);
    }
    let wrong = |reason: String| format!("unable to create docker endpoint config: {reason}");
    let known = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];
    if let Some(key) = given.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(wrong(format!("unrecognized config key: {key}")));
    }
    if let Some(from) = given.get("from") {
        return copied(session, from).map_err(wrong);
    }
    let host = given.get("host").cloned().unwrap_or_default();
    let skip = match given.get("skip-tls-verify") {
        None => false,
        Some(text) => parse_bool(text).ok_or_else(|| wrong(format!("skip-tls-verify: {text:?} is no truth value")))?,
    };
    let mut tls = BTreeMap::new();
    for (key, file) in [("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")] {
        let Some(path) = given.get(key).filter(|path| !path.is_empty()) else { continue };
        let bytes = std::fs::read(path).map_err(|e| wrong(os_error("open", path, &e)))?;
        if !bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            return Err(wrong(format!("invalid docker endpoint options: {path} is no PEM file")));
        }
        tls.insert(file.to_owned(), bytes);
    }
    if tls.contains_key("cert.pem") != tls.contains_key("key.pem") {
        return Err(wrong("invalid docker endpoint options: cert and key belong together".to_owned()));
    }
    Ok((Docker { host, skip_tls_verify: skip }, tls))
}

/// The endpoint of another context; of the default one, what applies now.
pub(super) fn copied(session: &Session, from: &str) -> Result<(Docker, BTreeMap<String, Vec<u8>>), String> {
    if from == context::DEFAULT {
        return Ok((Docker { host: session.default_host(), skip_tls_verify: false }, BTreeMap::new()));
    }
    let store = Store::of(session.config());
    let docker = store.read(from)?.docker().unwrap_or_default();
    let mut tls = BTreeMap::new();
    for (name, path) in store.tls(from).files {
        let bytes = std::fs::read(&path).map_err(|e| os_error("open", &path.to_string_lossy(), &e))?;
        tls.insert(name, bytes);
    }
    Ok((docker, tls))
}
