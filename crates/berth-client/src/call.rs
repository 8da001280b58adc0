//! From a path to an answer: connection reuse, version agreement, error answers.

use std::sync::{Mutex, PoisonError};

use berth_api::{ApiVersion, ErrorResponse, decode};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hijack::{self, Hijacked};
use crate::outgoing::{Outgoing, Pieces};
use crate::query::Path;
use crate::{Client, Error, connection};

/// A request about to be sent.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    client: &'a Client,
    method: Method,
    path: Path,
    versioned: bool,
    body: Bytes,
    /// A body that comes bit by bit instead: it can be sent once.
    pieces: Mutex<Option<Pieces>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer whose body is still to be read, and the connection it comes on.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) path: String,
    sender: SendRequest<Outgoing>,
}

impl Client {
    pub(crate) fn call(&self, method: Method, path: Path) -> Call<'_> {
        Call {
            client: self,
            method,
            path,
            versioned: true,
            body: Bytes::new(),
            pieces: Mutex::default(),
            headers: Vec::new(),
        }
    }
}

impl Call<'_> {
    /// Without `/v1.x` in front.
    pub(crate) fn bare(mut self) -> Self {
        self.versioned = false;
        self
    }

    pub(crate) fn json<T: Serialize>(mut self, body: &T) -> Self {
        // The wire types have string keys only, so writing them cannot fail.
        self.body = Bytes::from(serde_json::to_vec(body).unwrap_or_default());
        self.headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        self
    }

    pub(crate) fn pieces(mut self, pieces: Pieces) -> Self {
        self.pieces = Mutex::new(Some(pieces));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends and reads the whole answer; the connection is kept.
    pub(crate) async fn bytes(self) -> Result<Bytes, Error> {
        let inner = self.client.inner.clone();
        let answer = self.send().await?;
        let body = answer.response.into_body().collect().await?.to_bytes();
        inner.keep(answer.sender);
        Ok(body)
    }

    /// Sends and reads a JSON answer.
    pub(crate) async fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        let path = self.path.as_str().to_owned();
        let body = self.bytes().await?;
        decode::from_slice(&body).map_err(|source| Error::Decode { path, source })
    }

    /// Sends; the answer says nothing but that it worked.
    pub(crate) async fn done(self) -> Result<(), Error> {
        self.bytes().await.map(drop)
    }

    /// Sends and takes the connection over as a byte stream.
    pub(crate) async fn hijack(self) -> Result<Hijacked, Error> {
        let call = self
            .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(header::UPGRADE, HeaderValue::from_static("tcp"));
        hijack::take(call.send().await?.response).await
    }

    /// Sends; an error answer becomes an [`Error::Api`], and a version that is too new is talked down once.
    pub(crate) async fn send(self) -> Result<Answer, Error> {
        if self.is_streamed() {
            // What comes in pieces can be sent only once.
            Box::pin(self.client.negotiate()).await?;
        }
        let answer = self.exchange().await?;
        if worked(answer.response.status()) {
            return Ok(answer);
        }
        let theirs = api_version(&answer.response);
        let error = self.refusal(answer).await?;
        // An answer to HEAD has no words.
        let says_so = self.method == Method::HEAD || error.to_string().contains("is too new");
        let too_new = error.status() == Some(400) && says_so;
        if too_new && theirs.is_some_and(|version| self.client.inner.agree(version)) {
            let answer = self.exchange().await?;
            return match worked(answer.response.status()) {
                true => Ok(answer),
                false => Err(self.refusal(answer).await?),
            };
        }
        Err(error)
    }

    fn is_streamed(&self) -> bool {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Reads an error answer; the connection is kept.
    async fn refusal(&self, answer: Answer) -> Result<Error, Error> {
        let status = answer.response.status();
        let body = answer.response.into_body().collect().await?.to_bytes();
        self.client.inner.keep(answer.sender);
        Ok(Error::Api { status: status.as_u16(), message: message(&body, status) })
    }

    /// One request and the head of its answer. A kept connection that turns out to be dead is replaced.
    async fn exchange(&self) -> Result<Answer, Error> {
        let mut request = self.request()?;
        if let Some(mut sender) = self.client.inner.take_idle()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.answer(response, sender)),
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failure.into_error().into()),
                },
            }
        }
        let mut sender = connection::open(&self.client.inner).await?;
        let response = sender.send_request(request).await?;
        Ok(self.answer(response, sender))
    }

    fn answer(&self, response: Response<Incoming>, sender: SendRequest<Outgoing>) -> Answer {
        Answer { response, path: self.path.as_str().to_owned(), sender }
    }

    fn request(&self) -> Result<Request<Outgoing>, Error> {
        let path = self.path.as_str();
        let uri = match self.versioned {
            true => format!("/v{}{path}", self.client.inner.version()),
            false => path.to_owned(),
        };
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .header(header::HOST, self.client.inner.host.authority())
            .header(header::USER_AGENT, concat!("berth/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.client.inner.headers.get().into_iter().flatten() {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(request.body(pieces.map_or_else(|| Outgoing::whole(self.body.clone()), Outgoing::Pieces))?)
    }
}

/// An answer that sends us elsewhere did nothing: dockerd gives one to names that it reads as paths (`volume rm a/../b`).
fn worked(status: StatusCode) -> bool {
    status.is_informational() || status.is_success() || status == StatusCode::NOT_MODIFIED
}

fn api_version(response: &Response<Incoming>) -> Option<ApiVersion> {
    response.headers().get("Api-Version")?.to_str().ok()?.parse().ok()
}

/// The daemon's sentence; plain text and empty bodies come from proxies and very old daemons.
fn message(body: &[u8], status: StatusCode) -> String {
    if let Ok(error) = decode::from_slice::<ErrorResponse>(body)
        && !error.message.is_empty()
    {
        return error.message;
    }
    match String::from_utf8_lossy(body).trim() {
        "" => format!("the daemon answered {status} and no reason"),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_elsewhere_is_not_done() {
        for done in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED]
        {
            assert!(worked(done), "{done}");
        }
        for not in [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::NOT_FOUND,
            StatusCode::BAD_GATEWAY,
        ] {
            assert!(!worked(not), "{not}");
        }
    }
}
