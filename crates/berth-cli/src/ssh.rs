//! `ssh://[user@]host[:port][/socket]`: a daemon on another machine, reached by the user's own `ssh`, which there runs
//! `berth system dial-stdio` (or Docker's). Each connection is one `ssh`; its standard streams are the connection.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Where `ssh` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ssh {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The socket over there, where it is not the usual one.
    socket: Option<String>,
}

impl Ssh {
    /// Reads what follows `ssh://`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("invalid ssh host ssh://{text}: {why}"));
        if text.contains(['?', '#']) {
            return wrong("no query and no fragment can be given");
        }
        let (authority, path) = text.split_once('/').map_or((text, ""), |(authority, path)| (authority, path));
        let (user, address) = authority.rsplit_once('@').map_or((None, authority), |(u, a)| (Some(u), a));
        if user.is_some_and(|user| user.contains(':')) {
            return wrong("plain-text password is not supported");
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => return wrong("the port is no number"),
            },
            _ => (address, None),
        };
        let host = host.trim_matches(['[', ']']);
        // A name that ssh would take for an option must not become one.
        let bad = |text: &str| text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace);
        if bad(host) || user.is_some_and(bad) {
            return wrong("no host specified, or a host or user that cannot be one");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: (!path.is_empty()).then(|| format!("/{path}")),
        })
    }

    /// What stands in `Host` headers and errors.
    pub(crate) fn address(&self) -> String {
        self.host.clone()
    }

    fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = ["-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "-T"].map(str::to_owned).into();
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.extend(["--".to_owned(), self.host.clone(), self.remote()]);
        words
    }

    /// What runs over there. The user's shell may be any: `sh` is asked by name.
    fn remote(&self) -> String {
        let host = self.socket.as_ref().map_or(String::new(), |path| format!(" --host unix://{}", shell(path)));
        let script = format!(
            "if command -v berth >/dev/null 2>&1; then exec berth{host} system dial-stdio; else exec docker{host} system dial-stdio; fi"
        );
        format!("sh -c {}", shell(&script))
    }

    /// Opens a connection.
    pub(crate) fn dial(&self) -> std::io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let input = OwnedFd::from(theirs.try_clone()?);
        // A group of its own: Ctrl-C is for the container, not for the connection to it.
        let mut child = Command::new("ssh")
            .args(self.arguments())
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .process_group(0)
            .spawn()
            .map_err(|error| std::io::Error::new(error.kind(), format!("running ssh: {error}")))?;
        std::thread::spawn(move || drop(child.wait()));
        Ok(ours)
    }
}

impl std::fmt::Display for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

/// One word for a shell.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let full = Ssh::parse("me@host:22/run/x.sock").unwrap();
        assert_eq!(full.to_string(), "ssh://me@host:22/run/x.sock");
        let words = full.arguments().join(" ");
        assert!(words.starts_with("-o ConnectTimeout=30 -o BatchMode=yes -T -l me -p 22 -- host sh -c '"), "{words}");
        assert!(words.contains("--host unix:"), "{words}");
        assert_eq!(Ssh::parse("host").unwrap().to_string(), "ssh://host");
        assert_eq!(Ssh::parse("[::1]:22").unwrap().host, "::1");
        for bad in ["", "me:secret@host", "-oProxyCommand=x", "me@-x", "-x@host", "host:x", "host?a", "a b"] {
            assert!(Ssh::parse(bad).is_err(), "{bad}");
        }
    }
}
