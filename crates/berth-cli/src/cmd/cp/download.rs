//! Out of a container.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use berth_archive::{Joined, Owner, Rules, Target as Into, extract};
use berth_client::{ByteStream, Client};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::Options;
use super::place::{Target, clean, decide, ends_as_directory, is_contents, split};
use super::progress::Progress;
use crate::failure::{Failure, Outcome};

/// Pieces between the connection and the disk.
const QUEUE: usize = 8;

pub(super) async fn run(client: &Client, container: &str, from: &str, to: &str, options: Options) -> Outcome {
    if to != "-" {
        check(to)?;
    }
    let (from, name) = match options.follow {
        true => followed(client, container, from).await,
        false => (from.to_owned(), None),
    };
    let (stat, archive) = client.download(container, &from).await?;
    if to == "-" {
        return write(archive, &mut io::stdout().lock()).await;
    }
    let there = target(to)?;
    // Through a link to a file the file is replaced, not the link.
    let real = (there == Target::File).then(|| fs::canonicalize(to)).transpose()?;
    let place = decide(stat.is_directory(), real.as_deref().map_or(to, |path| path.to_str().unwrap_or(to)), there)?;
    let directory = File::open(&place.directory).map_err(|e| Failure::new(format!("{}: {e}", place.directory)))?;
    // Into a directory it goes under its own name, which for a link that was followed is the link's.
    let rename = place.rename.or(name).map(String::into_bytes);
    let into = Into { root: directory.into(), directory: Vec::new(), rename };
    let mut progress = Progress::new("Copying from container", options.quiet);
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let extracting = std::thread::spawn(move || {
        let archive = Joined::new(move || receiver.blocking_recv().map(Ok));
        extract(archive, into, Rules { owner: Owner::Ours, keep_kind: true })
    });
    let came = relay(archive, sender, &mut progress).await;
    let extracted = extracting.join().map_err(|_| Failure::new("writing what was copied failed"))?;
    let done = came.and(extracted.map_err(|e| Failure::new(e.to_string())));
    progress.finish(done.is_ok().then_some(to));
    done.map(|()| 0)
}

/// The archive to whoever writes it; an archive that breaks off is an error here, whatever is made of its beginning.
async fn relay(mut archive: ByteStream, sender: mpsc::Sender<Bytes>, progress: &mut Progress) -> Result<(), Failure> {
    while let Some(piece) = archive.next().await {
        let piece = piece?;
        progress.add(piece.len());
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn write(mut archive: ByteStream, out: &mut impl Write) -> Outcome {
    while let Some(piece) = archive.next().await {
        out.write_all(&piece?)?;
    }
    out.flush()?;
    Ok(0)
}

/// `-L`: where a link leads, and the name that what lies there gets.
async fn followed(client: &Client, container: &str, from: &str) -> (String, Option<String>) {
    let Ok(stat) = client.path_stat(container, from).await else { return (from.to_owned(), None) };
    if !stat.is_link() {
        return (from.to_owned(), None);
    }
    let (directory, base) = split(from);
    let target = match stat.link_target.starts_with('/') {
        true => stat.link_target,
        false => clean(&format!("{directory}/{}", stat.link_target)),
    };
    let end = if is_contents(from) { "/." } else { "" };
    (format!("{target}{end}"), (end.is_empty() && split(&target).1 != base).then_some(base))
}

fn absolute(path: &str) -> Result<String, Failure> {
    Ok(clean(&std::env::current_dir()?.join(path).to_string_lossy()))
}

fn check(to: &str) -> Result<(), Failure> {
    let path = absolute(to)?;
    let (parent, _) = split(&path);
    if !Path::new(&parent).exists() {
        return Err(Failure::new(format!("invalid output path: directory {parent:?} does not exist")));
    }
    match fs::metadata(&path) {
        Ok(stat) if !stat.is_dir() && ends_as_directory(to) => {
            Err(Failure::new(format!("stat {path}/: not a directory")))
        }
        Ok(stat) if !stat.is_dir() && !stat.is_file() => {
            Err(Failure::new(format!("invalid output path: {path:?} must be a directory or a regular file")))
        }
        _ => Ok(()),
    }
}

fn target(to: &str) -> Result<Target, Failure> {
    match fs::metadata(to) {
        Ok(stat) if stat.is_dir() => Ok(Target::Directory),
        Ok(_) => Ok(Target::File),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Target::Missing),
        Err(error) => Err(Failure::new(format!("stat {to}: {error}"))),
    }
}
