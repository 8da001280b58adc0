//! `load`.

use std::fs::File;
use std::io::{self, Read};

use berth_api::progress::JsonMessage;
use berth_client::Lines;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::progress::{View, follow};
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "load",
    usage: "load [OPTIONS]",
    about: "Take in the images of an archive, from standard input or a file",
    aliases: &["image load", "load"],
    flags: &[
        Flag::text("input", "From a file, instead of standard input").short('i'),
        Flag::text("platform", "Only what is for this platform (\"os[/arch[/variant]]\")"),
        Flag::switch("quiet", "Only what was loaded").short('q'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: true,
    run,
};

/// Bytes read at once, and pieces under way.
const PIECE: usize = 256 << 10;
const QUEUE: usize = 8;

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let platform = super::save::platform(parsed)?;
    let input = match parsed.get("input").filter(|input| !input.is_empty()) {
        Some(path) => Input::open(path)?,
        None if terminal::stdin_is_terminal() => {
            return Err(Failure::new("requested load from stdin, but stdin is empty"));
        }
        None => Input::Stdin,
    };
    let live = terminal::stdout_is_terminal();
    // Without a terminal there is nothing to draw on.
    let quiet = parsed.on("quiet") || !live;
    let client = session.client()?;
    session.block_on(async {
        let (archive, reading) = input.pieces();
        show(client.load_images(quiet, &platform, archive).await?, live).await?;
        ended(reading).await
    })?
}

/// Shows messages to their end.
pub(super) async fn show(messages: Lines<JsonMessage>, live: bool) -> Result<(), Failure> {
    Ok(follow(messages, View { out: io::stdout(), live, quiet: false }, |_| ()).await?)
}

/// Where an archive comes from.
pub(super) enum Input {
    Stdin,
    File(String, File),
}

impl Input {
    pub(super) fn open(path: &str) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("open {path}: {}", reason(&error)));
        let file = File::open(path).map_err(failed)?;
        match file.metadata().map_err(failed)?.is_dir() {
            true => Err(Failure::new(format!("read {path}: is a directory"))),
            false => Ok(Self::File(path.to_owned(), file)),
        }
    }

    /// Its bytes, read beside everything else.
    pub(super) fn pieces(self) -> (mpsc::Receiver<Bytes>, JoinHandle<Result<(), Failure>>) {
        let (sender, pieces) = mpsc::channel(QUEUE);
        let reading = tokio::task::spawn_blocking(move || match self {
            Self::Stdin => read(io::stdin().lock(), "standard input", &sender),
            Self::File(path, file) => read(file, &path, &sender),
        });
        (pieces, reading)
    }
}

fn read(mut input: impl Read, name: &str, sender: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
    loop {
        let mut piece = vec![0; PIECE];
        let got = match input.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            got => got.map_err(|error| Failure::new(format!("read {name}: {}", reason(&error))))?,
        };
        piece.truncate(got);
        if got == 0 || sender.blocking_send(piece.into()).is_err() {
            return Ok(());
        }
    }
}

/// What was sent was all there is, unless it could not be read.
pub(super) async fn ended(reading: JoinHandle<Result<(), Failure>>) -> Outcome {
    match reading.await {
        Ok(read) => read.map(|()| 0),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}

/// As Docker says it: without the number, and small.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
