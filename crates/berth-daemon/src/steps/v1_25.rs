//! 1.25: security options became `name=…` lists, and the execution driver went from info.

use serde_json::{Map, Value};

use super::{Object, add};

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    if object != Object::Info {
        return;
    }
    add(map, "ExecutionDriver", "<not supported>");
    let names = |option: &Value| {
        let text = option.as_str()?.split(',').next()?;
        Some(Value::from(text.strip_prefix("name=").unwrap_or(text)))
    };
    if let Some(Value::Array(options)) = map.get_mut("SecurityOptions") {
        *options = options.iter().filter_map(names).collect();
    }
}
