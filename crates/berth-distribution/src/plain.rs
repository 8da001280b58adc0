//! One question to one place outside of any repository: no retry, no redirect, but an answer to its challenge.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use serde::Deserialize;

use crate::auth::{Challenge, basic, challenges, user_and_password};
use crate::client::{Client, Way};
use crate::endpoint::Endpoint;
use crate::request::{bounded_body, transport};
use crate::{Credentials, Error};

const MAX_TOKEN_BODY: usize = 1 << 20;
/// What token servers know Docker's clients by.
const CLIENT_ID: &str = "docker";

/// Who asks whom, and for what.
pub(crate) struct Plain<'a> {
    pub(crate) client: &'a Client,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) credentials: Option<&'a Credentials>,
    /// The scope of tokens, where the registry names none.
    pub(crate) scope: &'static str,
    /// A refresh token is wanted as well.
    pub(crate) offline: bool,
}

/// An answer, and the refresh token that the token server gave on the way to it.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) refresh_token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    token: String,
    access_token: String,
    refresh_token: String,
}

impl Plain<'_> {
    /// `GET url`; a 401 is answered once.
    pub(crate) async fn get(&self, url: &str) -> Result<Answered, Error> {
        let response = self.send(url, None).await?;
        let challenges = challenges(&response);
        if response.status() != StatusCode::UNAUTHORIZED || challenges.is_empty() {
            return Ok(Answered { response, refresh_token: String::new() });
        }
        let (proof, refresh_token) = self.prove(url, &challenges).await?;
        Ok(Answered { response: self.send(url, Some(&proof)).await?, refresh_token })
    }

    async fn send(&self, url: &str, proof: Option<&str>) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        if let Some(proof) = proof {
            let value = HeaderValue::from_str(proof).map_err(|_| unauthorized(url, "credentials that are no text"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let parsed = Url::parse(url).map_err(|e| Error::Malformed(format!("{url:?} is no address: {e}")))?;
        let request = self.client.inner.http(&parsed, &self.endpoint.trust, Way::In)?.get(url).headers(headers);
        request.send().await.map_err(|e| self.client.inner.explain(&parsed, transport(&Method::GET, url, &e)))
    }

    /// The header that answers a challenge, and a refresh token where there is one.
    async fn prove(&self, url: &str, challenges: &[Challenge]) -> Result<(String, String), Error> {
        if let Some(bearer) = challenges.iter().find(|c| c.scheme == "bearer") {
            let tokens = self.token(url, bearer).await?;
            let token = if tokens.token.is_empty() { &tokens.access_token } else { &tokens.token };
            return Ok((format!("Bearer {token}"), tokens.refresh_token));
        }
        match self.credentials.and_then(user_and_password) {
            Some((user, password)) => Ok((basic(&user, &password), String::new())),
            None => Err(unauthorized(url, "no basic auth credentials")),
        }
    }

    async fn token(&self, url: &str, challenge: &Challenge) -> Result<Tokens, Error> {
        let realm = challenge.get("realm").unwrap_or_default();
        let no_realm = || unauthorized(url, &format!("the registry sends us for a token to {realm:?}"));
        let realm_url = Url::parse(realm).map_err(|_| no_realm())?;
        let response = self.ask_for_token(realm_url, challenge).await?;
        if matches!(response.status().as_u16(), 401 | 403) {
            return Err(unauthorized(url, "unauthorized: incorrect username or password"));
        }
        if !response.status().is_success() {
            let status = response.status().as_u16();
            return Err(Error::Status { method: "Get", url: realm.to_owned(), status });
        }
        let body = bounded_body(response, MAX_TOKEN_BODY).await?;
        let tokens: Tokens = serde_json::from_slice(&body).unwrap_or_default();
        match tokens.token.is_empty() && tokens.access_token.is_empty() {
            true => Err(Error::Malformed(format!("{realm} answered, but with no token"))),
            false => Ok(tokens),
        }
    }

    async fn ask_for_token(&self, mut realm: Url, challenge: &Challenge) -> Result<Response, Error> {
        let http = self.client.inner.http(&realm, &self.endpoint.trust, Way::In)?;
        // Credentials that came by TLS do not go on without it.
        let safe = realm.scheme() == "https" || self.endpoint.scheme == "http";
        let credentials = self.credentials.filter(|_| safe);
        let service = challenge.get("service").unwrap_or_default();
        let scope = challenge.get("scope").filter(|s| !s.is_empty()).unwrap_or(self.scope);
        let inner = &self.client.inner;
        let failed =
            |method, realm: &Url, e: &reqwest::Error| inner.explain(realm, transport(&method, realm.as_str(), e));
        if let Some(refresh) = credentials.map(|c| c.identity_token.as_str()).filter(|t| !t.is_empty()) {
            let mut form = Url::parse("form:").map_err(|e| Error::Malformed(e.to_string()))?;
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", service)
                .append_pair("scope", scope)
                .append_pair("client_id", CLIENT_ID)
                .append_pair("refresh_token", refresh);
            let body = form.query().unwrap_or_default().to_owned();
            let request = http.post(realm.clone()).header("content-type", "application/x-www-form-urlencoded");
            return request.body(body).send().await.map_err(|e| failed(Method::POST, &realm, &e));
        }
        let user = credentials.and_then(user_and_password);
        {
            let mut query = realm.query_pairs_mut();
            if let Some((user, _)) = &user {
                query.append_pair("account", user);
            }
            if self.offline {
                query.append_pair("client_id", CLIENT_ID).append_pair("offline_token", "true");
            }
            for (name, value) in [("service", service)].into_iter().chain(scope.split(' ').map(|s| ("scope", s))) {
                if !value.is_empty() {
                    query.append_pair(name, value);
                }
            }
        }
        let mut request = http.get(realm.clone());
        if let Some((user, password)) = &user {
            request = request.header(AUTHORIZATION, basic(user, password));
        }
        request.send().await.map_err(|e| failed(Method::GET, &realm, &e))
    }
}

fn unauthorized(url: &str, reason: &str) -> Error {
    Error::Unauthorized { method: "Get", url: url.to_owned(), reason: reason.to_owned() }
}
