//! Filters of the image list.

use berth_api::Filters;
use berth_api::image::ImageSummary;
use berth_image::Image;
use jiff::Timestamp;

use super::glob::Glob;
use super::image::created;
use super::time;
use crate::http::error::ApiError;

/// Which images are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    filters: Filters,
    /// Those, too, that have no name and that others were made of.
    all: bool,
    dangling: Option<bool>,
    until: Option<Timestamp>,
    references: Vec<Glob>,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
}

impl Wanted {
    /// Checks keys and values; `find` looks an image up by name.
    pub(crate) fn parse(
        filters: Filters,
        all: bool,
        find: impl Fn(&str) -> Result<Image, ApiError>,
    ) -> Result<Self, ApiError> {
        const KEYS: [&str; 6] = ["before", "dangling", "label", "reference", "since", "until"];
        if let Some(key) = filters.keys().find(|key| !KEYS.contains(key)) {
            return Err(ApiError::invalid(format!("invalid filter '{key}'")));
        }
        let dangling = dangling(&filters)?;
        let of = |key: &str| filters.get(key).next().map(|name| find(name).map(|image| created(&image))).transpose();
        let (before, since) = (of("before")?, of("since")?);
        let until = filters.get("until").next().map(|text| time::moment(text, Timestamp::now())).transpose()?;
        let parse = |pattern: &str| Glob::parse(pattern).map_err(|e| ApiError::invalid(e.to_string()));
        let references = filters.get("reference").map(parse).collect::<Result<_, _>>()?;
        Ok(Self { filters, all, dangling, until, references, before, since })
    }

    /// An image passes the filters that look at itself; `is_base`: others were made of it.
    pub(crate) fn allows(&self, image: &Image, is_base: bool) -> bool {
        let created = created(image);
        self.before.is_none_or(|before| created < before)
            && self.since.is_none_or(|since| created > since)
            && self.until.is_none_or(|until| created < until)
            && self.filters.allows_labels("label", &image.config.labels())
            && !(self.dangling == Some(true) && is_base)
    }

    /// Leaves the names that are asked for; tells whether the image is shown with them.
    pub(crate) fn narrow(&self, line: &mut ImageSummary, is_base: bool) -> bool {
        if !self.references.is_empty() {
            line.repo_tags.retain(|name| self.refers(name));
            line.repo_digests.retain(|name| self.refers(name));
        }
        match (line.repo_tags.is_empty(), line.repo_digests.is_empty()) {
            (true, true) => (self.all || !is_base) && self.dangling != Some(false) && self.references.is_empty(),
            (untagged, _) => untagged || self.dangling != Some(true),
        }
    }

    /// A pattern fits the name as users write it, or that without tag and digest.
    fn refers(&self, name: &str) -> bool {
        let bare = name.split('@').next().unwrap_or(name);
        let untagged = bare.rsplit_once(':').map_or(bare, |(name, tag)| if tag.contains('/') { bare } else { name });
        self.references.iter().any(|glob| glob.matches(name) || glob.matches(untagged))
    }
}

/// `dangling=true`, or whatever else Docker takes for it.
pub(crate) fn dangling(filters: &Filters) -> Result<Option<bool>, ApiError> {
    let values: Vec<&str> = filters.get("dangling").collect();
    match values[..] {
        [] => Ok(None),
        ["true" | "1" | "t"] => Ok(Some(true)),
        ["false" | "0" | "f"] => Ok(Some(false)),
        _ => Err(ApiError::invalid(format!("invalid filter 'dangling=[{}]'", values.join(" ")))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn shown(filters: &str, all: bool, is_base: bool, tags: &[&str], digests: &[&str]) -> Option<Vec<String>> {
        let none = |_: &str| Err(ApiError::not_found("none"));
        let wanted = Wanted::parse(Filters::parse(filters).unwrap(), all, none).unwrap();
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut line = ImageSummary { repo_tags: own(tags), repo_digests: own(digests), ..ImageSummary::default() };
        wanted.narrow(&mut line, is_base).then(|| [line.repo_tags, line.repo_digests].concat())
    }

    #[test]
    fn which_are_shown() {
        // A base without name only where all are asked for, or where the image is dangling.
        assert_eq!(shown("", false, true, &[], &[]), None);
        assert!(shown("", true, true, &[], &[]).is_some());
        assert!(shown("", false, false, &[], &[]).is_some());
        assert!(shown("", false, true, &["a:1"], &[]).is_some());
        let dangling = r#"{"dangling":["true"]}"#;
        assert!(shown(dangling, false, false, &[], &[]).is_some());
        assert!(shown(dangling, false, false, &[], &["a@sha256:0"]).is_some());
        assert_eq!(shown(dangling, false, false, &["a:1"], &[]), None);
        let named = r#"{"dangling":["false"]}"#;
        assert_eq!(shown(named, true, false, &[], &[]), None);
        assert!(shown(named, false, false, &["a:1"], &[]).is_some());
        let reference = r#"{"reference":["a*:1"]}"#;
        assert_eq!(shown(reference, false, false, &["ab:1", "ab:2", "b:1"], &[]), Some(vec!["ab:1".into()]));
        assert_eq!(shown(reference, false, false, &[], &[]), None);
        let bare = shown(r#"{"reference":["h:5/a"]}"#, false, false, &["h:5/a:1"], &["h:5/a@sha256:0"]);
        assert_eq!(bare, Some(vec!["h:5/a:1".into(), "h:5/a@sha256:0".into()]));
    }

    #[test]
    fn values_that_are_none() {
        let none = |_: &str| Err(ApiError::not_found("No such image: x:latest"));
        let refused = |filters: &str| Wanted::parse(Filters::parse(filters).unwrap(), false, none).unwrap_err().message;
        assert_eq!(refused(r#"{"dangling":["maybe"]}"#), "invalid filter 'dangling=[maybe]'");
        assert_eq!(refused(r#"{"foo":["bar"]}"#), "invalid filter 'foo'");
        assert_eq!(refused(r#"{"reference":["[a"]}"#), "syntax error in pattern");
        assert!(refused(r#"{"until":["yesterday"]}"#).contains("yesterday"));
        assert_eq!(refused(r#"{"since":["x"]}"#), "No such image: x:latest");
    }
}
