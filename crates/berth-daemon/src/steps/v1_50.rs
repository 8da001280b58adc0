//! 1.50: an image's `Config` lost the fields that only containers have; `Container*` went before, in 1.45.

use serde_json::{Map, Value};

use super::{Object, add, below};

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    if object != Object::Image {
        return;
    }
    add(map, "Container", "");
    add(map, "ContainerConfig", Value::Null);
    let Some(config) = below(map, "Config") else { return };
    for name in ["AttachStderr", "AttachStdin", "AttachStdout", "OpenStdin", "StdinOnce", "Tty"] {
        add(config, name, false);
    }
    for name in ["Domainname", "Hostname", "Image"] {
        add(config, name, "");
    }
}
