//! An image made of an archive of a root file system, which is sent along or lies at a URL.

use std::io;
use std::sync::Arc;

use berth_api::progress::JsonMessage;
use berth_archive::Joined;
use berth_image::Import;
use berth_oci::{ImageId, Platform};
use bytes::Bytes;
use hyper::body::Incoming;
use tokio::sync::mpsc::{Sender, UnboundedSender, channel, unbounded_channel};

use super::image_events;
use super::progress::{self, Message};
use crate::daemon::Daemon;
use crate::http::answer::Answer;
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::request::Call;
use crate::http::upload::{QUEUE, drain, pump};
use crate::wire::files;

/// `POST /images/create?fromSrc=…`
pub(crate) async fn import(mut call: Call) -> Result<Answer, ApiError> {
    let import = match parse(&call.query) {
        Ok(import) => import,
        Err(error) => {
            drain(&mut call.body).await;
            return Err(error);
        }
    };
    let source = call.query.text("fromSrc").to_owned();
    let (sender, messages) = unbounded_channel();
    let (pieces, mut archive) = channel(QUEUE);
    let (daemon, body) = (call.daemon.clone(), call.body);
    let task = progress::Task::of(async move {
        if let Err(error) =
            run(daemon, &source, body, import, (Joined::new(move || archive.blocking_recv()), pieces), &sender).await
        {
            drop(sender.send(Err(error)));
        }
    });
    progress::relay(messages, task).await
}

fn parse(query: &Query) -> Result<Import, ApiError> {
    let name = match files::reference(query.text("repo"), query.text("tag")) {
        Err(error) if error.message.contains("digest reference") => {
            return Err(ApiError::invalid("cannot import digest reference"));
        }
        named => named?,
    };
    let platform = match query.text("platform") {
        "" => None,
        text => Some(Platform::parse(text).map_err(|error| ApiError::invalid(error.to_string()))?),
    };
    if let Some(other) = platform.as_ref().filter(|platform| platform.os != "linux") {
        return Err(ApiError::invalid(format!("{} is not supported: berth runs images for linux", other.os)));
    }
    let changes: Vec<String> = query.all("changes").into_iter().map(str::to_owned).collect();
    let comment = match query.text("message") {
        "" => format!("Imported from {}", query.text("fromSrc")),
        message => message.to_owned(),
    };
    Ok(Import { config: berth_engine::config_of(&changes)?, comment, platform, name })
}

type Ends = (Joined<Bytes>, Sender<io::Result<Bytes>>);

async fn run(
    daemon: Arc<Daemon>,
    source: &str,
    mut body: Incoming,
    import: Import,
    (archive, pieces): Ends,
    messages: &UnboundedSender<Message>,
) -> Result<(), ApiError> {
    let name = import.name.as_ref().map(|name| name.familiar());
    let images = daemon.images.clone();
    let importing = move || tokio::task::spawn_blocking(move || images.import(archive, import));
    let imported = if source == "-" {
        let (imported, ()) = tokio::join!(importing(), pump(&mut body, pieces));
        imported
    } else {
        let download = daemon.images.fetch(source).await?;
        say(messages, &format!("Downloading from {source}"));
        let (imported, ()) = tokio::join!(importing(), bring(download, pieces, messages));
        imported
    };
    let id = imported.map_err(|error| ApiError::internal(error.to_string()))??;
    tell(&daemon, &id, name);
    say(messages, &id.to_string());
    Ok(())
}

/// Hands a download on, for as long as anybody takes it.
async fn bring(
    mut download: berth_image::Download,
    pieces: Sender<io::Result<Bytes>>,
    messages: &UnboundedSender<Message>,
) {
    let (mut current, total) = (0, download.length.unwrap_or(0));
    let mut told = tokio::time::Instant::now();
    loop {
        let piece = match download.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return,
            Err(error) => return drop(pieces.send(Err(io::Error::other(error))).await),
        };
        current += piece.len() as u64;
        if current == total || told.elapsed() >= progress::PAUSE {
            told = tokio::time::Instant::now();
            drop(messages.send(Ok(progress::counted("", "Importing", current, total))));
        }
        if pieces.send(Ok(piece)).await.is_err() {
            return;
        }
    }
}

fn say(messages: &UnboundedSender<Message>, status: &str) {
    drop(messages.send(Ok(JsonMessage { status: status.to_owned(), ..JsonMessage::default() })));
}

fn tell(daemon: &Daemon, id: &ImageId, name: Option<String>) {
    let Ok(image) = daemon.images.resolve(id.as_str()) else { return };
    if let Some(name) = name {
        image_events::tell(daemon, "tag", &image, &name);
    }
    image_events::tell(daemon, "import", &image, id.as_str());
}
