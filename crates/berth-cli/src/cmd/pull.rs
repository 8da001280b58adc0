//! `pull`, and the pull that `run` does by itself.

use std::io::Write;

use berth_client::{Client, PullOptions};
use berth_oci::Reference;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::progress::Progress;
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "pull",
    usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
    about: "Fetch an image from a registry",
    aliases: &["image pull", "pull"],
    flags: &[
        Flag::switch("all-tags", "Every tag of the repository").short('a'),
        Flag::switch("disable-content-trust", "Do not verify signatures").hidden(),
        Flag::text("platform", "Platform, if not the daemon's"),
        Flag::switch("quiet", "Only the image's name at the end").short('q'),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    check_trust(parsed)?;
    let given = Reference::parse_name(&parsed.args[0]).map_err(|e| Failure::new(e.to_string()))?;
    let untagged = given.tag().is_none() && given.digest().is_none();
    let all = parsed.on("all-tags");
    if all && !untagged {
        return Err(Failure::new("tag can't be used with --all-tags/-a"));
    }
    let quiet = parsed.on("quiet");
    let reference = if untagged && !all { with_default_tag(&given, quiet) } else { given };
    let platform = parsed
        .get("platform")
        .map_or_else(|| std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default(), str::to_owned);
    let client = session.client()?;
    let options = options(session, &reference, &platform);
    session
        .block_on(pull(&client, &options, std::io::stdout(), terminal::stdout_is_terminal(), quiet))?
        .map_err(Failure::new)?;
    crate::print(&format!("{}\n", full(&reference)));
    Ok(0)
}

/// `--disable-content-trust=false` asks for signatures to be verified.
pub(crate) fn check_trust(parsed: &Parsed) -> Result<(), String> {
    match parsed.has("disable-content-trust") && !parsed.on("disable-content-trust") {
        true => Err("--disable-content-trust=false: berth does not verify signatures yet".to_owned()),
        false => Ok(()),
    }
}

fn with_default_tag(reference: &Reference, quiet: bool) -> Reference {
    if !quiet {
        crate::print(&format!("Using default tag: {}\n", berth_oci::DEFAULT_TAG));
    }
    reference.with_tag(berth_oci::DEFAULT_TAG).unwrap_or_else(|_| reference.clone())
}

/// An image's name with its tag, as messages write it.
pub(crate) fn familiar(image: &str) -> String {
    Reference::parse(image).map_or_else(|_| image.to_owned(), |r| r.familiar())
}

/// Pulls what `run` needs; everything it says goes to stderr.
pub(crate) async fn for_run(
    session: &Session,
    client: &Client,
    image: &str,
    platform: &str,
    quiet: bool,
) -> Result<(), String> {
    let reference = Reference::parse(image).map_err(|e| e.to_string())?;
    let options = options(session, &reference, platform);
    pull(client, &options, std::io::stderr(), terminal::stderr_is_terminal(), quiet).await
}

fn options(session: &Session, reference: &Reference, platform: &str) -> PullOptions {
    let tag = reference.digest().map(|d| d.as_str().to_owned()).or_else(|| reference.tag().map(str::to_owned));
    PullOptions {
        image: reference.name(),
        tag: tag.unwrap_or_default(),
        platform: platform.to_owned(),
        auth: session.config().credentials(reference),
    }
}

async fn pull(client: &Client, options: &PullOptions, out: impl Write, live: bool, quiet: bool) -> Result<(), String> {
    let mut messages = client.pull_image(options).await.map_err(|e| e.to_string())?;
    let width = terminal::size().map_or(80, |(_, columns)| columns.into());
    let mut progress = Progress::new(out, live, width);
    while let Some(message) = messages.next().await {
        let message = message.map_err(|e| e.to_string())?;
        let failure =
            |text: String| if text.starts_with("Error") { text } else { format!("Error response from daemon: {text}") };
        match quiet {
            true if message.error.is_empty() && message.error_detail.is_none() => {}
            _ => progress.show(&message).map_err(failure)?,
        }
    }
    Ok(())
}

/// A reference in full, as `pull` prints it at its end (`docker.io/library/busybox:latest`).
fn full(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("{}@{digest}", reference.name()),
        (None, Some(tag)) => format!("{}:{tag}", reference.name()),
        (None, None) => reference.name(),
    }
}
