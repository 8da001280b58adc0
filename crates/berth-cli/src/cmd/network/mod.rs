//! `network …`: what networks there are.

pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod rm;

use crate::cmd::inspect;
use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "network",
    about: "Manage networks",
    commands: &[
        ("inspect", &inspect::NETWORK),
        ("ls", &ls::COMMAND),
        ("list", &ls::COMMAND),
        ("prune", &prune::COMMAND),
        ("rm", &rm::COMMAND),
        ("remove", &rm::COMMAND),
    ],
    not_yet: &["connect", "create", "disconnect"],
};
