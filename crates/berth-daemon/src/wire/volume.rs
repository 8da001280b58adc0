//! Volumes as the API shows and filters them.

use berth_api::Filters;
use berth_api::volume::Volume;
use berth_engine::VolumeView;
use berth_engine::volumes::DRIVER;
use regex_lite::Regex;

use crate::http::error::ApiError;

/// One volume.
pub(crate) fn shown(volume: &VolumeView) -> Volume {
    Volume {
        created_at: volume.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        driver: DRIVER.to_owned(),
        labels: volume.labels.clone(),
        mountpoint: volume.mountpoint.display().to_string(),
        name: volume.name.clone(),
        options: volume.options.clone(),
        scope: DRIVER.to_owned(),
        usage_data: None,
    }
}

/// Which volumes a list shows.
#[derive(Debug)]
pub(crate) struct Wanted {
    filters: Filters,
    names: Vec<Regex>,
    dangling: Option<bool>,
}

impl Wanted {
    pub(crate) fn parse(filters: Filters) -> Result<Self, ApiError> {
        check_keys(&filters, &["dangling", "driver", "label", "name"])?;
        let names = filters.get("name").map(|name| {
            Regex::new(name).map_err(|error| ApiError::invalid(format!("invalid filter 'name={name}': {error}")))
        });
        Ok(Self { names: names.collect::<Result<_, _>>()?, dangling: truth(&filters, "dangling")?, filters })
    }

    pub(crate) fn allows(&self, volume: &VolumeView) -> bool {
        self.dangling.is_none_or(|dangling| volume.containers.is_empty() == dangling)
            && self.filters.allows("driver", |driver| driver == DRIVER)
            && self.filters.allows_labels("label", &volume.labels.clone().unwrap_or_default())
            && (self.names.is_empty() || self.names.iter().any(|name| name.is_match(&volume.name)))
    }
}

/// Which unused volumes a prune takes.
#[derive(Debug)]
pub(crate) struct Pruning {
    filters: Filters,
    all: bool,
}

impl Pruning {
    pub(crate) fn parse(filters: Filters, all: bool) -> Result<Self, ApiError> {
        check_keys(&filters, &["all", "label", "label!"])?;
        Ok(Self { all: all || truth(&filters, "all")?.unwrap_or(false), filters })
    }

    pub(crate) fn takes(&self, volume: &VolumeView) -> bool {
        let labels = volume.labels.clone().unwrap_or_default();
        let has = |wanted: &str| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        (self.all || volume.is_anonymous())
            && self.filters.allows_labels("label", &labels)
            && !(self.filters.contains("label!") && self.filters.get("label!").all(has))
    }
}

fn check_keys(filters: &Filters, known: &[&str]) -> Result<(), ApiError> {
    match filters.keys().find(|key| !known.contains(key)) {
        Some(key) => Err(ApiError::invalid(format!("invalid filter '{key}'"))),
        None => Ok(()),
    }
}

/// A filter that is true or false, and once at most.
fn truth(filters: &Filters, key: &str) -> Result<Option<bool>, ApiError> {
    let values: Vec<&str> = filters.get(key).collect();
    match values.as_slice() {
        [] => Ok(None),
        ["1" | "true"] => Ok(Some(true)),
        ["0" | "false"] => Ok(Some(false)),
        values => Err(ApiError::invalid(format!("invalid filter '{key}=[{}]'", values.join(" ")))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use berth_engine::volumes::ANONYMOUS;

    use super::*;

    fn volume(name: &str, labels: &[(&str, &str)], containers: &[&str]) -> VolumeView {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        VolumeView {
            name: name.to_owned(),
            created: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            labels: Some(labels),
            options: None,
            mountpoint: "/d/volumes/v/_data".into(),
            containers: containers.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    fn filters(text: &str) -> Filters {
        Filters::parse(text).unwrap()
    }

    #[test]
    fn lists_are_filtered() {
        let (web, other) = (volume("web-1", &[("a", "b")], &["c"]), volume("db", &[], &[]));
        for (text, expected) in [
            ("", (true, true)),
            (r#"{"dangling":["true"]}"#, (false, true)),
            (r#"{"dangling":["0"]}"#, (true, false)),
            (r#"{"name":["eb"]}"#, (true, false)),
            (r#"{"name":["^d","x"]}"#, (false, true)),
            (r#"{"label":["a=b"]}"#, (true, false)),
            (r#"{"driver":["local"]}"#, (true, true)),
            (r#"{"driver":["nfs"]}"#, (false, false)),
        ] {
            let wanted = Wanted::parse(filters(text)).unwrap();
            assert_eq!((wanted.allows(&web), wanted.allows(&other)), expected, "{text}");
        }
        for (text, message) in
            [(r#"{"foo":["x"]}"#, "invalid filter 'foo'"), (r#"{"dangling":["xx"]}"#, "invalid filter 'dangling=[xx]'")]
        {
            assert_eq!(Wanted::parse(filters(text)).unwrap_err().message, message);
        }
    }

    #[test]
    fn prunes_take_what_nobody_named() {
        let anonymous = volume(&"0".repeat(64), &[(ANONYMOUS, "")], &[]);
        let named = volume("db", &[("keep", "1")], &[]);
        for (text, old, expected) in [
            ("", false, (true, false)),
            ("", true, (true, true)),
            (r#"{"all":["1"]}"#, false, (true, true)),
            (r#"{"all":["true"],"label!":["keep"]}"#, false, (true, false)),
            (r#"{"all":["true"],"label":["keep=1"]}"#, false, (false, true)),
            (r#"{"label":["keep=1"]}"#, false, (false, false)),
        ] {
            let pruning = Pruning::parse(filters(text), old).unwrap();
            assert_eq!((pruning.takes(&anonymous), pruning.takes(&named)), expected, "{text}");
        }
        assert!(Pruning::parse(filters(r#"{"until":["1h"]}"#), false).is_err());
    }

    #[test]
    fn one_is_shown_as_docker_shows_it() {
        let shown = serde_json::to_string(&shown(&VolumeView { labels: None, ..volume("v", &[], &[]) })).unwrap();
        assert_eq!(
            shown,
            r#"{"CreatedAt":"2026-01-02T03:04:05Z","Driver":"local","Labels":null,"Mountpoint":"/d/volumes/v/_data","Name":"v","Options":null,"Scope":"local"}"#
        );
    }
}
