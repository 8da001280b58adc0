//! Names that only the daemon, or the user's own files, know. A daemon is asked, never started, and not waited for.

use std::time::Duration;

use berth_api::{Filters, capability};
use berth_client::{Client, Error, ListImages, ListOptions};

use super::Directive;
use super::values::{Running, What};
use crate::context::{self, Store};
use crate::session::Session;

/// A user who has pressed Tab waits no longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks names up.
pub(super) struct Names<'a> {
    session: &'a Session,
}

impl<'a> Names<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// The candidates of a set, and what the shell may do besides.
    pub(super) fn of(&self, what: What, unfinished: &str) -> (Vec<String>, Directive) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let names = match what {
            What::Words(given) => words(given),
            What::Capabilities => words(&[&[capability::ALL], &capability::CAPABILITIES[..]].concat()),
            What::Containers(running) => self.containers(running),
            What::OfContainer(given) => {
                let containers = self.containers(Running::Yes).into_iter().map(|name| format!("container:{name}"));
                words(given).into_iter().chain(containers).collect()
            }
            What::Images => self.images(),
            What::Volumes => self.volumes(),
            What::Networks => self.networks(),
            What::Contexts => self.contexts(),
            What::Registries => self.session.config().registries(),
            What::Objects => {
                [self.containers(Running::Either), self.images(), self.networks(), self.volumes()].concat()
            }
            What::CopyPath if unfinished.contains([':', '/']) => return (Vec::new(), Directive::Files),
            What::CopyPath => {
                let names = self.containers(Running::Either).into_iter().map(|name| format!("{name}:")).collect();
                return (names, Directive::NoSpace);
            }
            What::Variables => std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect(),
            What::Files => return (Vec::new(), Directive::Files),
            What::Directories => return (Vec::new(), Directive::Directories),
            What::Nothing => Vec::new(),
        };
        (names, Directive::NoFiles)
    }

    /// Asks the daemon; nothing, where it does not answer.
    fn ask<T: Default>(&self, question: impl AsyncFnOnce(Client) -> Result<T, Error>) -> T {
        let Ok(client) = self.session.client() else { return T::default() };
        let answer = self.session.block_on(async { tokio::time::timeout(PATIENCE, question(client)).await });
        match answer {
            Ok(Ok(Ok(answer))) => answer,
            _ => T::default(),
        }
    }

    fn containers(&self, running: Running) -> Vec<String> {
        let mut filters = Filters::default();
        if running == Running::No {
            ["created", "exited"].iter().for_each(|state| filters.add("status", state));
        }
        let options = ListOptions { all: running != Running::Yes, filters, ..ListOptions::default() };
        let found = self.ask(async |client| client.list_containers(&options).await);
        let mut names: Vec<String> =
            found.iter().flat_map(|c| &c.names).map(|name| name.trim_start_matches('/').to_owned()).collect();
        names.retain(|name| !name.contains('/'));
        names.sort();
        names
    }

    fn images(&self) -> Vec<String> {
        let found = self.ask(async |client| client.list_images(&ListImages::default()).await);
        let mut names: Vec<String> = found.into_iter().flat_map(|image| image.repo_tags).collect();
        names.retain(|name| !name.contains("<none>"));
        names.sort();
        names
    }

    fn networks(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.ask(async |client| client.networks().await).into_iter().map(|network| network.name).collect();
        names.sort();
        names
    }

    fn volumes(&self) -> Vec<String> {
        let found = self.ask(async |client| client.get(&["volumes"], &[]).await);
        let volumes = found.get("Volumes").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let mut names: Vec<String> =
            volumes.iter().filter_map(|volume| Some(volume.get("Name")?.as_str()?.to_owned())).collect();
        names.sort();
        names
    }

    fn contexts(&self) -> Vec<String> {
        let mut names = vec![context::DEFAULT.to_owned()];
        names.extend(Store::of(self.session.config()).list().into_iter().map(|meta| meta.name));
        names.sort();
        names
    }
}
