//! What is asked of registries without an image in mind: logging in, searching.

use berth_api::registry::{AuthAnswer, AuthConfig, SearchResult};
use berth_distribution::{Client, Error, ErrorKind};
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::{Call, invalid_json};
use crate::wire::{auth, search};

/// `POST /auth`
pub(crate) async fn login(mut call: Call) -> Result<Answer, ApiError> {
    let body = call.required_json().await?;
    let config: AuthConfig = berth_api::decode::from_slice(&body).map_err(|error| invalid_json(&error))?;
    let credentials = auth::domain(config);
    let registries = Client::new(call.daemon.live().registries.clone());
    let identity_token = registries.login(&credentials.server_address, &credentials).await.map_err(refused)?;
    Ok(answer::json(StatusCode::OK, &AuthAnswer { identity_token, status: "Login Succeeded".to_owned() }))
}

/// `GET /images/search`
pub(crate) async fn find(call: Call) -> Result<Answer, ApiError> {
    let wanted = search::search(&call.query)?;
    let credentials = auth::credentials(&call);
    let registries = Client::new(call.daemon.live().registries.clone());
    let found = registries.search(&wanted, credentials.as_ref()).await;
    // Never 401: Docker's command line would ask whoever is not there for a password, and wait.
    let found = found.map_err(|error| ApiError::internal(error.to_string()))?;
    let results: Vec<SearchResult> = found.into_iter().map(search::result).collect();
    Ok(answer::json(StatusCode::OK, &results))
}

/// What a registry said, with the status that the API has for it.
fn refused(error: Error) -> ApiError {
    let status = match error.kind() {
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        _ if matches!(error, Error::Address(_)) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    ApiError::new(status, error.to_string())
}
