//! What the `filters` of a prune mean: which things are old and unloved enough.

use std::collections::BTreeMap;

use berth_api::Filters;
use jiff::Timestamp;

use super::time;
use crate::http::error::ApiError;

/// The filters that every prune has: an age, and labels.
#[derive(Debug, Clone)]
pub(crate) struct Unwanted {
    filters: Filters,
    until: Option<Timestamp>,
}

impl Unwanted {
    /// Checks keys and values; `more`: keys that the caller reads by itself.
    pub(crate) fn parse(filters: Filters, more: &[&str], now: Timestamp) -> Result<Self, ApiError> {
        let known = |key: &&str| ["until", "label", "label!"].contains(key) || more.contains(key);
        if let Some(key) = filters.keys().find(|key| !known(key)) {
            return Err(ApiError::invalid(format!("invalid filter '{key}'")));
        }
        let mut moments = filters.get("until");
        let until = moments.next().map(|text| time::moment(text, now)).transpose()?;
        if moments.next().is_some() {
            return Err(ApiError::invalid("more than one until filter specified"));
        }
        drop(moments);
        Ok(Self { until, filters })
    }

    /// Something made then and labelled so goes.
    pub(crate) fn includes(&self, created: Timestamp, labels: &BTreeMap<String, String>) -> bool {
        let mut unless = self.filters.get("label!");
        self.until.is_none_or(|until| created <= until)
            && self.filters.allows_labels("label", labels)
            && !unless.any(|label| has(labels, label))
    }
}

/// `name` or `name=value`.
fn has(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
        None => labels.contains_key(wanted),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Unwanted, ApiError> {
        Unwanted::parse(Filters::parse(text).unwrap(), &["dangling"], Timestamp::from_second(1000).unwrap())
    }

    #[test]
    fn age_and_labels() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("keep".to_owned(), String::new())]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let goes = |text: &str, second| parse(text).unwrap().includes(at(second), &labels);
        assert!(goes("{}", 5) && goes(r#"{"label":["a","a=1"]}"#, 5) && !goes(r#"{"label":["a=2"]}"#, 5));
        assert!(!goes(r#"{"label!":["keep"]}"#, 5) && goes(r#"{"label!":["a=2"]}"#, 5));
        assert!(goes(r#"{"until":["100s"]}"#, 900) && !goes(r#"{"until":["100s"]}"#, 901));
        assert!(goes(r#"{"until":["950"]}"#, 950) && !goes(r#"{"until":["950"]}"#, 951));
        assert!(goes(r#"{"dangling":["true"]}"#, 5));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        assert_eq!(parse(r#"{"name":["x"]}"#).unwrap_err().message, "invalid filter 'name'");
        assert!(parse(r#"{"until":["5m","6m"]}"#).is_err());
        assert!(parse(r#"{"until":["yesterday"]}"#).is_err());
    }
}
