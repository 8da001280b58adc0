//! `pull`, and the pull that `run` does by itself.

use std::io::Write;

use berth_api::registry::PullPlan;
use berth_client::{Client, PullOptions};
use berth_oci::Reference;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::progress::{Broken, View, follow};
use crate::session::Session;
use crate::terminal;
use crate::unit::size::human4;

pub(crate) const COMMAND: Command = Command {
    name: "pull",
    usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
    about: "Fetch an image from a registry",
    aliases: &["image pull", "pull"],
    flags: &[
        Flag::switch("all-tags", "Every tag of the repository").short('a'),
        Flag::switch("disable-content-trust", "Do not verify signatures").hidden(),
        Flag::switch("dry-run", "Say what would be fetched and what is here, and fetch nothing (berth)"),
        Flag::text("platform", "Platform, if not the daemon's"),
        Flag::switch("quiet", "Only the image's name at the end").short('q'),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    check_trust(parsed, "verify what is pulled")?;
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
    let live = terminal::stdout_is_terminal();
    let options = PullOptions { sizes: live && !quiet, ..options(session, &reference, &platform) };
    if parsed.on("dry-run") {
        if all {
            return Err(Failure::new("--dry-run looks at one tag: leave --all-tags out"));
        }
        let plan = session.block_on(client.plan_pull(&options))??;
        crate::print(&planned(&plan));
        return Ok(0);
    }
    let view = View { out: std::io::stdout(), live, quiet };
    session.block_on(pull(&client, &options, view))?.map_err(Failure::new)?;
    crate::print(&format!("{}\n", full(&reference)));
    Ok(0)
}

/// `DOCKER_CONTENT_TRUST=1` or `--disable-content-trust=false` ask for signatures, of which we know nothing.
pub(crate) fn check_trust(parsed: &Parsed, what: &str) -> Result<(), String> {
    let environment = std::env::var("DOCKER_CONTENT_TRUST").unwrap_or_default();
    let asked = match parsed.has("disable-content-trust") {
        true if parsed.on("disable-content-trust") => return Ok(()),
        true => "--disable-content-trust=false",
        // Go's words for true.
        false if matches!(environment.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True") => "DOCKER_CONTENT_TRUST",
        false => return Ok(()),
    };
    Err(format!(
        "{asked} asks berth to {what}: that needs a Notary server and its signing keys, which berth does not speak to; \
         leave it out, or name the image by its digest, which is always verified"
    ))
}

/// Says so, unless nothing is to be said.
pub(crate) fn with_default_tag(reference: &Reference, quiet: bool) -> Reference {
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
    pull(client, &options, View { out: std::io::stderr(), live: terminal::stderr_is_terminal(), quiet }).await
}

fn options(session: &Session, reference: &Reference, platform: &str) -> PullOptions {
    let tag = reference.digest().map(|d| d.as_str().to_owned()).or_else(|| reference.tag().map(str::to_owned));
    PullOptions {
        image: reference.name(),
        tag: tag.unwrap_or_default(),
        platform: platform.to_owned(),
        auth: session.config().credentials(reference),
        sizes: false,
    }
}

/// What a pull would do, for people.
fn planned(plan: &PullPlan) -> String {
    let size = |bytes: u64| human4(i64::try_from(bytes).unwrap_or(i64::MAX));
    let short = |digest: &str| digest.rsplit(':').next().unwrap_or_default().chars().take(12).collect::<String>();
    let mut text = format!("{}: {}\nDigest: {}\n", plan.reference, plan.platform, plan.digest);
    for layer in &plan.layers {
        let what = match layer {
            layer if layer.here => "here already".to_owned(),
            layer if layer.missing == 0 => "here, to be unpacked".to_owned(),
            layer if layer.missing < layer.size => format!("{} of {} to fetch", size(layer.missing), size(layer.size)),
            layer => format!("{} to fetch", size(layer.size)),
        };
        text.push_str(&format!("{}: {what}\n", short(&layer.digest)));
    }
    let missing: u64 = plan.layers.iter().map(|layer| layer.missing).sum();
    let all: u64 = plan.layers.iter().map(|layer| layer.size).sum();
    text.push_str(&match plan.up_to_date {
        true => format!("Image is up to date for {}; nothing was fetched\n", plan.reference),
        false => format!("A pull would fetch {} of {}; nothing was fetched\n", size(missing), size(all)),
    });
    text
}

async fn pull<W: Write>(client: &Client, options: &PullOptions, view: View<W>) -> Result<(), String> {
    let messages = client.pull_image(options).await.map_err(|e| e.to_string())?;
    follow(messages, view, |_| ()).await.map_err(|broken| match broken {
        Broken::Said(text) => text,
        Broken::Stream(error) => error.to_string(),
    })
}

/// A reference in full, as `pull` prints it at its end (`docker.io/library/busybox:latest`).
fn full(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("{}@{digest}", reference.name()),
        (None, Some(tag)) => format!("{}:{tag}", reference.name()),
        (None, None) => reference.name(),
    }
}
