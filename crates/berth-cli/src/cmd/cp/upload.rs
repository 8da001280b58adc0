//! Into a container.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use berth_api::files::PathStat;
use berth_archive::pack::{Packing, Take, pack};
use berth_archive::{Pieces, Writer};
use berth_client::{Client, UploadOptions};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::Options;
use super::place::{Target, clean, decide, ends_as_directory, is_contents, split};
use super::progress::Progress;
use crate::failure::{Failure, Outcome};

/// Pieces under way; each is a quarter of a megabyte.
const QUEUE: usize = 8;

pub(super) async fn run(client: &Client, container: &str, from: &str, to: &str, options: Options) -> Outcome {
    let (to, there) = target(client, container, to).await?;
    let settings = UploadOptions { keep_kind: true, own: options.archive };
    let (sender, receiver) = mpsc::channel(QUEUE);
    if from == "-" {
        if there != Target::Directory {
            return Err(Failure::new(format!("destination \"{container}:{to}\" must be a directory")));
        }
        let reading = std::thread::spawn(move || read_stdin(&sender));
        client.upload(container, &to, settings, receiver).await?;
        return joined(reading).map(|()| 0);
    }
    let source = Source::open(from, options.follow)?;
    let place = decide(source.is_directory, &to, there)?;
    let name = place.rename.clone().unwrap_or_else(|| source.name.clone());
    let (mut progress, counting) =
        (Progress::new("Copying to container", options.quiet), mpsc::channel::<Bytes>(QUEUE));
    let (count, counted) = counting;
    let packing = std::thread::spawn(move || source.pack(&name, &sender));
    let mut receiver = receiver;
    let relay = async move {
        while let Some(piece) = receiver.recv().await {
            progress.add(piece.len());
            if count.send(piece).await.is_err() {
                break;
            }
        }
        progress
    };
    let (uploaded, progress) = tokio::join!(client.upload(container, &place.directory, settings, counted), relay);
    let packed = joined(packing);
    // What the daemon says comes first: when it gives up, the archive's maker only finds nobody to take it.
    let done = uploaded.map_err(Failure::from).and(packed);
    progress.finish(done.is_ok().then(|| format!("{container}:{to}")).as_deref());
    done.map(|()| 0)
}

fn joined(thread: std::thread::JoinHandle<io::Result<()>>) -> Result<(), Failure> {
    match thread.join() {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::new("reading what is to be copied failed")),
    }
}

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

fn read_stdin(sender: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    loop {
        let mut buffer = vec![0; 256 << 10];
        let got = input.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        buffer.truncate(got);
        sender.blocking_send(buffer.into()).map_err(|_| gone())?;
    }
}

/// The path in the container with a link at its end followed, and what is there.
async fn target(client: &Client, container: &str, to: &str) -> Result<(String, Target), Failure> {
    let Ok(mut stat) = client.path_stat(container, to).await else { return Ok((to.to_owned(), Target::Missing)) };
    let mut path = to.to_owned();
    if stat.is_link() {
        let (directory, _) = split(to);
        path = match stat.link_target.starts_with('/') {
            true => stat.link_target.clone(),
            false => clean(&format!("{directory}/{}", stat.link_target)),
        };
        match client.path_stat(container, &path).await {
            Ok(followed) => stat = followed,
            Err(_) => return Ok((path, Target::Missing)),
        }
    }
    Ok((path, kind(&stat, container, to)?))
}

fn kind(stat: &PathStat, container: &str, path: &str) -> Result<Target, Failure> {
    if stat.is_directory() {
        return Ok(Target::Directory);
    }
    if stat.is_file() {
        return Ok(Target::File);
    }
    Err(Failure::new(format!("destination \"{container}:{path}\" must be a directory or a regular file")))
}

/// What is copied.
struct Source {
    directory: File,
    base: String,
    /// What it is called in the archive, unless it is renamed.
    name: String,
    is_directory: bool,
}

impl Source {
    fn open(path: &str, follow: bool) -> Result<Self, Failure> {
        let here = std::env::current_dir()?;
        let absolute = clean(&here.join(path).to_string_lossy());
        let ends = ends_as_directory(path);
        let failed = |error: io::Error| {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
            Failure::new(format!("lstat {absolute}: {text}"))
        };
        let stat = match follow || ends {
            true => std::fs::metadata(&absolute),
            false => std::fs::symlink_metadata(&absolute),
        };
        let is_directory = stat.map_err(failed)?.is_dir();
        if ends && !is_directory {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        // With its link followed, it bears the name that the user wrote all the same.
        let real = if follow || ends { std::fs::canonicalize(&absolute)? } else { Path::new(&absolute).to_owned() };
        let name = if is_contents(path) { ".".into() } else { split(&absolute).1 };
        let (directory, base) = match is_directory {
            true => (real, String::new()),
            false => {
                let base = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (real.parent().unwrap_or(Path::new("/")).to_owned(), base)
            }
        };
        let directory = File::open(&directory).map_err(failed)?;
        Ok(Self { directory, base, name, is_directory })
    }

    fn pack(&self, name: &str, sender: &mpsc::Sender<Bytes>) -> io::Result<()> {
        let mut out = Pieces::new(|piece: Vec<u8>| sender.blocking_send(piece.into()).map_err(|_| gone()));
        let mut writer = Writer::new(&mut out);
        let packing = Packing { name: name.as_bytes(), overlay: false, choose: &mut |_| Take::Whole };
        pack(self.directory.as_fd(), self.base.as_bytes(), packing, &mut writer)?;
        writer.finish()?;
        out.finish()
    }
}
