//! Where the daemon is: an address of this machine or the network, or another machine's by `ssh`.

use std::path::Path;
use std::sync::Arc;

use berth_client::{Client, Host, Tls, TlsFiles};

use crate::config::Config;
use crate::context;
use crate::failure::Failure;
use crate::ssh::Ssh;
use crate::tls::TlsFlags;

/// A daemon that is meant.
#[derive(Debug)]
pub(crate) struct Target {
    way: Way,
    /// The user named it; nobody starts a daemon there.
    named: bool,
}

#[derive(Debug)]
enum Way {
    /// As the flags before the command say.
    Address(Host),
    /// As a context says, with its own keys.
    Context(Host, Option<TlsFiles>),
    Ssh(Ssh),
}

impl Target {
    /// An address that somebody wrote down; `tls` decides about the port where it names none.
    pub(crate) fn named(text: &str, tls: bool) -> Result<Self, String> {
        let way = match text.strip_prefix("ssh://") {
            Some(rest) => Way::Ssh(Ssh::parse(rest)?),
            None => Way::Address(Host::parse_for(text, tls).map_err(|error| error.to_string())?),
        };
        Ok(Self { way, named: true })
    }

    /// What a context says; the default one stands for our usual socket.
    pub(crate) fn of_context(name: &str, config: &Config) -> Result<Self, String> {
        let Some((docker, tls)) = context::endpoint(name, config)? else {
            return Ok(Self { way: Way::Address(Host::default()), named: false });
        };
        if docker.host.is_empty() {
            return Ok(Self { way: Way::Address(Host::default()), named: true });
        }
        if let Some(rest) = docker.host.strip_prefix("ssh://") {
            return Ok(Self { way: Way::Ssh(Ssh::parse(rest)?), named: true });
        }
        let file = |name: &str| tls.files.get(name).cloned();
        let files = TlsFiles {
            ca: file("ca.pem").filter(|_| !docker.skip_tls_verify),
            cert: file("cert.pem"),
            key: file("key.pem"),
            verify: !docker.skip_tls_verify,
        };
        let tls = (!tls.files.is_empty() || docker.skip_tls_verify).then_some(files);
        let host = Host::parse_for(&docker.host, tls.is_some()).map_err(|error| error.to_string())?;
        Ok(Self { way: Way::Context(host, tls), named: true })
    }

    /// Where a daemon may be started if none listens.
    pub(crate) fn may_be_started(&self) -> Option<&Host> {
        match &self.way {
            Way::Address(host) if !self.named => Some(host),
            _ => None,
        }
    }

    /// A client that has opened nothing yet; `config` is the directory where keys lie by default.
    pub(crate) fn client(self, flags: &TlsFlags, config: &Path) -> Result<Client, Failure> {
        let tcp = |host: &Host| matches!(host, Host::Tcp(_));
        match self.way {
            Way::Address(host) => match flags.load(config)?.filter(|_| tcp(&host)) {
                Some(tls) => Ok(Client::connect(&host).with_tls(tls)),
                None => Ok(Client::connect(&host)),
            },
            Way::Context(host, Some(files)) if tcp(&host) => {
                let tls = Tls::load(&files).map_err(|error| Failure::new(format!("Failed to initialize: {error}")))?;
                Ok(Client::connect(&host).with_tls(tls))
            }
            Way::Context(host, _) => Ok(Client::connect(&host)),
            Way::Ssh(ssh) => {
                let name = Host::Tcp(ssh.address());
                Ok(Client::connect(&name).with_dialer(Arc::new(move || ssh.dial())))
            }
        }
    }
}
