//! Members in the order in which the daemon's own types have them.
//!
//! Answers that are shown as they came pass through `serde_json::Value`, which sorts members by name. Reading the
//! same answer as the API's type and writing it again gives the usual order; what the type does not know comes last.

use std::rc::Rc;

use berth_api::decode;
use berth_template::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::shape;

/// The answer `json` as a template sees it, in the order of `T`.
pub(crate) fn like<T: Serialize + DeserializeOwned>(json: &serde_json::Value) -> Result<Value, Failure> {
    let wrong = |error: serde_json::Error| Failure::new(format!("unexpected answer of the daemon: {error}"));
    let value = Value::from_serialize(json, &shape::DOCKER).map_err(wrong)?;
    // An answer that the type cannot hold is shown all the same.
    let Ok(typed) = decode::from_value::<T>(json.clone()) else { return Ok(value) };
    let guide = Value::from_serialize(&typed, &shape::DOCKER).map_err(wrong)?;
    Ok(reordered(value, &guide))
}

fn reordered(value: Value, guide: &Value) -> Value {
    match (value, guide) {
        (Value::Object(object), Value::Object(guide)) => {
            let mut object = Rc::unwrap_or_clone(object);
            let place = |name: &str| guide.members.iter().position(|(key, _)| key == name).unwrap_or(usize::MAX);
            object.members.sort_by_key(|(name, _)| place(name));
            let members = std::mem::take(&mut object.members);
            object.members = members
                .into_iter()
                .map(|(name, member)| {
                    let like = guide.get(&name).cloned().unwrap_or_default();
                    (name, reordered(member, &like))
                })
                .collect();
            Value::Object(Rc::new(object))
        }
        (Value::List(items), Value::List(guides)) => {
            Value::list(items.iter().enumerate().map(|(i, item)| match guides.get(i) {
                Some(guide) => reordered(item.clone(), guide),
                None => item.clone(),
            }))
        }
        (value, _) => value,
    }
}
