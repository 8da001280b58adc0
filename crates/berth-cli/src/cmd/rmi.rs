//! `rmi` and `image rm`.

use berth_client::RemoveImage;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rmi",
    usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
    about: "Remove images",
    aliases: &["image rm", "image remove", "rmi"],
    flags: &[
        Flag::switch("force", "Also where something uses it").short('f'),
        Flag::switch("no-prune", "Keep untagged parents"),
        Flag::list("platform", "Only the image for this platform (os[/arch[/variant]])"),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

/// Under its name within `image`.
pub(crate) const RM: Command = Command { name: "rm", usage: "rm [OPTIONS] IMAGE [IMAGE...]", ..COMMAND };

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let platforms = parsed.all("platform").map(super::platform_json).collect::<Result<Vec<_>, _>>()?;
    let options = RemoveImage { force: parsed.on("force"), no_prune: parsed.on("no-prune"), platforms };
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = false;
        for name in &parsed.args {
            match client.remove_image(name, &options).await {
                Ok(gone) => {
                    for line in gone {
                        let deleted = line.deleted.map(|id| format!("Deleted: {id}\n"));
                        crate::print(
                            &deleted.or(line.untagged.map(|r| format!("Untagged: {r}\n"))).unwrap_or_default(),
                        );
                    }
                }
                Err(error) => {
                    failed |= !(options.force && error.is_not_found());
                    eprintln!("{error}");
                }
            }
        }
        failed
    })?;
    if failed { Err(Failure::silent(1)) } else { Ok(0) }
}
