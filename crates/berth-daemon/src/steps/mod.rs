//! What an API version changes, as steps: handlers see the newest form only.
//!
//! Each file is named after the version that brought a change and takes a newer answer back to what clients below it
//! were promised (or a request up from what they send). Steps are pure, and are applied newest first.

#[cfg(test)]
mod tests;
mod v1_25;
mod v1_42;
mod v1_43;
mod v1_44;
mod v1_48;
mod v1_50;

use berth_api::{ApiVersion, ContainerSummary, CreateRequest};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::answer::{self, Answer};

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Container,
    Containers,
    DiskUsage,
    Image,
    Images,
    Info,
    Network,
    Networks,
    Wait,
}

/// One step: for clients below `below`.
struct Step {
    below: ApiVersion,
    answer: fn(Object, &mut Map<String, Value>),
}

const STEPS: [Step; 6] = [
    Step { below: ApiVersion::new(1, 50), answer: v1_50::answer },
    Step { below: ApiVersion::new(1, 48), answer: v1_48::answer },
    Step { below: ApiVersion::new(1, 44), answer: v1_44::answer },
    Step { below: ApiVersion::new(1, 43), answer: v1_43::answer },
    Step { below: ApiVersion::new(1, 42), answer: v1_42::answer },
    Step { below: ApiVersion::new(1, 25), answer: v1_25::answer },
];

/// An answer as a client of `version` knows it. The newest form is written without a detour.
pub(crate) fn json<T: Serialize>(version: ApiVersion, object: Object, status: StatusCode, newest: &T) -> Answer {
    match version >= STEPS[0].below {
        true => answer::json(status, newest),
        false => answer::json(status, &value(version, object, newest)),
    }
}

/// A list of containers as a client of `version` knows it: the same steps on what is not JSON yet, line by line, for
/// such a list may be long.
pub(crate) fn summaries(version: ApiVersion, lines: impl Iterator<Item = ContainerSummary>) -> Answer {
    answer::list(lines.map(|mut line| {
        if version < ApiVersion::new(1, 48) {
            v1_48::summary(&mut line);
        }
        if version < ApiVersion::new(1, 44) {
            v1_44::summary(&mut line);
        }
        line
    }))
}

/// An answer as a client of `version` knows it, as a value.
pub(crate) fn value<T: Serialize>(version: ApiVersion, object: Object, newest: &T) -> Value {
    // The wire types have string keys only, so this cannot fail.
    let mut value = serde_json::to_value(newest).unwrap_or_default();
    for step in STEPS.iter().filter(|step| version < step.below) {
        match &mut value {
            Value::Array(items) => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| (step.answer)(object, item));
            }
            Value::Object(map) => (step.answer)(object, map),
            _ => {}
        }
    }
    value
}

/// Takes a create request of an old client up to the newest form.
pub(crate) fn create_request(version: ApiVersion, request: &mut CreateRequest) {
    if version < ApiVersion::new(1, 44) {
        v1_44::create_request(request);
    }
    if version < ApiVersion::new(1, 42) {
        v1_42::create_request(request);
    }
}

/// The object below `name`, where there is one.
fn below<'a>(map: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(name)?.as_object_mut()
}

/// Adds what is missing.
fn add(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.entry(name).or_insert_with(|| value.into());
}
