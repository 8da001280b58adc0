//! `POST /images/{name}/tag`: one more name for an image.

use http::StatusCode;

use super::image_events;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::files;

/// `POST /images/{name}/tag`
pub(crate) async fn tag(call: Call) -> Result<Answer, ApiError> {
    let target = files::reference(call.query.text("repo"), call.query.text("tag"))?;
    let target = target.ok_or_else(|| ApiError::invalid("invalid reference format"))?;
    let (daemon, source) = (call.daemon.clone(), call.name().to_owned());
    let tagging = tokio::task::spawn_blocking(move || {
        let id = daemon.images.tag(&source, &target)?;
        let image = daemon.images.resolve(id.as_str())?;
        image_events::tell(&daemon, "tag", &image, &target.familiar());
        Ok::<_, ApiError>(())
    });
    tagging.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::empty(StatusCode::CREATED))
}
