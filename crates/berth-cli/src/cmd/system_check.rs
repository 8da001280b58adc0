//! `system check`, which is ours: is everything here that images and containers need, and is it what it was?

use std::fmt::Write;

use berth_api::check::{CheckProblem, CheckResponse};
use berth_template::Value;

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::unit::size;
use crate::{format, shape};

pub(crate) const COMMAND: Command = Command {
    name: "check",
    usage: "check [OPTIONS]",
    about: "Check that everything images and containers need is here and undamaged (exit code 1 if not)",
    aliases: &[],
    flags: &[
        Flag::text("format", OBJECT_FORMAT_HELP).short('f'),
        Flag::switch("quick", "Look at names and lengths only: read no layer and no blob").short('q'),
        Flag::switch("repair", "Remove what nothing needs, and damaged blobs that a pull brings again"),
    ],
    args: Args::None,
    interspersed: true,
    // What a daemon that is not there has left is looked at too.
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    let checked = session.block_on(client.check(parsed.on("quick"), parsed.on("repair")))??;
    let text = match parsed.get("format").filter(|format| !format.is_empty()) {
        Some(template) => {
            let value = Value::from_serialize(&checked, &shape::DOCKER);
            let value = value.map_err(|error| Failure::new(error.to_string()))?;
            format::object(template, &value)? + "\n"
        }
        None => told(&checked, parsed.on("quick")),
    };
    crate::print(&text);
    if checked.problems.iter().all(|problem| problem.repaired) { Ok(0) } else { Err(Failure::silent(1)) }
}

fn told(checked: &CheckResponse, quick: bool) -> String {
    let mut out = String::new();
    let size = |bytes: u64| size::human3(i64::try_from(bytes).unwrap_or(i64::MAX));
    for problem in &checked.problems {
        out += &line(problem);
    }
    let parts = [(checked.images, "image"), (checked.layers, "layer"), (checked.blobs, "blob")];
    let [images, layers, blobs] = parts.map(|(count, what)| counted(count, what));
    let read =
        if quick { "looked at by name and length".into() } else { format!("{} verified", size(checked.verified)) };
    _ = writeln!(out, "{images}, {layers}, {blobs}: {read}");
    if checked.unverified > 0 {
        let layers = counted(checked.unverified, "layer");
        _ = writeln!(out, "{layers} not read: nothing is kept here to compare with, or no room to unpack that");
    }
    let waiting = &checked.waiting;
    if waiting.layers + waiting.blobs > 0 {
        let (layers, blobs) = (counted(waiting.layers, "layer"), counted(waiting.blobs, "unfinished blob"));
        let bytes = size(waiting.bytes);
        _ = writeln!(
            out,
            "Waiting for a pull to go on: {layers} and {blobs}, {bytes}; they go by themselves after some days"
        );
    }
    let left = checked.problems.iter().filter(|problem| !problem.repaired).count();
    match (checked.problems.len(), left) {
        (0, _) => out += "Nothing is missing, damaged or left over.\n",
        (all, 0) => _ = writeln!(out, "{} repaired.", counted(all, "problem")),
        (_, left) => _ = writeln!(out, "{}.", counted(left, "problem")),
    }
    out
}

fn line(problem: &CheckProblem) -> String {
    let CheckProblem { kind, object, why, hint, repaired } = problem;
    match repaired {
        true => format!("{kind}, repaired: {object}: {why}\n"),
        false => format!("{kind}: {object}: {why}\n  hint: {hint}\n"),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        let mut checked =
            CheckResponse { images: 1, layers: 2, blobs: 4, verified: 2_500_000, ..CheckResponse::default() };
        assert_eq!(
            told(&checked, false),
            "1 image, 2 layers, 4 blobs: 2.5MB verified\nNothing is missing, damaged or left over.\n"
        );
        let (kind, object) = ("left over".to_owned(), "blob sha256:1".to_owned());
        let (why, hint) = ("nobody needs it".to_owned(), "remove it".to_owned());
        checked.problems = vec![CheckProblem { kind, object, why, hint, repaired: false }];
        checked.unverified = 1;
        let text = told(&checked, true);
        assert!(text.starts_with("left over: blob sha256:1: nobody needs it\n  hint: remove it\n1 image"), "{text}");
        assert!(
            text.ends_with(
                "1 layer not read: nothing is kept here to compare with, or no room to unpack that\n1 problem.\n"
            ),
            "{text}"
        );
        checked.problems[0].repaired = true;
        assert!(told(&checked, true).ends_with("1 problem repaired.\n"));
    }
}
