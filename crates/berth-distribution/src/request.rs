//! One request to one endpoint, as often as it takes: authentication, redirects, retries.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use serde::Deserialize;

use crate::auth::{Challenge, TokenAnswer, TokenKey, basic, parse, user_and_password};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::{Credentials, Error};

const MAX_REDIRECTS: usize = 10;
const MAX_TRIES: u32 = 5;
/// A registry that wants us to wait longer is told that we will not.
const MAX_PATIENCE: Duration = Duration::from_secs(60);
const MAX_ERROR_BODY: usize = 64 * 1024;
const MAX_TOKEN_BODY: usize = 1 << 20;

/// Requests to one endpoint about one repository; remembers how it proved itself.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    pub(crate) endpoint: Endpoint,
    scope: String,
    credentials: Option<Credentials>,
    proof: Mutex<Option<Proof>>,
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

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<RegistryError>,
}

#[derive(Deserialize)]
struct RegistryError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// How long to wait before the next try: half a second, doubled each time.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(500 << attempt.min(5))
}

impl Session {
    pub(crate) fn new(client: Client, endpoint: Endpoint, path: &str, credentials: Option<Credentials>) -> Self {
        let credentials = credentials.filter(|_| !endpoint.mirror);
        let given = credentials.as_ref().map(|c| c.registry_token.clone()).filter(|t| !t.is_empty());
        let proof = given.map(|token| Proof { header: format!("Bearer {token}"), token: None });
        Self { client, endpoint, scope: format!("repository:{path}:pull"), credentials, proof: Mutex::new(proof) }
    }

    /// Sends a request until it is answered with success, or there is no more hope.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &HeaderMap) -> Result<Response, Error> {
        let url = self.endpoint.url(path);
        let tries = match self.client.inner.config.attempts {
            0 => MAX_TRIES,
            tries => tries,
        };
        let mut attempt = 0;
        loop {
            let failed = match self.authorised(&method, &url, headers).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => Failure::read(&method, &url, response).await,
                Err(error) => Failure { again: is_transient(&error), error, wait: None },
            };
            attempt += 1;
            let wait = failed.wait.unwrap_or_else(|| backoff(attempt - 1));
            if !failed.again || attempt >= tries || wait > MAX_PATIENCE {
                return Err(failed.error);
            }
            tracing::debug!(%url, error = %failed.error, ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// With what proof there is; and when that is refused, with the one that is asked for.
    async fn authorised(&self, method: &Method, url: &str, headers: &HeaderMap) -> Result<Response, Error> {
        let before = self.proof();
        let response = self.follow(method, url, headers, before.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let challenges: Vec<Challenge> = challenges(&response);
        if let Some((key, token)) = before.as_ref().and_then(|p| p.token.as_ref()) {
            self.client.inner.tokens.forget(key, token);
        }
        let Some(proof) = self.prove(method, url, &challenges).await? else { return Ok(response) };
        if before.is_some_and(|b| b.header == proof.header) {
            return Ok(response);
        }
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof.clone());
        self.follow(method, url, headers, Some(&proof)).await
    }

    fn proof(&self) -> Option<Proof> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows redirects; the proof goes only where it was meant to go.
    async fn follow(
        &self,
        method: &Method,
        url: &str,
        headers: &HeaderMap,
        proof: Option<&Proof>,
    ) -> Result<Response, Error> {
        let http = self.client.inner.http(self.endpoint.trust)?;
        let broken = |text: &str| Error::Malformed(format!("{text} (redirected from {url})"));
        let origin = Url::parse(url).map_err(|e| Error::Malformed(format!("{url:?} is no address: {e}")))?;
        let mut target = origin.clone();
        for _ in 0..MAX_REDIRECTS {
            let mut request = http.request(method.clone(), target.clone()).headers(headers.clone());
            if let Some(proof) = proof.filter(|_| target.origin() == origin.origin()) {
                let value = HeaderValue::from_str(&proof.header).map_err(|_| broken("credentials that are no text"))?;
                request = request.header(AUTHORIZATION, value);
            }
            let response = request.send().await.map_err(|e| transport(method, target.as_str(), &e))?;
            let Some(location) = redirect(&response) else { return Ok(response) };
            let next = target.join(location).map_err(|_| broken("the registry redirects to no address"))?;
            let downgraded = target.scheme() == "https" && next.scheme() != "https";
            if downgraded && self.endpoint.trust == crate::client::Trust::Authorities {
                return Err(broken("the registry redirects from https to http"));
            }
            target = next;
        }
        Err(broken("the registry redirects without end"))
    }

    /// An answer to the challenges, or `None` where there is none that would be new.
    async fn prove(&self, method: &Method, url: &str, challenges: &[Challenge]) -> Result<Option<Proof>, Error> {
        if let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") {
            return self.token(method, url, bearer).await.map(Some);
        }
        if !challenges.iter().any(|c| c.scheme == "basic") {
            return Ok(None);
        }
        match self.credentials.as_ref().and_then(user_and_password) {
            Some((user, password)) => Ok(Some(Proof { header: basic(&user, &password), token: None })),
            None => Err(unauthorized(method, url, "no basic auth credentials".into())),
        }
    }

    async fn token(&self, method: &Method, url: &str, challenge: &Challenge) -> Result<Proof, Error> {
        let realm = challenge.get("realm").unwrap_or_default();
        let realm_url = Url::parse(realm)
            .map_err(|_| unauthorized(method, url, format!("the registry sends us for a token to {realm:?}")))?;
        let service = challenge.get("service").unwrap_or_default().to_owned();
        let scope = challenge.get("scope").filter(|s| !s.is_empty()).unwrap_or(&self.scope).to_owned();
        let key = TokenKey { realm: realm.to_owned(), service, scope, owner: self.owner() };
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
        let http = self.client.inner.http(self.endpoint.trust)?;
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
            return request.body(body).send().await.map_err(|e| transport(&Method::POST, realm.as_str(), &e));
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
        request.send().await.map_err(|e| transport(&Method::GET, realm.as_str(), &e))
    }

    fn owner(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let Some(credentials) = &self.credentials {
            (user_and_password(credentials), &credentials.identity_token).hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn challenges(response: &Response) -> Vec<Challenge> {
    let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(parse).collect()
}

fn redirect(response: &Response) -> Option<&str> {
    match response.status().as_u16() {
        301 | 302 | 303 | 307 | 308 => response.headers().get(LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// An answer that is no success.
struct Failure {
    error: Error,
    again: bool,
    wait: Option<Duration>,
}

impl Failure {
    async fn read(method: &Method, url: &str, response: Response) -> Self {
        let status = response.status().as_u16();
        let again = matches!(status, 408 | 429 | 500 | 502 | 503 | 504);
        let wait = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
        let wait = wait.map(Duration::from_secs);
        let denied = status == 401
            && challenges(&response).iter().any(|c| c.get("error").is_some_and(|e| e.contains("insufficient_scope")));
        if denied {
            let message = "requested access to the resource is denied".into();
            return Self { error: Error::Registry { words: "denied".into(), message, status }, again: false, wait };
        }
        let body = bounded_body(response, MAX_ERROR_BODY).await.unwrap_or_default();
        Self { error: explain(method, url, status, &body), again, wait }
    }
}

fn explain(method: &Method, url: &str, status: u16, body: &[u8]) -> Error {
    let first = serde_json::from_slice::<Errors>(body).ok().and_then(|e| e.errors.into_iter().next());
    match first {
        Some(error) if !error.code.is_empty() => {
            let words = error.code.replace('_', " ").to_ascii_lowercase();
            let message = if error.message.is_empty() { words.clone() } else { error.message };
            Error::Registry { words, message, status }
        }
        _ if status == 400 && String::from_utf8_lossy(body).contains("HTTPS") => {
            let reason = "server wants HTTPS".to_owned();
            Error::Transport { method: method_name(method), url: url.to_owned(), reason, wrong_scheme: true }
        }
        _ => Error::Status { method: method_name(method), url: url.to_owned(), status },
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

fn unauthorized(method: &Method, url: &str, reason: String) -> Error {
    Error::Unauthorized { method: method_name(method), url: url.to_owned(), reason }
}

/// Go's spelling, which Docker's users know.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "Head",
        Method::POST => "Post",
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

/// Whether the same request may do better in a moment: a refusal and an unknown name will not.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Transport { reason, wrong_scheme, .. } => {
            let hopeless = ["connection refused", "no such host", "certificate", "wants HTTPS"];
            let scheme = *wrong_scheme && (reason.contains("invalid HTTP") || reason.contains("InvalidContentType"));
            !scheme && !hopeless.iter().any(|text| reason.contains(text))
        }
        _ => false,
    }
}
