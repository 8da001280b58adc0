//! `import`.

use berth_client::ImportOptions;
use berth_oci::Reference;

use super::load::{Input, ended, show};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "import",
    usage: "import [OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]",
    about: "Make an image of a root file system's archive",
    aliases: &["image import", "import"],
    flags: &[
        Flag::list("change", "Dockerfile instruction for the image").short('c'),
        Flag::text("message", "Where it comes from, or why").short('m'),
        Flag::text("platform", "What it runs on, if not on the daemon's platform"),
    ],
    args: Args::Between(1, 2),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = parsed.args.get(1).map_or("", String::as_str);
    if !name.is_empty() {
        Reference::parse_name(name).map_err(|error| Failure::new(error.to_string()))?;
    }
    let source = parsed.args[0].as_str();
    let input = match source {
        "-" => Some(Input::Stdin),
        url if url.starts_with("http://") || url.starts_with("https://") => None,
        path => Some(Input::open(path)?),
    };
    let options = ImportOptions {
        source: if input.is_some() { "-".to_owned() } else { source.to_owned() },
        name: name.to_owned(),
        message: parsed.get("message").unwrap_or_default().to_owned(),
        changes: parsed.all("change").map(str::to_owned).collect(),
        platform: parsed.get("platform").unwrap_or_default().to_owned(),
    };
    let client = session.client()?;
    session.block_on(async {
        let live = terminal::stdout_is_terminal();
        let Some(input) = input else {
            show(client.import_image(&options, None).await?, live).await?;
            return Ok(0);
        };
        let (archive, reading) = input.pieces();
        show(client.import_image(&options, Some(archive)).await?, live).await?;
        ended(reading).await
    })?
}
