//! `volume …`: what outlives containers.

pub(crate) mod create;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod rm;

use crate::cmd::inspect;
use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "volume",
    about: "Manage volumes",
    commands: &[
        ("create", &create::COMMAND),
        ("inspect", &inspect::VOLUME),
        ("ls", &ls::COMMAND),
        ("list", &ls::COMMAND),
        ("prune", &prune::COMMAND),
        ("rm", &rm::COMMAND),
        ("remove", &rm::COMMAND),
    ],
    not_yet: &["update"],
};
