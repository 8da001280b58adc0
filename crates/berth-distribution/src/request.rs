//! One request to one endpoint: authentication and redirects.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use reqwest::{Response, Url};

use crate::auth::{Challenge, TokenAnswer, TokenKey, basic, challenges, user_and_password};
use crate::client::{Client, Way};
use crate::endpoint::Endpoint;
use crate::retry::Failure;
use crate::upload::Outgoing;
use crate::{Credentials, Error};

const MAX_REDIRECTS: usize = 10;
const MAX_TOKEN_BODY: usize = 1 << 20;

/// What is to be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Pull,
    Push,
}

/// Requests to one endpoint about one repository; remembers how it proved itself.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    pub(crate) endpoint: Endpoint,
    purpose: Purpose,
    scope: String,
    credentials: Option<Credentials>,
    proof: Mutex<Option<Proof>>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Another repository that has to be readable for it.
    pub(crate) also: Option<String>,
}

/// Of what.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Below `/v2/`.
    Path(String),
    /// Where the registry has sent us.
    At(Url),
}

/// What goes along.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    Small(Bytes),
    Long(Outgoing),
}

impl Request {
    pub(crate) fn new(method: Method, target: Target) -> Self {
        Self { method, target, headers: HeaderMap::new(), body: Body::None, also: None }
    }
}

#[derive(Clone)]
struct Proof {
    header: String,
    token: Option<(TokenKey, String)>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

impl Session {
    pub(crate) fn new(
        client: Client,
        endpoint: Endpoint,
        path: &str,
        credentials: Option<Credentials>,
        purpose: Purpose,
    ) -> Self {
        let credentials = credentials.filter(|_| !endpoint.mirror);
        let given = credentials.as_ref().map(|c| c.registry_token.clone()).filter(|t| !t.is_empty());
        let proof = given.map(|token| Proof { header: format!("Bearer {token}"), token: None });
        let actions = if purpose == Purpose::Push { "pull,push" } else { "pull" };
        let scope = format!("repository:{path}:{actions}");
        Self { client, endpoint, purpose, scope, credentials, proof: Mutex::new(proof) }
    }

    /// Sends a request once; any answer but success is a failure.
    pub(crate) async fn try_once(&self, request: &Request) -> Result<Response, Failure> {
        let url = self.url(request)?;
        let response = self.authorised(request, &url).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::read(&request.method, url.as_str(), response).await)
    }

    fn url(&self, request: &Request) -> Result<Url, Error> {
        match &request.target {
            Target::At(url) => Ok(url.clone()),
            Target::Path(path) => {
                let url = self.endpoint.url(path);
                Url::parse(&url).map_err(|e| Error::Malformed(format!("{url:?} is no address: {e}")))
            }
        }
    }

    /// With what proof there is; and when that is refused, with the one that is asked for.
    async fn authorised(&self, request: &Request, url: &Url) -> Result<Response, Error> {
        let before = self.proof_for(request, url).await?;
        let response = self.follow(request, url, before.as_ref()).await?;
        // Where we were redirected to somebody else, his challenge is none of ours: he would name where our password goes.
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_ours(response.url()) {
            return Ok(response);
        }
        let challenges: Vec<Challenge> = challenges(&response);
        if let Some((key, token)) = before.as_ref().and_then(|p| p.token.as_ref()) {
            self.client.inner.tokens.forget(key, token);
        }
        let Some(proof) = self.prove(request, url, &challenges).await? else { return Ok(response) };
        if before.is_some_and(|b| b.header == proof.header) {
            return Ok(response);
        }
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof.clone());
        self.follow(request, url, Some(&proof)).await
    }

    /// What was good for the last request; with a further repository, a token that is good for both.
    async fn proof_for(&self, request: &Request, url: &Url) -> Result<Option<Proof>, Error> {
        let proof = self.proof.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(also), Some((key, _))) = (&request.also, proof.as_ref().and_then(|p| p.token.as_ref())) else {
            return Ok(proof);
        };
        let key = TokenKey { scope: with_reading(&self.scope, also), ..key.clone() };
        self.token(&request.method, url, key).await.map(Some)
    }

    fn is_ours(&self, url: &Url) -> bool {
        Url::parse(&self.endpoint.url("")).is_ok_and(|own| own.origin() == url.origin())
    }

    /// Follows redirects; the proof goes only where it was meant to go.
    async fn follow(&self, request: &Request, origin: &Url, proof: Option<&Proof>) -> Result<Response, Error> {
        let broken = |text: &str| Error::Malformed(format!("{text} (redirected from {origin})"));
        let mut target = origin.clone();
        for _ in 0..MAX_REDIRECTS {
            let mut headers = request.headers.clone();
            if let Some(proof) = proof.filter(|_| self.is_ours(&target)) {
                let value = HeaderValue::from_str(&proof.header).map_err(|_| broken("credentials that are no text"))?;
                headers.insert(AUTHORIZATION, value);
            }
            let response = self.exchange(request, &target, headers).await?;
            let Some(location) = redirect(&response) else { return Ok(response) };
            let next = target.join(location).map_err(|_| broken("the registry redirects to no address"))?;
            let downgraded = target.scheme() == "https" && next.scheme() != "https";
            if downgraded && !self.endpoint.trust.anybody {
                return Err(broken("the registry redirects from https to http"));
            }
            target = next;
        }
        Err(broken("the registry redirects without end"))
    }

    /// There and back once.
    async fn exchange(&self, request: &Request, url: &Url, mut headers: HeaderMap) -> Result<Response, Error> {
        let way = if matches!(request.body, Body::Long(_)) { Way::Out } else { Way::In };
        let http = self.client.inner.http(url, &self.endpoint.trust, way)?;
        let outgoing = http.request(request.method.clone(), url.clone());
        let inner = &self.client.inner;
        let failed = |e: reqwest::Error| inner.explain(url, transport(&request.method, url.as_str(), &e));
        let response = match &request.body {
            Body::None => {
                if matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                outgoing.headers(headers).send().await.map_err(failed)
            }
            Body::Small(bytes) => outgoing.headers(headers).body(bytes.clone()).send().await.map_err(failed),
            Body::Long(body) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(body.length()));
                let passing = body.begin();
                let sent = outgoing.headers(headers).body(passing.body()).send();
                let late = |reason: &str| Error::Transport {
                    method: method_name(&request.method),
                    url: url.to_string(),
                    reason: reason.to_owned(),
                    wrong_scheme: false,
                };
                passing.watch(async { sent.await.map_err(failed) }, late).await
            }
        };
        inner.passed(request, url, response?)
    }

    /// An answer to the challenges, or `None` where there is none that would be new.
    async fn prove(&self, request: &Request, url: &Url, challenges: &[Challenge]) -> Result<Option<Proof>, Error> {
        let method = &request.method;
        if let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") {
            let realm = bearer.get("realm").unwrap_or_default().to_owned();
            let service = bearer.get("service").unwrap_or_default().to_owned();
            let asked = bearer.get("scope").filter(|s| !s.is_empty() && self.purpose == Purpose::Pull);
            let mut scope = asked.unwrap_or(&self.scope).to_owned();
            if let Some(also) = &request.also {
                scope = with_reading(&scope, also);
            }
            let key = TokenKey { realm, service, scope, owner: self.owner() };
            return self.token(method, url, key).await.map(Some);
        }
        if !challenges.iter().any(|c| c.scheme == "basic") {
            return Ok(None);
        }
        match self.credentials.as_ref().and_then(user_and_password) {
            Some((user, password)) => Ok(Some(Proof { header: basic(&user, &password), token: None })),
            None => Err(unauthorized(method, url, "no basic auth credentials".into())),
        }
    }

    async fn token(&self, method: &Method, url: &Url, key: TokenKey) -> Result<Proof, Error> {
        let realm = &key.realm;
        let realm_url = Url::parse(realm)
            .map_err(|_| unauthorized(method, url, format!("the registry sends us for a token to {realm:?}")))?;
        let proof = |token: String| Proof { header: format!("Bearer {token}"), token: Some((key.clone(), token)) };
        if let Some(token) = self.client.inner.tokens.get(&key) {
            return Ok(proof(token));
        }
        let response = self.ask_for_token(realm_url, &key).await?;
        if !response.status().is_success() {
            let failure = Failure::read(&Method::GET, realm, response).await;
            return Err(match failure.error {
                Error::Registry { words, message, status: 401 | 403 } => {
                    unauthorized(method, url, format!("{words}: {message}"))
                }
                Error::Status { status: 401 | 403, .. } => {
                    unauthorized(method, url, "unauthorized: incorrect username or password".into())
                }
                other => other,
            });
        }
        let body = bounded_body(response, MAX_TOKEN_BODY).await?;
        let answer: Result<TokenAnswer, _> = serde_json::from_slice(&body);
        let token = answer.ok().and_then(TokenAnswer::token);
        let (token, life) = token.ok_or_else(|| Error::Malformed(format!("{realm} answered, but with no token")))?;
        self.client.inner.tokens.put(key.clone(), token.clone(), life);
        Ok(proof(token))
    }

    async fn ask_for_token(&self, mut realm: Url, key: &TokenKey) -> Result<Response, Error> {
        let http = self.client.inner.http(&realm, &self.endpoint.trust, Way::In)?;
        let safe = realm.scheme() == "https" || self.endpoint.scheme == "http";
        let credentials = self.credentials.as_ref().filter(|_| safe);
        let refresh = credentials.map(|c| c.identity_token.clone()).filter(|t| !t.is_empty());
        if let Some(refresh) = refresh {
            let mut form = Url::parse("form:").map_err(|e| Error::Malformed(e.to_string()))?;
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", &key.service)
                .append_pair("scope", &key.scope)
                .append_pair("client_id", "berth")
                .append_pair("refresh_token", &refresh);
            let body = form.query().unwrap_or_default().to_owned();
            let request = http.post(realm.clone()).header("content-type", "application/x-www-form-urlencoded");
            return request
                .body(body)
                .send()
                .await
                .map_err(|e| self.client.inner.explain(&realm, transport(&Method::POST, realm.as_str(), &e)));
        }
        if !key.service.is_empty() {
            realm.query_pairs_mut().append_pair("service", &key.service);
        }
        for scope in key.scope.split(' ') {
            realm.query_pairs_mut().append_pair("scope", scope);
        }
        let mut request = http.get(realm.clone());
        if let Some((user, password)) = credentials.and_then(user_and_password) {
            realm.query_pairs_mut().append_pair("account", &user);
            request = http.get(realm.clone()).header(AUTHORIZATION, basic(&user, &password));
        }
        request.send().await.map_err(|e| self.client.inner.explain(&realm, transport(&Method::GET, realm.as_str(), &e)))
    }

    fn owner(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let Some(credentials) = &self.credentials {
            (user_and_password(credentials), &credentials.identity_token).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A token's scope that lets another repository be read as well.
fn with_reading(scope: &str, other: &str) -> String {
    format!("{scope} repository:{other}:pull")
}

fn redirect(response: &Response) -> Option<&str> {
    match response.status().as_u16() {
        301 | 302 | 303 | 307 | 308 => response.headers().get(LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// A body that should be short.
pub(crate) async fn bounded_body(mut response: Response, most: usize) -> Result<Vec<u8>, Error> {
    let url = response.url().to_string();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| transport(&Method::GET, &url, &e))? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Err(Error::Verification(format!("{url} answered with more than {most} bytes")));
        }
    }
    Ok(body)
}

fn unauthorized(method: &Method, url: &Url, reason: String) -> Error {
    Error::Unauthorized { method: method_name(method), url: url.to_string(), reason }
}

/// Go's spelling, which Docker's users know.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "Head",
        Method::POST => "Post",
        Method::PUT => "Put",
        Method::PATCH => "Patch",
        Method::DELETE => "Delete",
        _ => "Get",
    }
}

/// A failure below HTTP, by its deepest cause.
pub(crate) fn transport(method: &Method, url: &str, error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    let mut words = String::new();
    let mut refused = false;
    while let Some(source) = cause.source() {
        cause = source;
        words.push_str(&cause.to_string());
        refused |=
            cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
    }
    let host = Url::parse(url).ok();
    let authority = host.as_ref().map(Url::authority).unwrap_or_default();
    let reason = match () {
        () if refused => format!("dial tcp {authority}: connect: connection refused"),
        () if words.contains("dns error") => {
            format!("dial tcp: lookup {}: no such host", host.as_ref().and_then(Url::host_str).unwrap_or_default())
        }
        () if words.contains("UnknownIssuer") => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()
        }
        () if error.is_timeout() => "the registry does not answer (timed out)".to_owned(),
        () => cause.to_string(),
    };
    // Bytes that are no HTTP, or no TLS, or none at all: the other scheme may be the right one.
    let wrong_scheme = !refused && !error.is_timeout() && (error.is_request() || error.is_connect());
    Error::Transport { method: method_name(method), url: url.to_owned(), reason, wrong_scheme }
}
