//! 1.48: images and containers tell the manifest they came by.

use serde_json::{Map, Value};

use super::Object;

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    match object {
        Object::Image | Object::Images => drop(map.remove("Descriptor")),
        Object::Container | Object::Containers => drop(map.remove("ImageManifestDescriptor")),
        _ => {}
    }
}
