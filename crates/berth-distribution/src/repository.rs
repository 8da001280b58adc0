//! One repository of one registry.

use std::sync::Arc;

use berth_oci::{Digest, media};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::Response;
use serde::Deserialize;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::request::{Purpose, Request, Session, Target, bounded_body};
use crate::retry::{Failure, Tries};
use crate::{Blob, Config, Credentials, Error};

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

/// One repository, at every place that may have it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Repository {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    mirrors: Vec<Arc<Session>>,
    /// The registry itself, by each scheme that it may speak.
    own: Vec<Arc<Session>>,
    path: String,
}

#[derive(Deserialize)]
struct TagList {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    pub(crate) fn new(
        client: Client,
        endpoints: Vec<Endpoint>,
        path: &str,
        credentials: Option<Credentials>,
        purpose: Purpose,
    ) -> Self {
        let session = |e| Arc::new(Session::new(client.clone(), e, path, credentials.clone(), purpose));
        let (mirrors, own) = endpoints.into_iter().map(session).partition(|session| session.endpoint.mirror);
        Self { inner: Arc::new(Inner { client, mirrors, own, path: path.to_owned() }) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.client.inner.config
    }

    /// A request below the repository's name.
    pub(crate) fn request(&self, method: Method, what: &str) -> Request {
        Request::new(method, Target::Path(format!("{}/{what}", self.inner.path)))
    }

    /// Where that is, for messages.
    pub(crate) fn address(&self, what: &str) -> String {
        let path = format!("{}/{what}", self.inner.path);
        self.inner.own.first().map_or(path.clone(), |session| session.endpoint.url(&path))
    }

    /// What a tag stands for, by a request that carries no manifest. `None` where the registry does not say; a
    /// failure too is better learnt from the request for the manifest itself, which brings an explanation.
    ///
    /// # Errors
    /// When the registry cannot be reached at all.
    pub async fn digest(&self, object: &str) -> Result<Option<Digest>, Error> {
        match self.call(self.manifest_request(Method::HEAD, object)).await {
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
        let (_, response) = self.call(self.manifest_request(Method::GET, object)).await?;
        let announced = header(&response, DIGEST_HEADER).and_then(|d| Digest::parse(d).ok());
        let media_type = header(&response, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let bytes = bounded_body(response, MAX_MANIFEST).await?;
        if let Some(announced) = announced.filter(|d| !d.matches(&bytes)) {
            let actual = Digest::of(&bytes);
            return Err(Error::Verification(format!("the registry announced {announced}, but sent {actual}")));
        }
        Ok(Fetched { bytes, media_type })
    }

    fn manifest_request(&self, method: Method, object: &str) -> Request {
        let mut request = self.request(method, &format!("manifests/{object}"));
        request.headers = accept_manifests();
        request
    }

    /// A blob of which the length is known, from byte `from` on. What came before that, the caller has.
    ///
    /// # Errors
    /// What the registry said, or [`Error::Verification`] when it announces another length.
    pub async fn blob(&self, digest: &Digest, size: u64, from: u64) -> Result<Blob, Error> {
        Blob::open(self, digest, size, from).await
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
            let (_, response) = self.call(self.request(Method::GET, &path)).await?;
            page = header(&response, LINK.as_str()).and_then(next_page);
            let body = bounded_body(response, MAX_MANIFEST).await?;
            let list: TagList = serde_json::from_slice(&body)
                .map_err(|e| Error::Malformed(format!("the registry's list of tags does not parse: {e}")))?;
            tags.extend(list.tags.unwrap_or_default());
        }
        Ok(tags)
    }

    /// Asks the mirrors, each once, and then the registry, until it answers or there is no more hope.
    pub(crate) async fn call(&self, request: Request) -> Result<(Arc<Session>, Response), Error> {
        for session in &self.inner.mirrors {
            match session.try_once(&request).await {
                Ok(response) => return Ok((session.clone(), response)),
                Err(Failure { error, .. }) => tracing::debug!(host = session.endpoint.host, %error, "not from here"),
            }
        }
        let mut tries = Tries::new(self.config());
        loop {
            match self.ask_registry(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => tokio::time::sleep(tries.after(failure)?).await,
            }
        }
    }

    /// Asks by the scheme that is known to work, or by one after the other.
    async fn ask_registry(&self, request: &Request) -> Result<(Arc<Session>, Response), Failure> {
        let client = &self.inner.client.inner;
        let mut first: Option<Failure> = None;
        for session in &self.inner.own {
            let endpoint = &session.endpoint;
            let known = client.known_scheme(&endpoint.host);
            if endpoint.alternative && known.is_some_and(|scheme| scheme != endpoint.scheme) {
                continue;
            }
            let failure = match session.try_once(request).await {
                Ok(response) => {
                    client.learn_scheme(endpoint);
                    return Ok((session.clone(), response));
                }
                Err(failure) => failure,
            };
            tracing::debug!(host = endpoint.host, scheme = endpoint.scheme, error = %failure.error, "not from here");
            match &failure.error {
                // An answer over the second scheme says more than the failure of the first.
                Error::Transport { .. } => {}
                _ => {
                    client.learn_scheme(endpoint);
                    return Err(failure);
                }
            }
            let other = endpoint.alternative && known.is_none() && may_be_other_scheme(endpoint, &failure.error);
            first.get_or_insert(failure);
            if !other {
                break;
            }
        }
        Err(first.unwrap_or_else(|| Error::Malformed("there is no registry to ask".into()).into()))
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
