//! What one command works with: the program's name, the user's configuration, the daemon.

use std::cell::OnceCell;
use std::future::Future;

use berth_client::{Client, Host};

use crate::command::Command;
use crate::config::Config;
use crate::failure::Failure;
use crate::global::Globals;
use crate::program::Program;
use crate::target::Target;
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

    /// The same surroundings for a command.
    pub(crate) fn of(self, command: &'static Command, path: String) -> Self {
        Self { command, path, ..self }
    }

    /// What `-H` said.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.globals.hosts
    }

    /// `-D` was given.
    pub(crate) fn debug(&self) -> bool {
        self.globals.debug
    }

    /// The address that the default context stands for, as text.
    pub(crate) fn default_host(&self) -> String {
        let named = || std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        self.globals.hosts.first().cloned().or_else(named).unwrap_or_else(|| Host::default().to_string())
    }

    /// What plugins must be told: our usual socket, where nothing else names a daemon.
    pub(crate) fn host_for_plugins(&self) -> Option<String> {
        let named = std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty());
        let unnamed = self.globals.hosts.is_empty() && !named && self.context_name() == context::DEFAULT;
        unnamed.then(|| Host::default().to_string())
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
        let target = self.target()?;
        if self.command.wants_daemon
            && let Some(host) = target.may_be_started()
        {
            ondemand::ensure(self.program, host)?;
        }
        let client = target.client(&self.globals.tls, &self.config().directory)?.with_headers(self.headers()?);
        let version = std::env::var("DOCKER_API_VERSION").ok().and_then(|v| v.trim_start_matches('v').parse().ok());
        Ok(match version {
            Some(version) => client.with_version(version),
            None => client,
        })
    }

    /// `HttpHeaders` of the configuration.
    fn headers(&self) -> Result<http::HeaderMap, Failure> {
        let mut headers = http::HeaderMap::new();
        for (name, value) in self.config().http_headers() {
            let wrong = |error: &dyn std::fmt::Display| {
                let path = self.config().directory.join("config.json");
                Failure::new(format!("HttpHeaders in {}: {name:?}: {error}", path.display()))
            };
            let name = http::HeaderName::try_from(name).map_err(|e| wrong(&e))?;
            headers.insert(name, http::HeaderValue::try_from(value).map_err(|e| wrong(&e))?);
        }
        Ok(headers)
    }

    /// What containers are to be told of proxies, besides what is `given`.
    pub(crate) fn proxy_environment(&self, client: &Client, given: &[String]) -> Vec<String> {
        self.config().proxy_environment(&client.host().to_string(), given)
    }

    /// Where the daemon is.
    fn target(&self) -> Result<Target, Failure> {
        let fail =
            |reason: String| Failure::new(format!("Failed to initialize: unable to resolve docker endpoint: {reason}"));
        let tls = self.globals.tls.wanted();
        match self.globals.hosts.as_slice() {
            [] => {}
            [one] => return Target::named(one, tls).map_err(fail),
            _ => return Err(fail("Specify only one -H".to_owned())),
        }
        if let Some(name) = &self.globals.context {
            return Target::of_context(name, self.config()).map_err(fail);
        }
        match std::env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => Target::named(&host, tls).map_err(fail),
            _ => Target::of_context(&context::current(self.config()), self.config()).map_err(fail),
        }
    }

    /// The name of the context in use, for `version` and `info`.
    pub(crate) fn context_name(&self) -> String {
        let host_named = std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty());
        match &self.globals.context {
            Some(name) => name.clone(),
            None if !self.globals.hosts.is_empty() || host_named => context::DEFAULT.to_owned(),
            None => context::current(self.config()),
        }
    }
}

impl From<berth_client::Error> for Failure {
    fn from(error: berth_client::Error) -> Self {
        Self::new(error.to_string())
    }
}
