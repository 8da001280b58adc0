//! `push`.

use berth_client::PushOptions;
use berth_oci::Reference;

use crate::cmd::pull::{check_trust, with_default_tag};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::progress::{View, follow};
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "push",
    usage: "push [OPTIONS] NAME[:TAG]",
    about: "Send an image to a registry",
    aliases: &["image push", "push"],
    flags: &[
        Flag::switch("all-tags", "Every tag of the repository").short('a'),
        Flag::switch("disable-content-trust", "Do not sign").hidden(),
        Flag::text("platform", "Only the image for this platform (os[/arch[/variant]]) of several"),
        Flag::switch("quiet", "Only the image's name at the end").short('q'),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    check_trust(parsed, "sign what is pushed")?;
    let given = Reference::parse_name(&parsed.args[0]).map_err(|e| Failure::new(e.to_string()))?;
    let (all, quiet) = (parsed.on("all-tags"), parsed.on("quiet"));
    let reference = match given.tag().is_none() && given.digest().is_none() {
        false if all => return Err(Failure::new("tag can't be used with --all-tags/-a")),
        true if !all => with_default_tag(&given, quiet),
        _ => given,
    };
    let platform = match parsed.get("platform").unwrap_or_default() {
        "" => String::new(),
        text => crate::cmd::platform_json(text)?,
    };
    let options = PushOptions {
        image: reference.digest().map_or_else(|| reference.name(), |digest| format!("{}@{digest}", reference.name())),
        tag: reference.tag().unwrap_or_default().to_owned(),
        platform,
        auth: session.config().credentials(&reference),
    };
    let client = session.client()?;
    let view = View { out: std::io::stdout(), live: terminal::stdout_is_terminal(), quiet };
    let mut notes = Vec::new();
    session.block_on(async {
        let messages = client.push_image(&options).await?;
        Ok::<_, Failure>(follow(messages, view, |message| notes.extend(message.aux.as_ref().and_then(note))).await?)
    })??;
    for note in notes {
        eprintln!("{note}");
    }
    if quiet {
        crate::print(&format!("{reference}\n"));
    }
    Ok(0)
}

/// What the daemon says for machines and people want to know too.
fn note(aux: &serde_json::Value) -> Option<String> {
    aux.get("manifestPushedInsteadOfIndex")?.as_bool().filter(|instead| *instead)?;
    let digest = |name: &str| Some(aux.get(name)?.get("digest")?.as_str()?.to_owned());
    let (index, manifest) = (digest("originalIndex")?, digest("selectedManifest")?);
    Some(format!("Note: of the list {index} only one platform's image is here; that alone was pushed: {manifest}"))
}
