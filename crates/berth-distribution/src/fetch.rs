//! A file from any web server, as whoever imports from a URL wants it.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use reqwest::{Response, Url};

use crate::client::Way;
use crate::request::transport;
use crate::trust::Trust;
use crate::{Client, Error};

/// Redirects that lead to redirects, at most.
const MAX_REDIRECTS: usize = 10;

/// A file on its way. What has come is lost where the connection breaks: not every server can go on in the middle.
#[derive(Debug)]
pub struct Download {
    response: Response,
    url: String,
    /// Its length, where the server says.
    pub length: Option<u64>,
}

impl Client {
    /// Begins to fetch what lies at an `http` or `https` URL, through the proxies that registries are reached by.
    ///
    /// # Errors
    /// It is no URL, there is no such file, or no way to the server.
    pub async fn fetch(&self, url: &str) -> Result<Download, Error> {
        let wrong = |why: &dyn std::fmt::Display| Error::Malformed(format!("{url:?} is no URL to fetch: {why}"));
        let mut next = Url::parse(url).map_err(|e| wrong(&e))?;
        for _ in 0..=MAX_REDIRECTS {
            if !matches!(next.scheme(), "http" | "https") {
                return Err(wrong(&"it must begin with http:// or https://"));
            }
            let http = self.inner.http(&next, &Trust::default(), Way::In)?;
            let response = http.get(next.clone()).send().await;
            let failed = |e: reqwest::Error| self.inner.explain(&next, transport(&Method::GET, next.as_str(), &e));
            let response = response.map_err(failed)?;
            if let Some(target) = redirect(&response) {
                next = next.join(&target).map_err(|e| wrong(&e))?;
                continue;
            }
            let status = response.status();
            if status != StatusCode::OK {
                return Err(Error::Malformed(format!("failed to GET {url} with status {status}")));
            }
            let length = response.content_length();
            return Ok(Download { response, url: url.to_owned(), length });
        }
        Err(Error::Malformed(format!("{url} redirects without end")))
    }
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(|e| transport(&Method::GET, &self.url, &e))
    }
}

fn redirect(response: &Response) -> Option<String> {
    let target = response.status().is_redirection().then(|| response.headers().get(header::LOCATION)).flatten();
    target.and_then(|target| target.to_str().ok()).map(str::to_owned)
}
