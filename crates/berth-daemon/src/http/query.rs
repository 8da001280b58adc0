//! The query string, with Go's and Docker's reading of its values.

use std::collections::BTreeMap;

use berth_api::Filters;

use super::error::ApiError;

/// Values by name; of several the first counts, as in Go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            values.entry(unescape(name, true)).or_default().push(unescape(value, true));
        }
        Self(values)
    }

    /// The value, or nothing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// Every value.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// Docker's truth: anything but nothing, `0`, `no`, `false` and `none`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        !matches!(self.text(name).trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A number where there is one.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::invalid(format!("strconv.Atoi: parsing \"{text}\": invalid syntax"))),
        }
    }

    /// `filters`.
    pub(crate) fn filters(&self) -> Result<Filters, ApiError> {
        Filters::parse(self.text("filters")).map_err(|error| ApiError::invalid(error.to_string()))
    }
}

/// Undoes percent encoding; bytes that are not UTF-8 become replacement characters.
pub(crate) fn unescape(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            (b'+', _) if plus_is_space => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_docker_does() {
        let query = Query::parse("a=1&b=False&c&d=x%20y+z&d=second&e=none&t=-1&n=x&%66=ok");
        assert!(query.flag("a") && !query.flag("b") && !query.flag("c") && query.flag("d") && !query.flag("e"));
        assert_eq!(query.text("d"), "x y z");
        assert_eq!(query.text("f"), "ok");
        assert_eq!(query.number("t"), Ok(Some(-1)));
        assert_eq!(query.number("absent"), Ok(None));
        assert!(query.number("n").is_err());
        assert_eq!(unescape("a%2Fb%zz%", false), "a/b%zz%");
    }
}
