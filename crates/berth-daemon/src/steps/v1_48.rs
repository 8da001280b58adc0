//! 1.48: images and containers tell the manifest they came by (lists of images the manifests, since 1.47).

use berth_api::ContainerSummary;
use serde_json::{Map, Value};

use super::Object;

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    match object {
        Object::Image | Object::Images => drop(map.remove("Descriptor")),
        Object::Container | Object::Containers => drop(map.remove("ImageManifestDescriptor")),
        Object::DiskUsage => {
            for name in ["Images", "Containers"] {
                let items = map.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
                for item in items.filter_map(Value::as_object_mut) {
                    item.remove("Descriptor");
                    item.remove("ImageManifestDescriptor");
                }
            }
        }
        _ => {}
    }
}

/// The same for a line of a list.
pub(super) fn summary(line: &mut ContainerSummary) {
    line.image_manifest_descriptor = None;
}
