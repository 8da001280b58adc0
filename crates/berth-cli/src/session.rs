//! What one command works with: the program's name, the user's configuration, the daemon.

use std::cell::OnceCell;
use std::future::Future;

use berth_client::{Client, Host};

use crate::command::Command;
use crate::config::Config;
use crate::failure::Failure;
use crate::global::Globals;
use crate::program::Program;
use crate::{context, ondemand};

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) program: Program,
    pub(crate) command: &'static Command,
    /// As it was called, without the program's name (`container run`).
    pub(crate) path: String,
    globals: Globals,
    config: OnceCell<Config>,
}

impl Session {
    pub(crate) fn new(program: Program, globals: Globals, command: &'static Command, path: String) -> Self {
        Self { program, command, path, globals, config: OnceCell::new() }
    }

    /// The user's `config.json`, read when first asked for.
    pub(crate) fn config(&self) -> &Config {
        self.config.get_or_init(|| Config::load(self.globals.config.as_deref()))
    }

    /// Runs a future to its end on this thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let value = runtime.block_on(future);
        // A read of standard input may still be waiting for a key; nobody waits for it.
        runtime.shutdown_background();
        Ok(value)
    }

    /// A client of the daemon that is meant; starts one where the command wants work done and none listens.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let (host, asked_for) = self.host()?;
        if self.command.wants_daemon && !asked_for {
            ondemand::ensure(self.program, &host)?;
        }
        let mut client = Client::connect(&host);
        if matches!(host, Host::Tcp(_))
            && let Some(tls) = self.globals.tls.load(&self.config().directory)?
        {
            client = client.with_tls(tls);
        }
        let version = std::env::var("DOCKER_API_VERSION").ok().and_then(|v| v.trim_start_matches('v').parse().ok());
        Ok(match version {
            Some(version) => client.with_version(version),
            None => client,
        })
    }

    /// Where the daemon is, and whether the user named it.
    pub(crate) fn host(&self) -> Result<(Host, bool), Failure> {
        let fail =
            |reason: String| Failure::new(format!("Failed to initialize: unable to resolve docker endpoint: {reason}"));
        let tls = self.globals.tls.wanted();
        match self.globals.hosts.as_slice() {
            [] => {}
            [one] => return Ok((Host::parse_for(one, tls).map_err(|e| fail(e.to_string()))?, true)),
            _ => return Err(fail("Specify only one -H".to_owned())),
        }
        if let Some(name) = &self.globals.context {
            return Ok((
                context::host(name, self.config()).map_err(fail)?.unwrap_or_default(),
                name != context::DEFAULT,
            ));
        }
        if let Some(host) = Host::from_env(tls).map_err(|e| fail(e.to_string()))? {
            return Ok((host, true));
        }
        let name = context::current(self.config());
        let host = context::host(&name, self.config()).map_err(fail)?;
        Ok((host.clone().unwrap_or_default(), host.is_some()))
    }

    /// The name of the context in use, for `version` and `info`.
    pub(crate) fn context_name(&self) -> String {
        match &self.globals.context {
            Some(name) => name.clone(),
            None if !self.globals.hosts.is_empty() || std::env::var_os("DOCKER_HOST").is_some() => {
                context::DEFAULT.to_owned()
            }
            None => context::current(self.config()),
        }
    }
}

impl From<berth_client::Error> for Failure {
    fn from(error: berth_client::Error) -> Self {
        Self::new(error.to_string())
    }
}
