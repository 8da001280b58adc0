//! `system dial-stdio`: our standard streams become a connection to the daemon, for an `ssh` from elsewhere.

use std::io::Write as _;

use berth_client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;
use crate::stream;

pub(crate) const COMMAND: Command = Command {
    name: "dial-stdio",
    usage: "dial-stdio",
    about: "Pass standard input and output on to the daemon (run by ssh, not by people)",
    aliases: &[],
    flags: &[],
    args: Args::None,
    interspersed: true,
    wants_daemon: true,
    run,
};

/// Chunks that may wait for whoever reads our standard output.
const AHEAD: usize = 16;

fn run(session: &Session, _: &Parsed) -> Outcome {
    let client = session.client()?;
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(AHEAD);
    // A thread of its own: a slow reader must not keep us from passing on what comes the other way.
    let writer = std::thread::spawn(move || {
        let mut stdout = std::io::stdout().lock();
        while let Some(chunk) = receiver.blocking_recv() {
            stdout.write_all(&chunk)?;
            stdout.flush()?;
        }
        Ok::<_, std::io::Error>(())
    });
    session.block_on(pass_on(&client, sender))??;
    match writer.join() {
        Ok(Ok(())) => Ok(0),
        Ok(Err(error)) => Err(Failure::new(format!("standard output: {error}"))),
        Err(_) => Err(Failure::new("standard output: the writing thread failed")),
    }
}

/// Copies both ways until the daemon has said everything.
async fn pass_on(client: &Client, output: mpsc::Sender<Vec<u8>>) -> Result<(), Failure> {
    let (mut from, mut to) = tokio::io::split(client.dial().await?);
    let mut typed = stream::input::read();
    let upward = async {
        while let Some(bytes) = typed.recv().await {
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // The other side has said everything; the answer may still be coming.
        _ = to.shutdown().await;
        std::future::pending::<()>().await;
    };
    let downward = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) => return Ok(()),
                // Nobody reads any more.
                Ok(n) if output.send(buffer[..n].to_vec()).await.is_err() => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(Failure::new(format!("the connection to the daemon: {error}"))),
            }
        }
    };
    tokio::select! {
        done = downward => done,
        () = upward => Ok(()),
    }
}
