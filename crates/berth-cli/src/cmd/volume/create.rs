//! `volume create`.

use std::collections::BTreeMap;

use berth_api::volume::CreateVolume;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::grammar::{env, pair};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "create",
    usage: "create [OPTIONS] [VOLUME]",
    about: "Create a volume",
    aliases: &[],
    flags: &[
        Flag::text("driver", "Driver of the volume").short('d').default("\"local\""),
        Flag::list("label", "Label").checked(env::check_label),
        Flag::typed("opt", "map", |_| Ok(()), "Option of the driver (type, device, o)").short('o'),
        Flag::text("availability", SWARM).hidden(),
        Flag::text("group", SWARM).hidden(),
        Flag::text("limit-bytes", SWARM).hidden(),
        Flag::text("required-bytes", SWARM).hidden(),
        Flag::text("scope", SWARM).hidden(),
        Flag::text("secret", SWARM).hidden(),
        Flag::text("sharing", SWARM).hidden(),
        Flag::text("topology-preferred", SWARM).hidden(),
        Flag::text("topology-required", SWARM).hidden(),
        Flag::text("type", SWARM).hidden(),
    ],
    args: Args::AtMost(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

/// What these flags are for.
const SWARM: &str = "Cluster volumes only";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if let Some(flag) = COMMAND.flags.iter().find(|flag| flag.help == SWARM && parsed.has(flag.long)) {
        return Err(Failure::new(format!(
            "--{} is for cluster volumes, and there is no swarm here: leave it out for a volume of this host",
            flag.long
        )));
    }
    let pairs = |name: &str| parsed.all(name).map(pair).collect::<BTreeMap<_, _>>();
    let some = |map: BTreeMap<String, String>| Some(map).filter(|map| !map.is_empty());
    let asked = CreateVolume {
        name: parsed.args.first().cloned().unwrap_or_default(),
        driver: parsed.get("driver").unwrap_or("local").to_owned(),
        driver_opts: some(pairs("opt")),
        labels: some(pairs("label")),
        ..CreateVolume::default()
    };
    let client = session.client()?;
    let made = session.block_on(client.create_volume(&asked))??;
    crate::print(&format!("{}\n", made.name));
    Ok(0)
}
