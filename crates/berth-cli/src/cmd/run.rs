//! `run`: make, attach, wait, start, copy, and end as the container ended.

use berth_client::{AttachOptions, Client, Error, WaitCondition};

use crate::command::{Args, Command};
use crate::create::{self, Plan};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;
use crate::stream::{self, Attached, Ended, signals};
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "run",
    usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Make a container from an image and run it",
    aliases: &["container run", "run"],
    flags: create::flags::RUN,
    args: Args::AtLeast(1),
    interspersed: false,
    wants_daemon: true,
    run,
};

/// Nothing of the container ran.
const NOT_RUN: u8 = 125;

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let not_run = |reason: &str, code: u8| session.program.not_run(reason, &session.path, code);
    if parsed.on("detach") && parsed.has("attach") {
        return Err(Failure::new("conflicting options: cannot specify both --attach and --detach"));
    }
    let mut plan = create::plan(parsed).map_err(|reason| not_run(&reason, NOT_RUN))?;
    create::check_format(parsed)?;
    let config = plan.request.config.clone();
    let dry = parsed.on("dry-run");
    if !dry && config.attach_stdin && config.tty && !terminal::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    let client = session.client().map_err(|f| not_run(&f.message, NOT_RUN))?;
    plan.add_proxies(session, &client);
    if dry {
        return create::show(session, &client, &plan, parsed);
    }
    if parsed.on("detach") {
        return session.block_on(in_background(session, &client, &plan))?;
    }
    let (detach_keys, sent) = create::detach_keys(parsed.get("detach-keys"), session.config().detach_keys());
    let proxy = parsed.get("sig-proxy").is_none() || parsed.on("sig-proxy");
    let attached = Attached {
        tty: config.tty,
        stdin: config.attach_stdin && config.open_stdin,
        stdout: config.attach_stdout,
        stderr: config.attach_stderr,
        detach_keys,
        proxied: proxy,
    };
    session.block_on(in_foreground(session, &client, &plan, attached, sent))?
}

async fn in_background(session: &Session, client: &Client, plan: &Plan) -> Outcome {
    let not_run = |reason: &str, code: u8| session.program.not_run(reason, &session.path, code);
    let id = create::make(session, client, plan).await.map_err(|reason| not_run(&reason, NOT_RUN))?;
    client.start_container(&id).await.map_err(|error| not_run(&error.to_string(), start_code(&error)))?;
    crate::print(&format!("{id}\n"));
    Ok(0)
}

async fn in_foreground(
    session: &Session,
    client: &Client,
    plan: &Plan,
    attached: Attached,
    detach_keys: String,
) -> Outcome {
    let not_run = |reason: &str, code: u8| session.program.not_run(reason, &session.path, code);
    let id = create::make(session, client, plan).await.map_err(|reason| not_run(&reason, NOT_RUN))?;
    let id = id.as_str();
    let caught = attached.proxied.then(signals::catch);
    let auto_remove = plan.request.host_config.as_ref().is_some_and(|host| host.auto_remove);
    let condition = if auto_remove { WaitCondition::Removed } else { WaitCondition::NextExit };
    let options = AttachOptions {
        stdin: attached.stdin,
        stdout: attached.stdout,
        stderr: attached.stderr,
        stream: true,
        logs: false,
        detach_keys,
    };
    // Both must stand before the start, or the first words or the exit could be missed.
    let (stream, exit) = tokio::try_join!(client.attach_container(id, &options), client.wait_container(id, condition))
        .map_err(|error| not_run(&error.to_string(), NOT_RUN))?;
    if let Err(error) = client.start_container(id).await {
        drop(stream);
        if auto_remove {
            _ = exit.finish().await;
        }
        return Err(not_run(&error.to_string(), start_code(&error)));
    }
    let session_of_streams = async {
        if stream::copy(stream, &attached).await? == Ended::Detached {
            return Ok(0);
        }
        let lost = |error: Error| Failure::new(format!("error waiting for container: {error}")).code(NOT_RUN);
        let exit = exit.finish().await.map_err(lost)?;
        match exit.error {
            Some(error) if !error.message.is_empty() => Err(Failure::new(error.message).code(NOT_RUN)),
            _ => Ok(exit_code(exit.status_code)),
        }
    };
    // Since API 1.42 the size went with create.
    let known = client.version_spoken() >= berth_api::ApiVersion::new(1, 42);
    let resize = |rows, columns| client.resize_container(id, rows, columns);
    tokio::select! {
        outcome = session_of_streams => outcome,
        () = signals::pass_on(caught, client, id) => Ok(0),
        () = stream::follow_size(known, resize), if attached.tty => Ok(0),
    }
}

/// An exit code as a process can have it.
pub(crate) fn exit_code(code: i64) -> u8 {
    (code & 0xff) as u8
}

/// What a failed start means for a shell: 127 not found, 126 not executable, 125 everything else.
fn start_code(error: &Error) -> u8 {
    let text = error.to_string();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(&["executable file not found", "no such file or directory", "system cannot find the file specified"]) {
        127
    } else if says(&["permission denied", "is a directory"]) {
        126
    } else {
        NOT_RUN
    }
}
