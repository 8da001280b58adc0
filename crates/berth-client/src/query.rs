//! Paths and query strings.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// In a path segment; `/`, `:` and `@` stay, since image names hold them.
const SEGMENT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}').add(b'%');

/// In a query value.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A path with its query, built up.
#[derive(Debug)]
pub(crate) struct Path {
    text: String,
    query: bool,
}

impl Path {
    /// `parts` are joined by `/` and escaped each.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push('/');
            text.extend(utf8_percent_encode(part, SEGMENT));
        }
        Self { text, query: false }
    }

    /// Adds `name=value` unless the value is empty.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.text.push(if self.query { '&' } else { '?' });
            self.query = true;
            self.text.push_str(name);
            self.text.push('=');
            self.text.extend(utf8_percent_encode(value, VALUE));
        }
        self
    }

    /// Adds `name=1` where set.
    pub(crate) fn flag(self, name: &str, on: bool) -> Self {
        self.text(name, if on { "1" } else { "" })
    }

    /// Adds a number where there is one.
    pub(crate) fn number(self, name: &str, value: Option<i64>) -> Self {
        self.text(name, &value.map(|value| value.to_string()).unwrap_or_default())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let path = Path::new(&["images", "h:5000/a/b@sha256:0", "json"]).text("q", "a b&c").flag("off", false);
        assert_eq!(path.as_str(), "/images/h:5000/a/b@sha256:0/json?q=a%20b%26c");
        assert_eq!(Path::new(&["containers", "a b?", "json"]).as_str(), "/containers/a%20b%3F/json");
    }
}
