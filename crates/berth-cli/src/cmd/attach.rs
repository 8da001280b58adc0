//! `attach`.

use berth_api::inspect::State;
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
    name: "attach",
    usage: "attach [OPTIONS] CONTAINER",
    about: "Attach the terminal to a running container",
    aliases: &["container attach", "attach"],
    flags: &[
        Flag::text("detach-keys", "Keys that detach"),
        Flag::switch("no-stdin", "Do not attach standard input"),
        Flag::switch("sig-proxy", "Pass signals on to the process").default("true"),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    session.block_on(attach(session, &client, parsed))?
}

/// A container that can't be attached to, in Docker's words.
fn check(state: &State) -> Result<(), Failure> {
    let refused = match state {
        s if !s.running => "You cannot attach to a stopped container, start it first",
        s if s.paused => "You cannot attach to a paused container, unpause it first",
        s if s.restarting => "You cannot attach to a restarting container, wait until it is running",
        _ => return Ok(()),
    };
    Err(Failure::new(refused))
}

async fn attach(session: &Session, client: &Client, parsed: &Parsed) -> Outcome {
    let container = client.inspect_container(&parsed.args[0], false).await?;
    check(&container.state)?;
    let config = container.config.unwrap_or_default();
    let stdin = !parsed.on("no-stdin") && config.open_stdin;
    if stdin && config.tty && !terminal::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    let (detach_keys, sent) = create::detach_keys(parsed.get("detach-keys"), session.config().detach_keys());
    let proxy = parsed.get("sig-proxy").is_none() || parsed.on("sig-proxy");
    let caught = (proxy && !config.tty).then(signals::catch);
    let options = AttachOptions { stdin, stdout: true, stderr: true, stream: true, logs: false, detach_keys: sent };
    let id = container.id.as_str();
    let exit = client.wait_container(id, WaitCondition::NotRunning).await?;
    let stream = client.attach_container(id, &options).await?;
    let attached =
        Attached { tty: config.tty, stdin, stdout: true, stderr: true, detach_keys, proxied: proxy && !config.tty };
    let copying = async {
        match stream::copy(stream, &attached).await? {
            Ended::Detached => Err(Failure::new("read escape sequence")),
            Ended::Output => Ok(exit_code(exit.finish().await?.status_code)),
        }
    };
    let sizes = async {
        // A size that differs for a moment makes full-screen programs draw themselves again.
        if let Some((rows, columns)) = terminal::size() {
            _ = client.resize_container(id, rows.saturating_add(1), columns.saturating_add(1)).await;
        }
        stream::follow_size(false, |rows, columns| client.resize_container(id, rows, columns)).await;
    };
    tokio::select! {
        outcome = copying => outcome,
        () = signals::pass_on(caught, client, id) => Ok(0),
        () = sizes, if config.tty => Ok(0),
    }
}
