//! `exec`.

use std::time::Duration;

use berth_api::exec::{ExecConfig, ExecStart};
use berth_client::Client;

use crate::cmd::run::exit_code;
use crate::command::{Args, Command};
use crate::create;
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::grammar::env;
use crate::session::Session;
use crate::stream::{self, Attached, Ended};
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "exec",
    usage: "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
    about: "Run a command in a running container",
    aliases: &["container exec", "exec"],
    flags: &[
        Flag::switch("detach", "In the background").short('d'),
        Flag::text("detach-keys", "Keys that detach"),
        Flag::list("env", "Environment variable").short('e').checked(env::check),
        Flag::list("env-file", "File of environment variables"),
        Flag::switch("interactive", "Keep standard input open").short('i'),
        Flag::switch("privileged", "Every privilege there is"),
        Flag::switch("tty", "A pseudo-terminal").short('t'),
        Flag::text("user", "User and group (<name|uid>[:<group|gid>])").short('u'),
        Flag::text("workdir", "Working directory").short('w'),
    ],
    args: Args::AtLeast(2),
    interspersed: false,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let (detach_keys, sent) = create::detach_keys(parsed.get("detach-keys"), session.config().detach_keys());
    let detached = parsed.on("detach");
    let config = ExecConfig {
        user: parsed.text("user"),
        privileged: parsed.on("privileged"),
        tty: parsed.on("tty"),
        attach_stdin: parsed.on("interactive") && !detached,
        attach_stdout: !detached,
        attach_stderr: !detached,
        detach_keys: sent,
        env: Some(env::collect(parsed.all("env-file"), parsed.all("env"), &env::own)?).filter(|e| !e.is_empty()),
        working_dir: parsed.text("workdir"),
        cmd: Some(parsed.args[1..].to_vec()),
        ..ExecConfig::default()
    };
    if config.attach_stdin && config.tty && !terminal::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    let client = session.client()?;
    session.block_on(exec(&client, &parsed.args[0], &config, detach_keys, detached))?
}

async fn exec(client: &Client, container: &str, config: &ExecConfig, detach_keys: Vec<u8>, detached: bool) -> Outcome {
    let id = client.create_exec(container, config).await?;
    let console_size = terminal::size().filter(|_| config.tty).map(|(rows, columns)| [rows, columns]);
    let start = ExecStart { detach: detached, tty: config.tty, console_size };
    if detached {
        client.start_exec_detached(&id, &start).await?;
        return Ok(0);
    }
    let stream = client.start_exec(&id, &start).await.map_err(not_started)?;
    let attached = Attached {
        tty: config.tty,
        stdin: config.attach_stdin,
        stdout: true,
        stderr: true,
        detach_keys,
        proxied: false,
    };
    let copying = async {
        match stream::copy(stream, &attached).await? {
            Ended::Detached => Err(Failure::new("read escape sequence")),
            Ended::Output => exit_of(client, &id).await,
        }
    };
    let known = client.version_spoken() >= berth_api::ApiVersion::new(1, 42);
    tokio::select! {
        outcome = copying => outcome,
        () = stream::follow_size(known, |rows, columns| client.resize_exec(&id, rows, columns)), if config.tty => Ok(0),
    }
}

/// The exit code; the end of output may be a moment ahead of it.
async fn exit_of(client: &Client, id: &str) -> Outcome {
    for _ in 0..200 {
        let exec = client.inspect_exec(id).await?;
        match exec.exit_code {
            Some(code) if !exec.running => return Ok(exit_code(code)),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    Ok(0)
}

/// A command that could not be started, with a shell's exit codes for it.
fn not_started(error: berth_client::Error) -> Failure {
    let text = error.to_string();
    let code = if text.contains("executable file not found") || text.contains("no such file or directory") {
        127
    } else if text.contains("permission denied") || text.contains("is a directory") {
        126
    } else {
        1
    };
    Failure::new(text).code(code)
}
