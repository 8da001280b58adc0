//! A platform in a query: JSON, as `{"os":"linux","architecture":"arm64"}`.

use berth_oci::Platform;

use crate::http::error::ApiError;
use crate::http::query::Query;

/// The platform that was asked for, if one was.
pub(crate) fn asked(query: &Query) -> Result<Option<Platform>, ApiError> {
    let texts: Vec<&str> = query.all("platform").into_iter().filter(|text| !text.is_empty()).collect();
    match texts.as_slice() {
        [] => Ok(None),
        [text] => {
            let platform = serde_json::from_str::<Platform>(text);
            let platform = platform.map_err(|error| ApiError::invalid(format!("failed to parse platform: {error}")))?;
            match platform.os.is_empty() && platform.architecture.is_empty() {
                true => Err(ApiError::invalid("failed to parse platform: both OS and Architecture must be provided")),
                false => Ok(Some(platform.normalised())),
            }
        }
        _ => Err(ApiError::not_yet("keep several platforms of an image", "platform, several times")),
    }
}
