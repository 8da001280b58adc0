//! `manifest`: lists of images for several platforms, put together here and pushed to a registry.

mod annotate;
mod create;
mod inspect;
mod push;
mod rm;

use crate::command::Group;

pub(crate) const GROUP: Group = Group {
    name: "manifest",
    about: "Put lists of images together, one image for each platform",
    commands: &[
        ("annotate", &annotate::COMMAND),
        ("create", &create::COMMAND),
        ("inspect", &inspect::COMMAND),
        ("push", &push::COMMAND),
        ("rm", &rm::COMMAND),
    ],
    not_yet: &[],
};
