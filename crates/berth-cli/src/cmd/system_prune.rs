//! `system prune`: containers, networks, volumes, images, build cache, in this order, so that what only a removed
//! container needed goes too.

use berth_client::Prunable;

use crate::cmd::{filters, pruning};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove whatever nothing needs",
    aliases: &[],
    flags: &[
        Flag::switch("all", "Every image without a container, not only those without a name").short('a'),
        pruning::DRY_RUN,
        pruning::FILTER,
        pruning::FORCE,
        Flag::switch("volumes", "Anonymous volumes too"),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let (all, volumes) = (parsed.on("all"), parsed.on("volumes"));
    let wanted = filters(parsed);
    if volumes && wanted.contains("until") {
        return Err(Failure::new("ERROR: The \"until\" filter is not supported with \"--volumes\""));
    }
    let mut images = wanted.clone();
    images.add("dangling", if all { "false" } else { "true" });
    let mut steps = vec![(Prunable::Containers, wanted.clone()), (Prunable::Networks, wanted.clone())];
    if volumes {
        steps.push((Prunable::Volumes, wanted.clone()));
    }
    steps.extend([(Prunable::Images, images), (Prunable::BuildCache, wanted)]);
    pruning::run(session, parsed, &warning(parsed), steps, true)
}

fn warning(parsed: &Parsed) -> String {
    let mut lines = vec!["all stopped containers", "all networks not used by at least one container"];
    if parsed.on("volumes") {
        lines.push("all anonymous volumes not used by at least one container");
    }
    match parsed.on("all") {
        true => lines.extend(["all images without at least one container associated to them", "all build cache"]),
        false => lines.extend(["all dangling images", "unused build cache"]),
    }
    let mut text = String::from("WARNING! This will remove:\n");
    lines.iter().for_each(|line| text.push_str(&format!("  - {line}\n")));
    let given: Vec<String> = parsed.all("filter").filter(|f| !f.is_empty()).map(|f| format!("  - {f}\n")).collect();
    if !given.is_empty() {
        text.push_str("\n  Items to be pruned will be filtered with:\n");
        text.push_str(&given.concat());
    }
    text + "\nAre you sure you want to continue?"
}
