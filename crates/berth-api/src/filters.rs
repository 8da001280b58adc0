//! The `filters` query parameter: values by key, in either of its two encodings.
//!
//! `{"label":["a=b"]}` and `{"label":{"a=b":true}}` (what Go clients send) mean the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Filters: every key must match, by any of its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, BTreeSet<String>>);

/// The parameter is in neither encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidFilters;

impl std::fmt::Display for InvalidFilters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("invalid filter")
    }
}

impl std::error::Error for InvalidFilters {}

impl Filters {
    /// Reads the parameter; an empty one filters nothing.
    ///
    /// # Errors
    /// Neither encoding fits.
    pub fn parse(text: &str) -> Result<Self, InvalidFilters> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let keys: Map<String, Value> = serde_json::from_str(text).map_err(|_| InvalidFilters)?;
        keys.into_iter().map(|(key, values)| Ok((key, values_of(values)?))).collect::<Result<_, _>>().map(Self)
    }

    /// Adds one value.
    pub fn add(&mut self, key: &str, value: &str) {
        self.0.entry(key.to_owned()).or_default().insert(value.to_owned());
    }

    /// The encoding that every version of the API reads.
    pub fn encode(&self) -> String {
        let keys = self.0.iter().map(|(key, values)| {
            let values: Map<String, Value> = values.iter().map(|value| (value.clone(), Value::Bool(true))).collect();
            (key.clone(), Value::Object(values))
        });
        Value::Object(keys.collect()).to_string()
    }

    /// Nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys in use.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A key is in use.
    pub fn contains(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|values| !values.is_empty())
    }

    /// A key's values.
    pub fn get(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// The key is unused, or one of its values satisfies `matches`.
    pub fn allows(&self, key: &str, mut matches: impl FnMut(&str) -> bool) -> bool {
        !self.contains(key) || self.get(key).any(&mut matches)
    }

    /// Every `name` or `name=value` under `key` is found in `labels`.
    pub fn allows_labels(&self, key: &str, labels: &BTreeMap<String, String>) -> bool {
        self.get(key).all(|wanted| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        })
    }
}

fn values_of(values: Value) -> Result<BTreeSet<String>, InvalidFilters> {
    match values {
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(InvalidFilters),
            })
            .collect(),
        Value::Object(map) => {
            Ok(map.into_iter().filter(|(_, on)| on.as_bool() == Some(true)).map(|(text, _)| text).collect())
        }
        Value::Null => Ok(BTreeSet::new()),
        _ => Err(InvalidFilters),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_mean_the_same() {
        let list = Filters::parse(r#"{"label":["a=b","c"]}"#).unwrap();
        let map = Filters::parse(r#"{"label":{"a=b":true,"c":true,"d":false}}"#).unwrap();
        assert_eq!(list, map);
        assert_eq!(Filters::parse(&list.encode()).unwrap(), list);
        assert!(Filters::parse("{\"label\":3}").is_err());
        assert!(Filters::parse("nonsense").is_err());
    }

    #[test]
    fn labels_must_all_match() {
        let filters = Filters::parse(r#"{"label":["a=b","c"]}"#).unwrap();
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert!(filters.allows_labels("label", &labels(&[("a", "b"), ("c", "")])));
        assert!(!filters.allows_labels("label", &labels(&[("a", "b")])));
        assert!(!filters.allows_labels("label", &labels(&[("a", "x"), ("c", "")])));
    }
}
