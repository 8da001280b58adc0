//! `GET /images/search`: from query to [`Search`], from what was found to the answer.

use berth_api::registry::SearchResult;
use berth_distribution::{Found, Search};

use crate::http::error::ApiError;
use crate::http::query::Query;

const FILTERS: [&str; 3] = ["is-automated", "is-official", "stars"];

/// What is looked for; it can be.
pub(crate) fn search(query: &Query) -> Result<Search, ApiError> {
    let filters = query.filters()?;
    if let Some(unknown) = filters.keys().find(|key| !FILTERS.contains(key)) {
        return Err(ApiError::invalid(format!("invalid filter '{unknown}'")));
    }
    let switch = |name: &str| match filters.get(name).collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        ["1" | "true"] => Ok(Some(true)),
        ["0" | "false"] => Ok(Some(false)),
        other => Err(ApiError::invalid(format!("invalid filter '{name}=[{}]'", other.join(" ")))),
    };
    let stars = filters
        .get("stars")
        .map(|text| text.parse::<u64>().map_err(|_| ApiError::invalid(format!("invalid filter 'stars={text}'"))));
    let stars = stars.collect::<Result<Vec<_>, _>>()?;
    let limit = query.number("limit")?.filter(|limit| *limit != 0);
    let search = Search {
        term: query.text("term").trim().to_owned(),
        // Beyond any number of results is as much out of range as minus one.
        limit: limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        official: switch("is-official")?,
        automated: switch("is-automated")?.unwrap_or(false),
        stars: stars.into_iter().max().unwrap_or(0),
    };
    if let Some(limit) = limit.filter(|limit| !(0..=i64::from(u32::MAX)).contains(limit)) {
        return Err(ApiError::invalid(format!("Limit {limit} is outside the range of [1, 100]")));
    }
    search.check().map_err(ApiError::invalid)?;
    Ok(search)
}

/// As the API tells it.
pub(crate) fn result(found: Found) -> SearchResult {
    SearchResult {
        star_count: i64::try_from(found.star_count).unwrap_or(i64::MAX),
        is_official: found.is_official,
        name: found.name,
        is_automated: false,
        description: found.description,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Search, String> {
        search(&Query::parse(text)).map_err(|error| error.message)
    }

    #[test]
    fn queries() {
        let filters = r#"{"stars":["3","9"],"is-official":{"true":true},"is-automated":["0"]}"#;
        let found = parse(&format!("term=x&limit=30&filters={filters}")).unwrap();
        let expected = Search { term: "x".into(), limit: Some(30), official: Some(true), automated: false, stars: 9 };
        assert_eq!(found, expected);
        assert_eq!(parse("term=x&limit=0").unwrap().limit, None);
        for (query, reason) in [
            ("limit=101", "Limit 101 is outside the range of [1, 100]"),
            ("limit=-1", "Limit -1 is outside the range of [1, 100]"),
            ("limit=99999999999", "Limit 99999999999 is outside the range of [1, 100]"),
            (r#"filters={"foo":["x"]}"#, "invalid filter 'foo'"),
            (r#"filters={"stars":["x"]}"#, "invalid filter 'stars=x'"),
            (r#"filters={"is-official":["bla"]}"#, "invalid filter 'is-official=[bla]'"),
            (r#"filters={"is-automated":["0","1"]}"#, "invalid filter 'is-automated=[0 1]'"),
        ] {
            assert_eq!(parse(query).unwrap_err(), reason);
        }
    }
}
