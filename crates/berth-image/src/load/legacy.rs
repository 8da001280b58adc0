//! Archives as Docker wrote them before 1.10: `repositories`, and a directory for each layer with what was an image
//! then (`<id>/json`, `<id>/layer.tar`). What they describe becomes a configuration as images have it today.

use std::collections::BTreeMap;

use berth_oci::Reference;
use serde_json::{Map, Value};

use super::catalogue::{Described, json};
use super::contents::Contents;
use super::layers::{Came, Slot};
use crate::pull::MAX_LAYERS;
use crate::{Error, Result};

/// What names there are.
pub(super) const REPOSITORIES: &str = "repositories";

/// What an image's description says of the archive, not of the image.
const PRIVATE: [&str; 6] = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"];

/// The images of an archive, by their names.
///
/// # Errors
/// It does not say what they are.
pub(super) fn images(contents: &Contents, came: &Came) -> Result<Vec<Described>> {
    let repositories: BTreeMap<String, BTreeMap<String, String>> =
        json(contents.document(REPOSITORIES)?, REPOSITORIES)?;
    let mut tops: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
    for (repository, tags) in repositories {
        for (tag, id) in tags {
            let name = Reference::parse_name(&repository).and_then(|name| name.with_tag(&tag));
            let name = name.map_err(|e| Error::Archive(format!("it names an image \"{repository}:{tag}\": {e}")))?;
            tops.entry(id).or_default().push(name);
        }
    }
    if tops.is_empty() {
        return Err(Error::Archive("it has no image".to_owned()));
    }
    tops.into_iter().map(|(id, names)| describe(contents, came, &id, names)).collect()
}

fn describe(contents: &Contents, came: &Came, top: &str, names: Vec<Reference>) -> Result<Described> {
    let stack = stack(contents, top)?;
    let (mut layers, mut diff_ids, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for (id, image) in stack.iter().rev() {
        let path = format!("{id}/layer.tar");
        // What is wrong with a layer is said when it is held against the configuration.
        let diff_id = match contents.layer(&path)? {
            Slot::Came(number) => match came.get(number).and_then(Option::as_ref) {
                Some(Ok(fresh)) => fresh.diff_id().to_string(),
                Some(Err(error)) => return Err(error.clone()),
                None => return Err(Error::Content("a thread that unpacks layers died".to_owned())),
            },
            // Nothing in such an archive is named by its digest.
            Slot::Here(chain) => return Err(super::lost(&chain)),
        };
        layers.push(path);
        diff_ids.push(Value::from(diff_id));
        history.push(step(image));
    }
    let mut config = stack.into_iter().next().map(|(_, image)| image).unwrap_or_default();
    for key in PRIVATE {
        config.remove(key);
    }
    config.insert("rootfs".to_owned(), serde_json::json!({"type": "layers", "diff_ids": diff_ids}));
    config.insert("history".to_owned(), Value::Array(history));
    let config = serde_json::to_vec(&config).map_err(|e| Error::Content(format!("writing a configuration: {e}")))?;
    Ok(Described { names, config, layers, parent: None, manifest: None })
}

/// An image and what it stands on, topmost first.
fn stack(contents: &Contents, top: &str) -> Result<Vec<(String, Map<String, Value>)>> {
    let (mut stack, mut next) = (Vec::new(), Some(top.to_owned()));
    while let Some(id) = next {
        if stack.len() >= MAX_LAYERS {
            return Err(Error::Archive(format!("the image {top} has more than {MAX_LAYERS} layers, or no end")));
        }
        let path = format!("{id}/json");
        let image: Map<String, Value> = json(contents.document(&path)?, &path)?;
        let parent = image.get("parent").and_then(Value::as_str).filter(|parent| !parent.is_empty());
        next = parent.map(str::to_owned);
        stack.push((id, image));
    }
    Ok(stack)
}

/// A description as a step of an image's history.
fn step(image: &Map<String, Value>) -> Value {
    let mut step = Map::new();
    for key in ["created", "author", "comment"] {
        if let Some(value) = image.get(key).filter(|value| value.as_str() != Some("")) {
            step.insert(key.to_owned(), value.clone());
        }
    }
    let command = image.get("container_config").and_then(|config| config.get("Cmd")).and_then(Value::as_array);
    let words: Vec<&str> = command.into_iter().flatten().filter_map(Value::as_str).collect();
    if !words.is_empty() {
        step.insert("created_by".to_owned(), words.join(" ").into());
    }
    Value::Object(step)
}
