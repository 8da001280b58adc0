//! `commit`.

use berth_client::CommitOptions;
use berth_oci::Reference;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "commit",
    usage: "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    about: "Make an image of what a container changed",
    aliases: &["container commit", "commit"],
    flags: &[
        Flag::text("author", "Who made it (\"Ada <ada@example.com>\")").short('a'),
        Flag::list("change", "Dockerfile instruction for the image").short('c'),
        Flag::text("message", "Why").short('m'),
        Flag::switch("pause", "The container stands still meanwhile").short('p').default("true"),
        Flag::switch("no-pause", "The container goes on meanwhile").hidden(),
    ],
    args: Args::Between(1, 2),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let (repository, tag) = match parsed.args.get(1).map(String::as_str) {
        None | Some("") => (String::new(), String::new()),
        Some(name) => named(name)?,
    };
    let text = |name: &str| parsed.get(name).unwrap_or_default().to_owned();
    let options = CommitOptions {
        repository,
        tag,
        comment: text("message"),
        author: text("author"),
        changes: parsed.all("change").map(str::to_owned).collect(),
        pause: parsed.get("pause").is_none_or(|_| parsed.on("pause")) && !parsed.on("no-pause"),
    };
    let client = session.client()?;
    let id = session.block_on(client.commit_container(&parsed.args[0], &options))??;
    crate::print(&format!("{id}\n"));
    Ok(0)
}

fn named(name: &str) -> Result<(String, String), Failure> {
    let reference = Reference::parse_name(name).map_err(|e| Failure::new(e.to_string()))?;
    if reference.digest().is_some() {
        return Err(Failure::new("refusing to create a tag with a digest reference"));
    }
    Ok((reference.familiar_name(), reference.tag().unwrap_or(berth_oci::DEFAULT_TAG).to_owned()))
}
