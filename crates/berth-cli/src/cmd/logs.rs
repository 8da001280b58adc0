//! `logs`.

use berth_api::ApiVersion;
use berth_client::{Client, LogsOptions};
use jiff::Timestamp;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::stream::Sink;
use crate::unit::time;

pub(crate) const COMMAND: Command = Command {
    name: "logs",
    usage: "logs [OPTIONS] CONTAINER",
    about: "Print what a container wrote",
    aliases: &["container logs", "logs"],
    flags: &[
        Flag::switch("details", "With attributes given to the log"),
        Flag::switch("follow", "Go on as it writes").short('f'),
        Flag::text("grep", "Only lines in which this pattern (a regular expression) is found"),
        Flag::text("since", "Not before this time (2026-01-02T13:23:37Z) or so long ago (42m)"),
        Flag::text("tail", "Only so many lines from the end").short('n').default("\"all\""),
        Flag::switch("timestamps", "With the time of each line").short('t'),
        Flag::text("until", "Not after this time (2026-01-02T13:23:37Z) or so long ago (42m)"),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let now = Timestamp::now();
    let at = |name: &str| match parsed.get(name) {
        None | Some("") => Ok(String::new()),
        Some(text) => time::parse(text, now).map_err(|e| Failure::new(format!("invalid value for \"{name}\": {e}"))),
    };
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        follow: parsed.on("follow"),
        timestamps: parsed.on("timestamps"),
        details: parsed.on("details"),
        since: at("since")?,
        until: at("until")?,
        grep: parsed.get("grep").unwrap_or_default().to_owned(),
        tail: parsed.get("tail").unwrap_or("all").to_owned(),
    };
    let client = session.client()?;
    session.block_on(logs(&client, &parsed.args[0], &options))?
}

async fn logs(client: &Client, name: &str, options: &LogsOptions) -> Outcome {
    let mut bytes = client.container_logs(name, options).await?;
    // Before 1.42 the answer does not say whether it is framed; the container's terminal does.
    let raw = match client.version_spoken() >= ApiVersion::new(1, 42) {
        true => !bytes.multiplexed(),
        false => client.inspect_container(name, false).await?.config.unwrap_or_default().tty,
    };
    let mut sink = Sink::new(raw, true, true);
    while let Some(chunk) = bytes.next().await {
        sink.write(&chunk?)?;
    }
    Ok(0)
}
