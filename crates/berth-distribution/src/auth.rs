//! Proving who we are: `WWW-Authenticate` challenges, and the tokens that answer them.
//!
//! RFC 9110, 11.6.1; Docker Registry token authentication ("Token Authentication Specification").

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::WWW_AUTHENTICATE;
use reqwest::Response;
use serde::Deserialize;

use crate::Credentials;

/// One challenge of a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Lower case.
    pub(crate) scheme: String,
    pub(crate) parameters: HashMap<String, String>,
}

impl Challenge {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.parameters.get(key).map(String::as_str)
    }
}

/// The challenges of one header line; what cannot be read is left out.
fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let word_end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        match after.strip_prefix('=') {
            Some(value) => {
                let (value, tail) = parameter_value(value);
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.insert(word.to_ascii_lowercase(), value);
                }
                rest = tail;
            }
            None => {
                if !word.is_empty() {
                    let scheme = word.to_ascii_lowercase();
                    challenges.push(Challenge { scheme, parameters: HashMap::new() });
                }
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    challenges
}

fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (n, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[n + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The challenges of an answer.
pub(crate) fn challenges(response: &Response) -> Vec<Challenge> {
    let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(parse).collect()
}

/// User and password, however they were given.
pub(crate) fn user_and_password(credentials: &Credentials) -> Option<(String, String)> {
    if !credentials.username.is_empty() {
        return Some((credentials.username.clone(), credentials.password.clone()));
    }
    let decoded = STANDARD.decode(credentials.auth.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| (user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// What a token server answers.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl TokenAnswer {
    pub(crate) fn token(self) -> Option<(String, Duration)> {
        let token = if self.token.is_empty() { self.access_token } else { self.token };
        // The specification's least; a little less, so that none expires on its way.
        let life = self.expires_in.filter(|&s| s >= 60).unwrap_or(60) - 10;
        (!token.is_empty()).then_some((token, Duration::from_secs(life)))
    }
}

/// What a token is good for, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    pub(crate) realm: String,
    pub(crate) service: String,
    pub(crate) scope: String,
    /// Another password is another token: the hash of both.
    pub(crate) owner: u64,
}

/// Tokens that still live.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<TokenKey, (String, Instant)>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(crate) fn get(&self, key: &TokenKey) -> Option<String> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, until)| *until > Instant::now());
        tokens.get(key).map(|(token, _)| token.clone())
    }

    pub(crate) fn put(&self, key: TokenKey, token: String, life: Duration) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(key, (token, Instant::now() + life));
    }

    /// A token that was refused.
    pub(crate) fn forget(&self, key: &TokenKey, refused: &str) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.get(key).is_some_and(|(token, _)| token == refused) {
            tokens.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let all = parse(
            r#"Bearer realm="https://a/token",service="reg \"x\"",scope="repository:a/b:pull,push", Basic realm=plain"#,
        );
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].scheme, "bearer");
        assert_eq!(all[0].get("realm"), Some("https://a/token"));
        assert_eq!(all[0].get("service"), Some("reg \"x\""));
        assert_eq!(all[0].get("scope"), Some("repository:a/b:pull,push"));
        assert_eq!((all[1].scheme.as_str(), all[1].get("realm")), ("basic", Some("plain")));
        for odd in ["", ",", "=", "Bearer", "Bearer realm=\"x", "\"", "a=b=c,,"] {
            let _ = parse(odd);
        }
    }

    #[test]
    fn credentials_in_either_form() {
        let plain = Credentials { username: "u".into(), password: "p:q".into(), ..Credentials::default() };
        let packed = Credentials { auth: STANDARD.encode("u:p:q"), ..Credentials::default() };
        assert_eq!(user_and_password(&plain), user_and_password(&packed));
        assert_eq!(user_and_password(&Credentials::default()), None);
    }
}
