//! One repository of one registry.

use berth_oci::{Digest, media};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::Response;
use serde::Deserialize;

use crate::blob::range;
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::request::{Session, bounded_body};
use crate::{Blob, Credentials, Error};

const MAX_MANIFEST: usize = 8 << 20;
const MAX_TAG_PAGES: usize = 10_000;
const DIGEST_HEADER: &str = "docker-content-digest";

/// A manifest as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The very bytes.
    pub bytes: Vec<u8>,
    /// What they were announced as.
    pub media_type: String,
}

/// One repository, at every place that may have it.
#[derive(Debug)]
pub struct Repository {
    client: Client,
    sessions: Vec<std::sync::Arc<Session>>,
    path: String,
}

#[derive(Deserialize)]
struct TagList {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    pub(crate) fn new(client: Client, endpoints: Vec<Endpoint>, path: &str, credentials: Option<Credentials>) -> Self {
        let session = |e| std::sync::Arc::new(Session::new(client.clone(), e, path, credentials.clone()));
        let sessions = endpoints.into_iter().map(session).collect();
        Self { client, sessions, path: path.to_owned() }
    }

    /// What a tag stands for, by a request that carries no manifest. `None` where the registry does not say; a
    /// failure too is better learnt from the request for the manifest itself, which brings an explanation.
    ///
    /// # Errors
    /// When the registry cannot be reached at all.
    pub async fn digest(&self, object: &str) -> Result<Option<Digest>, Error> {
        match self.call(Method::HEAD, &format!("manifests/{object}"), &accept_manifests()).await {
            Ok((_, response)) => Ok(header(&response, DIGEST_HEADER).and_then(|d| Digest::parse(d).ok())),
            Err(error @ (Error::Transport { .. } | Error::Unauthorized { .. })) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// A manifest or a list of them, by tag or digest; what a digest names is checked by the caller.
    ///
    /// # Errors
    /// What the registry said, or [`Error::Verification`] when the bytes are not those that the registry announces.
    pub async fn manifest(&self, object: &str) -> Result<Fetched, Error> {
        let (_, response) = self.call(Method::GET, &format!("manifests/{object}"), &accept_manifests()).await?;
        let announced = header(&response, DIGEST_HEADER).and_then(|d| Digest::parse(d).ok());
        let media_type = header(&response, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let bytes = bounded_body(response, MAX_MANIFEST).await?;
        if let Some(announced) = announced.filter(|d| !d.matches(&bytes)) {
            let actual = Digest::of(&bytes);
            return Err(Error::Verification(format!("the registry announced {announced}, but sent {actual}")));
        }
        Ok(Fetched { bytes, media_type })
    }

    /// A blob, of which the length is known, from its byte `from` on (0: all of it).
    ///
    /// # Errors
    /// What the registry said, or [`Error::Verification`] when it announces another length.
    pub async fn blob(&self, digest: &Digest, size: u64, from: u64) -> Result<Blob, Error> {
        let path = format!("{}/blobs/{digest}", self.path);
        let (session, response) = self.call(Method::GET, &format!("blobs/{digest}"), &range(from)).await?;
        Blob::begin(session, path, digest.clone(), size, from, response)
    }

    /// Every tag.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let mut tags = Vec::new();
        let mut page = Some("tags/list".to_owned());
        for _ in 0..MAX_TAG_PAGES {
            let Some(path) = page.take() else { break };
            let (_, response) = self.call(Method::GET, &path, &HeaderMap::new()).await?;
            page = header(&response, LINK.as_str()).and_then(next_page);
            let body = bounded_body(response, MAX_MANIFEST).await?;
            let list: TagList = serde_json::from_slice(&body)
                .map_err(|e| Error::Malformed(format!("the registry's list of tags does not parse: {e}")))?;
            tags.extend(list.tags.unwrap_or_default());
        }
        Ok(tags)
    }

    /// Asks one place after another.
    async fn call(
        &self,
        method: Method,
        what: &str,
        headers: &HeaderMap,
    ) -> Result<(std::sync::Arc<Session>, Response), Error> {
        let path = format!("{}/{what}", self.path);
        let mut first_error = None;
        for session in &self.sessions {
            let endpoint = &session.endpoint;
            let known = self.client.inner.known_scheme(&endpoint.host);
            if endpoint.alternative && known.is_some_and(|scheme| scheme != endpoint.scheme) {
                continue;
            }
            let error = match session.send(method.clone(), &path, headers).await {
                Ok(response) => {
                    self.client.inner.learn_scheme(endpoint);
                    return Ok((session.clone(), response));
                }
                Err(error) => error,
            };
            tracing::debug!(host = endpoint.host, scheme = endpoint.scheme, %error, "not from here");
            let other_scheme = endpoint.alternative && known.is_none() && may_be_other_scheme(endpoint, &error);
            if !endpoint.mirror && !other_scheme {
                // An answer over the second scheme says more than the failure of the first.
                return Err(match error {
                    Error::Transport { .. } => first_error.unwrap_or(error),
                    error => error,
                });
            }
            if !endpoint.mirror {
                first_error.get_or_insert(error);
            }
        }
        Err(first_error.unwrap_or_else(|| Error::Malformed("there is no registry to ask".into())))
    }
}

/// An insecure registry may speak either scheme; one that refuses connections on this host speaks none.
fn may_be_other_scheme(endpoint: &Endpoint, error: &Error) -> bool {
    match error {
        Error::Transport { wrong_scheme, .. } => *wrong_scheme || endpoint.scheme == "https",
        _ => false,
    }
}

fn accept_manifests() -> HeaderMap {
    let all = HeaderValue::from_str(&media::MANIFEST_ACCEPT.join(", ")).expect("media types are a header's value");
    HeaderMap::from_iter([(ACCEPT, all)])
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// The query of `Link: </v2/…/tags/list?last=x&n=y>; rel="next"`; the path is ours anyway.
fn next_page(link: &str) -> Option<String> {
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let query = target.split_once('?')?.1;
    link.contains("rel=\"next\"").then(|| format!("tags/list?{query}"))
}
