//! 1.43: an image without names came to have empty lists of them.

use serde_json::{Map, Value, json};

use super::Object;

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    match object {
        Object::Images => nameless(map),
        Object::DiskUsage => {
            let images = map.get_mut("Images").and_then(Value::as_array_mut).into_iter().flatten();
            images.filter_map(Value::as_object_mut).for_each(nameless);
        }
        _ => {}
    }
}

fn nameless(map: &mut Map<String, Value>) {
    let is_empty = |name: &str| map.get(name).and_then(Value::as_array).is_some_and(Vec::is_empty);
    match (is_empty("RepoTags"), is_empty("RepoDigests")) {
        (true, true) => {
            map.insert("RepoTags".to_owned(), json!(["<none>:<none>"]));
            map.insert("RepoDigests".to_owned(), json!(["<none>@<none>"]));
        }
        (true, false) => drop(map.insert("RepoTags".to_owned(), Value::Null)),
        (false, true) => drop(map.insert("RepoDigests".to_owned(), Value::Null)),
        (false, false) => {}
    }
}
