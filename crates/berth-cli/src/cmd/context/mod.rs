//! `context …`: naming daemons. One verb a file; the files of contexts are `crate::context`'s business.

pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod rm;
pub(crate) mod show;
pub(crate) mod update;
pub(crate) mod using;

mod options;

use crate::command::Group;
use crate::failure::Outcome;

pub(crate) const GROUP: Group = Group {
    name: "context",
    about: "Manage contexts: names for daemons",
    commands: &[
        ("create", &create::COMMAND),
        ("export", &export::COMMAND),
        ("import", &import::COMMAND),
        ("inspect", &inspect::COMMAND),
        ("ls", &ls::COMMAND),
        ("list", &ls::COMMAND),
        ("rm", &rm::COMMAND),
        ("remove", &rm::COMMAND),
        ("show", &show::COMMAND),
        ("update", &update::COMMAND),
        ("use", &using::COMMAND),
    ],
    not_yet: &[],
};

/// Says that a context was `created`, `updated`, …
fn done(name: &str, what: &str) -> Outcome {
    crate::print(&format!("{name}\n"));
    eprintln!("Successfully {what} context {name:?}");
    Ok(0)
}
