//! The commands, one verb a file: its flags, what they mean, the calls it makes, what it prints.

pub(crate) mod attach;
pub(crate) mod commit;
pub(crate) mod completion;
pub(crate) mod context;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod df;
pub(crate) mod dial_stdio;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod image_diff;
pub(crate) mod image_explain;
pub(crate) mod image_flatten;
pub(crate) mod image_prune;
pub(crate) mod image_rebase;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod load;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod manifest;
pub(crate) mod network;
pub(crate) mod pause;
pub(crate) mod port;
pub(crate) mod prune;
pub(crate) mod pruning;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rename;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
pub(crate) mod save;
pub(crate) mod search;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod stop_all;
pub(crate) mod system_check;
pub(crate) mod system_prune;
pub(crate) mod tag;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod update;
pub(crate) mod version;
pub(crate) mod volume;
pub(crate) mod wait;

use berth_api::Filters;
use berth_client::{Client, Error};

use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

/// Does something to each argument, and prints the argument when it worked.
pub(crate) fn each(
    session: &Session,
    args: &[String],
    action: impl AsyncFn(&Client, &str) -> Result<(), Error>,
) -> Outcome {
    each_says(session, args, async |client, arg| {
        action(client, arg).await?;
        Ok(format!("{arg}\n"))
    })
}

/// Does something to each argument, and prints what came of it. Goes on after a failure; the exit code says whether
/// there was one.
pub(crate) fn each_says(
    session: &Session,
    args: &[String],
    action: impl AsyncFn(&Client, &str) -> Result<String, Error>,
) -> Outcome {
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = false;
        for arg in args {
            match action(&client, arg).await {
                Ok(text) => crate::print(&text),
                Err(error) => {
                    failed = true;
                    eprintln!("{error}");
                }
            }
        }
        failed
    })?;
    if failed { Err(Failure::silent(1)) } else { Ok(0) }
}

/// `--force`: what is not there any more is told, but is no failure.
pub(crate) fn gone_is_fine<T: Default>(result: Result<T, Error>) -> Result<T, Error> {
    result.or_else(|error| match error.is_not_found() {
        true => {
            eprintln!("{error}");
            Ok(T::default())
        }
        false => Err(error),
    })
}

/// `--filter`: `name=value`.
pub(crate) fn check_filter(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains('=') {
        return Ok(());
    }
    Err("bad format of filter (expected name=value)".to_owned())
}

/// A platform as the API's queries take it.
pub(crate) fn platform_json(text: &str) -> Result<String, String> {
    let platform = berth_oci::Platform::parse(text).map_err(|error| format!("invalid platform {text:?}: {error}"))?;
    serde_json::to_string(&platform).map_err(|error| error.to_string())
}

/// The filters of a command line.
pub(crate) fn filters(parsed: &Parsed) -> Filters {
    let mut filters = Filters::default();
    for (name, value) in parsed.all("filter").filter_map(|text| text.split_once('=')) {
        filters.add(name.trim().to_ascii_lowercase().as_str(), value.trim());
    }
    filters
}

/// What `--format` may be, for help.
pub(crate) const FORMAT_HELP: &str = "Format of the output:\n'table': columns with a heading\n'table TEMPLATE': columns from a Go template\n'json': one JSON object a line\n'TEMPLATE': a Go template";

/// What `--format` may be where there is no table.
pub(crate) const OBJECT_FORMAT_HELP: &str = "Format of the output:\n'json': JSON\n'TEMPLATE': a Go template";
