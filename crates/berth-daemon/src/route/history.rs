//! `GET /images/{name}/history`: how an image came to be.

use berth_api::image::HistoryStep;
use berth_image::Step;
use http::StatusCode;
use jiff::Timestamp;

use super::images;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;

/// `GET /images/{name}/history`
pub(crate) async fn history(call: Call) -> Result<Answer, ApiError> {
    let image = images::found(&call)?;
    let steps: Vec<HistoryStep> = call.daemon.images.history(&image)?.into_iter().map(shown).collect();
    Ok(answer::json(StatusCode::OK, &steps))
}

fn shown(step: Step) -> HistoryStep {
    let created = step.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    HistoryStep {
        comment: step.comment,
        created: created.map_or(0, Timestamp::as_second),
        created_by: step.created_by,
        id: step.image.map_or_else(|| "<missing>".to_owned(), |id| id.to_string()),
        size: i64::try_from(step.size).unwrap_or(i64::MAX),
        tags: Some(step.tags).filter(|tags| !tags.is_empty()),
    }
}
