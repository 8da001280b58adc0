//! What `run` and `create` share: the flags, and from what was typed to the create request.
//!
//! `flags` is the table; `config` and `host` make the two halves of the wire's request, `health` and `networks`
//! the two parts that have rules of their own; `making` makes it, `dry_run` only tells. [`Plan`] is the result: nothing downstream checks again.

pub(crate) mod flags;

mod config;
mod dry_run;
mod health;
mod host;
mod making;
mod networks;

pub(crate) use dry_run::{check_format, show};
pub(crate) use host::restart_policy;
pub(crate) use making::make;

use berth_api::CreateRequest;

use crate::flag::Parsed;
use crate::grammar::keys;
use crate::session::Session;

/// When the image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    Always,
    Missing,
    Never,
}

/// A container to be made.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) request: CreateRequest,
    pub(crate) name: String,
    pub(crate) platform: String,
    pub(crate) pull: Pull,
    pub(crate) quiet: bool,
    pub(crate) cidfile: Option<String>,
}

impl Plan {
    /// Tells the container of the proxies that `config.json` names for this daemon.
    pub(crate) fn add_proxies(&mut self, session: &Session, client: &berth_client::Client) {
        let given = self.request.config.env.get_or_insert_default();
        let proxies = session.proxy_environment(client, given);
        given.extend(proxies);
    }
}

/// What is meant by a command line of `run` or `create`.
pub(crate) fn plan(parsed: &Parsed) -> Result<Plan, String> {
    crate::cmd::pull::check_trust(parsed, "verify what it runs")?;
    check_image(parsed.args.first().map_or("", String::as_str))?;
    let mut request = CreateRequest { config: config::read(parsed)?, ..CreateRequest::default() };
    let host = host::read(parsed, &mut request.config)?;
    request.networking_config = networks::read(parsed, &request.config)?;
    request.host_config = Some(Box::new(host));
    Ok(Plan {
        request,
        name: parsed.text("name"),
        platform: platform(parsed)?,
        pull: pull(parsed.get("pull").unwrap_or("missing"))?,
        quiet: parsed.on("quiet"),
        cidfile: parsed.get("cidfile").filter(|path| !path.is_empty()).map(str::to_owned),
    })
}

/// The keys that detach, and what to send of them: ours where given, then the configuration's, then Docker's.
pub(crate) fn detach_keys(given: Option<&str>, configured: &str) -> (Vec<u8>, String) {
    let text = given.filter(|keys| !keys.is_empty()).unwrap_or(configured);
    if text.is_empty() {
        return (keys::DEFAULT.to_vec(), String::new());
    }
    match keys::parse(text) {
        Ok(keys) => (keys, text.to_owned()),
        Err(reason) => {
            eprintln!("WARNING: invalid detach escape keys, using default: {reason}");
            (keys::DEFAULT.to_vec(), String::new())
        }
    }
}

fn check_image(image: &str) -> Result<(), String> {
    match berth_oci::Reference::parse_name(image) {
        Ok(_) | Err(berth_oci::ReferenceError::LooksLikeId(_)) => Ok(()),
        Err(_) if image.starts_with("sha256:") => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn platform(parsed: &Parsed) -> Result<String, String> {
    let text = parsed
        .get("platform")
        .map_or_else(|| std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default(), str::to_owned);
    if text.is_empty() {
        return Ok(text);
    }
    match berth_oci::Platform::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("error parsing specified platform: {error}")),
    }
}

fn pull(text: &str) -> Result<Pull, String> {
    match text {
        "always" => Ok(Pull::Always),
        "missing" | "" => Ok(Pull::Missing),
        "never" => Ok(Pull::Never),
        other => Err(format!("invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\"")),
    }
}

#[cfg(test)]
mod tests;
