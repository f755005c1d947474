//! Who asks: a bearer token's session.

use std::sync::Arc;

use crate::{
    engine::{Engine, Session},
    graphql::{Code, RequestId},
    http::response::{Answer, internal, refusal},
};

/// The session of an `Authorization` value; `None` when there is no value.
///
/// # Errors
/// An answer for the client, when the value is no living token or that cannot be told.
pub async fn session(
    engine: &Engine,
    authorization: Option<&str>,
    request: &RequestId,
) -> Result<Option<Arc<Session>>, Answer> {
    let Some(value) = authorization else {
        return Ok(None);
    };
    let dead = || refusal(Code::Unauthenticated, "The token is not valid: sign in again.");
    let (scheme, token) = value.split_once(' ').ok_or_else(dead)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(dead());
    }
    match engine.session(token.trim()).await {
        Ok(Some(session)) => Ok(Some(session)),
        Ok(None) => Err(dead()),
        Err(error) => {
            tracing::error!(%error, request = request.0, "looking a token up");
            Err(internal(request))
        }
    }
}
