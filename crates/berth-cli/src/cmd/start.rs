//! `start`.

use berth_client::{AttachOptions, Client, WaitCondition};

use crate::cmd::run::exit_code;
use crate::command::{Args, Command};
use crate::create;
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::stream::{self, Attached, Ended, signals};
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "start",
    usage: "start [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Start stopped containers",
    aliases: &["container start", "start"],
    flags: &[
        Flag::switch("attach", "Attach output and pass signals on").short('a'),
        Flag::text("checkpoint", "Checkpoint to restore").hidden(),
        Flag::text("checkpoint-dir", "Where checkpoints lie").hidden(),
        Flag::text("detach-keys", "Keys that detach"),
        Flag::switch("interactive", "Attach standard input").short('i'),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if parsed.has("checkpoint") || parsed.has("checkpoint-dir") {
        return Err(Failure::new("starting from a checkpoint is not built yet (docs/not-yet.md)"));
    }
    if !parsed.on("attach") && !parsed.on("interactive") {
        return start_each(session, &parsed.args);
    }
    let [name] = parsed.args.as_slice() else {
        return Err(Failure::new("you cannot start and attach multiple containers at once"));
    };
    let client = session.client()?;
    session.block_on(attached(session, &client, name, parsed))?
}

fn start_each(session: &Session, names: &[String]) -> Outcome {
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = Vec::new();
        for name in names {
            match client.start_container(name).await {
                Ok(()) => crate::print(&format!("{name}\n")),
                Err(error) => {
                    eprintln!("{error}");
                    failed.push(name.as_str());
                }
            }
        }
        failed
    })?;
    match failed.is_empty() {
        true => Ok(0),
        false => Err(Failure::new(format!("Error: failed to start containers: {}", failed.join(", ")))),
    }
}

async fn attached(session: &Session, client: &Client, name: &str, parsed: &Parsed) -> Outcome {
    let container = client.inspect_container(name, false).await?;
    let (config, host) = (container.config.unwrap_or_default(), container.host_config.unwrap_or_default());
    let stdin = parsed.on("interactive") && config.open_stdin;
    if stdin && config.tty && !terminal::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    let (detach_keys, sent) = create::detach_keys(parsed.get("detach-keys"), session.config().detach_keys());
    let options = AttachOptions { stdin, stdout: true, stderr: true, stream: true, logs: false, detach_keys: sent };
    let condition = if host.auto_remove { WaitCondition::Removed } else { WaitCondition::NextExit };
    let id = container.id.as_str();
    let caught = (!config.tty).then(signals::catch);
    let (stream, exit) = tokio::try_join!(client.attach_container(id, &options), client.wait_container(id, condition))?;
    client.start_container(id).await?;
    let attached = Attached { tty: config.tty, stdin, stdout: true, stderr: true, detach_keys, proxied: !config.tty };
    let copying = async {
        match stream::copy(stream, &attached).await? {
            Ended::Detached => Ok(0),
            Ended::Output => Ok(exit_code(exit.finish().await?.status_code)),
        }
    };
    tokio::select! {
        outcome = copying => outcome,
        () = signals::pass_on(caught, client, id) => Ok(0),
        () = stream::follow_size(false, |rows, columns| client.resize_container(id, rows, columns)), if config.tty => Ok(0),
    }
}
