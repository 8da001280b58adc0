//! A blob on its way out: at once or in pieces, and on from where it broke.
//!
//! OCI distribution specification 1.1, "Pushing Blobs". An upload that breaks is asked how far it got; where the
//! registry does not know it any longer, it begins again.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_oci::Digest;
use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::Method;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Response, Url};
use tokio::sync::mpsc;

use crate::Error;
use crate::repository::Repository;
use crate::request::{Body, Request, Session, Target};
use crate::retry::{Failure, Tries};

/// What is read and sent at once.
const PIECE: usize = 256 << 10;
/// Pieces between the disk and the network.
const QUEUE: usize = 4;
/// What goes in one request to a registry that does not take all at once.
const CHUNK: u64 = 16 << 20;
/// A registry may think for so many times as long about what it has as it may wait for more.
const THINKING: u32 = 10;

/// What is to be uploaded; read from any place, as often as it takes.
pub trait Content: Send + Sync + std::fmt::Debug {
    /// How many bytes it has.
    fn size(&self) -> u64;
    /// The bytes from `offset` on. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;
}

/// Whoever wants to know how an upload gets on.
pub(crate) type Told = Arc<dyn Fn(Sending) + Send + Sync>;

/// How an upload gets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// So many bytes are on their way; fewer than before where it began again.
    Bytes(u64),
    /// It broke, and goes on after this pause.
    Pause(Duration),
}

/// What came of a wish to have a blob that another repository has.
#[derive(Debug)]
pub enum Mount {
    /// It is there.
    Mounted,
    /// It has to be uploaded, and the upload has begun.
    Upload(Box<Upload>),
}

/// An upload that the registry waits for.
#[derive(Debug)]
pub struct Upload {
    repository: Repository,
    session: Arc<Session>,
    location: Url,
    /// The least that the registry takes in one piece.
    least: u64,
}

impl Repository {
    /// Whether the repository has the blob.
    ///
    /// # Errors
    /// When the registry cannot be reached, or does not let us look.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Error> {
        match self.call(self.request(Method::HEAD, &format!("blobs/{digest}"))).await {
            Ok(_) => Ok(true),
            Err(Error::Status { status: 404, .. } | Error::Registry { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks for a blob that the repository `from` of the same registry has.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn mount(&self, digest: &Digest, from: &str) -> Result<Mount, Error> {
        let query = form(&[("mount", digest.as_str()), ("from", from)])?;
        let mut request = self.request(Method::POST, &format!("blobs/uploads/?{query}"));
        request.also = Some(from.to_owned());
        let (session, response) = self.call(request).await?;
        if response.status() == http::StatusCode::CREATED {
            return Ok(Mount::Mounted);
        }
        self.upload(session, &response).map(|upload| Mount::Upload(Box::new(upload)))
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn begin_upload(&self) -> Result<Upload, Error> {
        let (session, response) = self.call(self.request(Method::POST, "blobs/uploads/")).await?;
        self.upload(session, &response)
    }

    fn upload(&self, session: Arc<Session>, response: &Response) -> Result<Upload, Error> {
        let least = response.headers().get("oci-chunk-min-length").and_then(|v| v.to_str().ok()?.parse().ok());
        let location = location(&session, response)?;
        Ok(Upload { repository: self.clone(), session, location, least: least.unwrap_or(0) })
    }

    /// Gives the repository a manifest or a list of them; tells what the registry calls it.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn put_manifest(&self, object: &str, media_type: &str, bytes: Bytes) -> Result<Option<Digest>, Error> {
        let mut request = self.request(Method::PUT, &format!("manifests/{object}"));
        let kind = HeaderValue::from_str(media_type);
        let kind = kind.map_err(|_| Error::Malformed(format!("the media type {media_type:?} is no header's value")))?;
        request.headers.insert(CONTENT_TYPE, kind);
        request.body = Body::Small(bytes);
        let (_, response) = self.call(request).await?;
        let digest = response.headers().get("docker-content-digest").and_then(|v| v.to_str().ok());
        Ok(digest.and_then(|digest| Digest::parse(digest).ok()))
    }
}

impl Upload {
    /// Sends the blob; `told` is called from whatever task sends it.
    ///
    /// # Errors
    /// What the registry said for good, or that the content cannot be read.
    pub async fn send(mut self, digest: &Digest, content: Arc<dyn Content>, told: Told) -> Result<(), Error> {
        let mut tries = Tries::new(self.repository.config());
        let (mut offset, mut chunk) = (0, None);
        loop {
            let before = offset;
            let failure = match self.on(digest, &content, &mut offset, chunk, &told).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if offset > before {
                tries = Tries::new(self.repository.config());
            }
            let too_much = failure.status() == Some(413) && chunk.is_none();
            // What the registry does not know any longer, or knows to be longer, is asked for anew.
            let lost = matches!(failure.status(), Some(404 | 416));
            let pause = match too_much {
                true => Duration::ZERO,
                false => tries.after(Failure { again: failure.again || lost, ..failure })?,
            };
            // All at once has not worked, for whatever reason: in pieces, less is lost.
            let piece = if too_much { CHUNK.min(content.size().div_ceil(2)) } else { CHUNK };
            chunk = Some(chunk.unwrap_or(piece).max(self.least));
            if !pause.is_zero() {
                told(Sending::Pause(pause));
                tokio::time::sleep(pause).await;
            }
            match self.progress(digest, content.size()).await? {
                Some(there) => offset = there,
                None => return Ok(()),
            }
            told(Sending::Bytes(offset));
        }
    }

    /// Gives an upload up that is not wanted after all; a registry that does not hear of it forgets it by itself.
    pub async fn cancel(self) {
        let request = Request::new(Method::DELETE, Target::At(self.location.clone()));
        if let Err(failure) = self.session.try_once(&request).await {
            tracing::debug!(error = %failure.error, "an upload that was not wanted stays with the registry");
        }
    }

    /// The rest, as far as it goes.
    async fn on(
        &mut self,
        digest: &Digest,
        content: &Arc<dyn Content>,
        offset: &mut u64,
        chunk: Option<u64>,
        told: &Told,
    ) -> Result<(), Failure> {
        let (size, patience) = (content.size(), self.repository.config().patience());
        let body = |from, to| Body::Long(Outgoing { content: content.clone(), from, to, told: told.clone(), patience });
        let whole = *offset == 0 && chunk.is_none_or(|chunk| chunk >= size);
        if !whole {
            let chunk = chunk.unwrap_or(size);
            while *offset < size {
                let end = size.min(*offset + chunk);
                let mut request = Request::new(Method::PATCH, Target::At(self.location.clone()));
                request.headers = octets();
                let range = format!("{offset}-{}", end - 1);
                request
                    .headers
                    .insert(CONTENT_RANGE, HeaderValue::from_str(&range).expect("digits are a header's value"));
                request.body = body(*offset, end);
                let response = self.session.try_once(&request).await?;
                self.location = location(&self.session, &response)?;
                *offset = end;
            }
        }
        let mut target = self.location.clone();
        target.query_pairs_mut().append_pair("digest", digest.as_str());
        let mut request = Request::new(Method::PUT, Target::At(target));
        if whole {
            request.headers = octets();
            request.body = body(0, size);
        }
        self.session.try_once(&request).await?;
        Ok(())
    }

    /// How many bytes the registry has; `None`: the whole blob. An upload that it has forgotten begins anew.
    async fn progress(&mut self, digest: &Digest, size: u64) -> Result<Option<u64>, Error> {
        if self.repository.has_blob(digest).await? {
            return Ok(None);
        }
        let request = Request::new(Method::GET, Target::At(self.location.clone()));
        if let Ok(response) = self.session.try_once(&request).await
            && let Ok(location) = location(&self.session, &response)
            && let Some(there) = received(response.headers()).filter(|there| *there <= size)
        {
            self.location = location;
            return Ok(Some(there));
        }
        *self = self.repository.begin_upload().await?;
        Ok(Some(0))
    }
}

/// `Range: 0-999`, or `bytes=0-999`: a thousand. `0-0` is nothing at all: nobody sends single bytes.
fn received(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(RANGE)?.to_str().ok()?;
    let (_, last) = range.trim_start_matches("bytes=").split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

fn octets() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))])
}

fn form(pairs: &[(&str, &str)]) -> Result<String, Error> {
    let mut form = Url::parse("form:").map_err(|e| Error::Malformed(e.to_string()))?;
    form.query_pairs_mut().extend_pairs(pairs);
    Ok(form.query().unwrap_or_default().to_owned())
}

/// Where the registry wants to have the rest.
fn location(session: &Session, response: &Response) -> Result<Url, Error> {
    let wrong = |what: &str| Error::Malformed(format!("{} answered, but {what}", response.url()));
    let text = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
    let text = text.ok_or_else(|| wrong("does not say where to upload to"))?;
    let mut url = response.url().join(text).map_err(|_| wrong("where to upload to is no address"))?;
    // A registry behind somebody who does its TLS does not know that there is any.
    let same_host = url.host_str() == response.url().host_str();
    if session.endpoint.scheme == "https" && url.scheme() == "http" && same_host {
        _ = url.set_scheme("https");
    }
    Ok(url)
}

/// A part of what is to be uploaded.
#[derive(Clone)]
pub(crate) struct Outgoing {
    content: Arc<dyn Content>,
    from: u64,
    to: u64,
    told: Told,
    patience: Duration,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// One try of it.
pub(crate) struct Passing {
    outgoing: Outgoing,
    sent: Arc<AtomicU64>,
    /// Why it could not be read.
    unread: Arc<Mutex<Option<io::Error>>>,
}

impl Outgoing {
    pub(crate) fn length(&self) -> u64 {
        self.to - self.from
    }

    pub(crate) fn begin(&self) -> Passing {
        Passing { outgoing: self.clone(), sent: Arc::default(), unread: Arc::default() }
    }
}

impl Passing {
    /// The bytes, read by a thread that ends when nobody takes them.
    pub(crate) fn body(&self) -> reqwest::Body {
        let (sender, mut pieces) = mpsc::channel::<Bytes>(QUEUE);
        let (outgoing, unread) = (self.outgoing.clone(), self.unread.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&outgoing, &sender) {
                *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        let (from, told, sent) = (self.outgoing.from, self.outgoing.told.clone(), self.sent.clone());
        reqwest::Body::wrap_stream(poll_fn(move |cx| {
            pieces.poll_recv(cx).map(|piece| {
                let piece = piece?;
                let before = sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
                told(Sending::Bytes(from + before + piece.len() as u64));
                Some(Ok::<_, io::Error>(piece))
            })
        }))
    }

    /// Waits for the answer, for as long as bytes go out or the registry may have to think about them.
    pub(crate) async fn watch(
        &self,
        answer: impl Future<Output = Result<Response, Error>>,
        timed_out: impl FnOnce(&str) -> Error,
    ) -> Result<Response, Error> {
        tokio::pin!(answer);
        let (mut before, mut idle) = (0, 0);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = tokio::time::sleep(self.outgoing.patience) => {
                    let sent = self.sent.load(Ordering::Relaxed);
                    idle = if sent == before { idle + 1 } else { 0 };
                    before = sent;
                    let allowed = if sent == self.outgoing.length() { THINKING } else { 1 };
                    if idle >= allowed {
                        break Err(timed_out("the registry does not answer (timed out)"));
                    }
                }
            }
        };
        // What could not be read was sent too short, and the registry or the connection complains of that.
        match self.unread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Error::Malformed(format!("reading what is to be uploaded: {error}"))),
            None => answer,
        }
    }
}

fn read(outgoing: &Outgoing, sender: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut input = outgoing.content.read_from(outgoing.from)?;
    let mut left = outgoing.length();
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
        input.read_exact(&mut piece)?;
        left -= piece.len() as u64;
        if sender.blocking_send(piece.into()).is_err() {
            break;
        }
    }
    Ok(())
}
