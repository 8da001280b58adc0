//! Programs that keep credentials: `docker-credential-NAME`, one verb a run, JSON on standard input and output.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// The user that stands for "the secret is an identity token".
pub(super) const TOKEN_USER: &str = "<token>";

/// What every helper says when it has nothing.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// One of these programs, by the end of its name.
pub(super) struct Helper<'a>(pub(super) &'a str);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl Helper<'_> {
    /// User and secret of a registry.
    pub(super) fn get(&self, registry: &str) -> Result<Option<(String, String)>, String> {
        let said = match self.ask("get", registry.as_bytes())? {
            Ok(said) => said,
            Err(refusal) if refusal.trim() == NOT_FOUND => return Ok(None),
            Err(refusal) => return Err(self.refused("get", &refusal)),
        };
        let entry: Entry = serde_json::from_str(&said).map_err(|error| self.nonsense("get", &error))?;
        Ok(Some((entry.username, entry.secret)))
    }

    pub(super) fn store(&self, registry: &str, user: &str, secret: &str) -> Result<(), String> {
        let entry = Entry { server_url: registry.to_owned(), username: user.to_owned(), secret: secret.to_owned() };
        let text = serde_json::to_vec(&entry).map_err(|error| error.to_string())?;
        self.ask("store", &text)?.map(drop).map_err(|refusal| self.refused("store", &refusal))
    }

    /// Nothing to erase is no failure.
    pub(super) fn erase(&self, registry: &str) -> Result<(), String> {
        match self.ask("erase", registry.as_bytes())? {
            Err(refusal) if refusal.trim() != NOT_FOUND => Err(self.refused("erase", &refusal)),
            _ => Ok(()),
        }
    }

    /// The registries it has something for.
    pub(super) fn list(&self) -> Result<Vec<String>, String> {
        let said = self.ask("list", b"")?.map_err(|refusal| self.refused("list", &refusal))?;
        let all: BTreeMap<String, String> =
            serde_json::from_str(&said).map_err(|error| self.nonsense("list", &error))?;
        Ok(all.into_keys().collect())
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.0)
    }

    /// Runs the program once; what it says when it fails is on its standard output too.
    fn ask(&self, verb: &str, input: &[u8]) -> Result<Result<String, String>, String> {
        let program = self.program();
        let mut command = Command::new(&program);
        command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{program}: executable file not found in $PATH"),
            _ => format!("{program}: {error}"),
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why by its exit code.
            _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(if output.status.success() { Ok(said) } else { Err(said) })
    }

    fn refused(&self, verb: &str, refusal: &str) -> String {
        match refusal.trim() {
            "" => format!("{} {verb} failed and gave no reason", self.program()),
            reason => format!("{} {verb}: {reason}", self.program()),
        }
    }

    fn nonsense(&self, verb: &str, error: &serde_json::Error) -> String {
        format!("{} {verb} answered what is not JSON: {error}", self.program())
    }
}
