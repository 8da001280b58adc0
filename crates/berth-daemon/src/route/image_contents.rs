//! What is in images, which is ours: `GET /images/{name}/explain` and `GET /images/{name}/diff`.

use http::StatusCode;

use super::images;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::image_contents;

/// Directories are told so deep unless more is asked for.
const DEPTH: usize = 2;

/// `GET /images/{name}/explain?depth=N`: what its bytes are spent on.
pub(crate) async fn explain(call: Call) -> Result<Answer, ApiError> {
    let depth = match call.query.number("depth")? {
        None => DEPTH,
        Some(depth) => usize::try_from(depth)
            .map_err(|_| ApiError::invalid(format!("depth counts directories below the root: it can't be {depth}")))?,
    };
    let (image, daemon) = (images::found(&call)?, call.daemon.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let found = daemon.images.explain(&image)?;
        Ok::<_, ApiError>(image_contents::explanation(&image, found, depth))
    });
    let shown = reading.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// `GET /images/{name}/diff?to=NAME`: how another image differs from it.
pub(crate) async fn diff(call: Call) -> Result<Answer, ApiError> {
    let (from, daemon) = (images::found(&call)?, call.daemon.clone());
    let to = match call.query.text("to") {
        "" => return Err(ApiError::invalid("which image it is compared with has to be said: to=NAME")),
        name => daemon.images.resolve(name)?,
    };
    let reading = tokio::task::spawn_blocking(move || {
        let found = daemon.images.difference(&from, &to)?;
        Ok::<_, ApiError>(image_contents::difference(&from, &to, found))
    });
    let shown = reading.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::json(StatusCode::OK, &shown))
}
