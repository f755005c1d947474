//! Who asks: a bearer token's session, looked up or held.

use std::sync::Arc;

use crate::{
    engine::{Engine, Error, Session, SessionWatch, may_pass},
    graphql::{Code, RequestId},
    http::response::{Answer, internal, refusal},
    telemetry::Seldom,
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
    let Some(token) = token(authorization)? else { return Ok(None) };
    living(engine.session(token).await, request).map(Some)
}

/// The same, with a hold on the session that tells when it is over.
///
/// # Errors
/// As [`session`].
pub async fn watch(
    engine: &Engine,
    authorization: Option<&str>,
    request: &RequestId,
) -> Result<Option<(Arc<Session>, SessionWatch)>, Answer> {
    let Some(token) = token(authorization)? else { return Ok(None) };
    living(engine.watch_session(token).await, request).map(Some)
}

/// Returns when the session is over; never for somebody who is not signed in.
pub async fn ended(session: Option<&SessionWatch>) {
    match session {
        Some(session) => session.ended().await,
        None => std::future::pending().await,
    }
}

/// The answer to whoever is signed in no more.
pub fn dead() -> Answer {
    refusal(Code::Unauthenticated, "The token is not valid: sign in again.")
}

fn token(authorization: Option<&str>) -> Result<Option<&str>, Answer> {
    let Some(value) = authorization else { return Ok(None) };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(dead()),
    }
}

fn living<T>(found: Result<Option<T>, Error>, request: &RequestId) -> Result<T, Answer> {
    match found {
        Ok(found) => found.ok_or_else(dead),
        Err(Error::Overloaded) => Err(unanswered()),
        Err(Error::Database(cause)) if may_pass(&cause) => {
            static SAID: Seldom = Seldom::new();
            if let Some(unsaid) = SAID.now() {
                tracing::error!(error = %cause, unsaid, "looking a token up");
            }
            Err(unanswered())
        }
        Err(error) => {
            tracing::error!(%error, request = request.0, "looking a token up");
            Err(internal(request))
        }
    }
}

fn unanswered() -> Answer {
    refusal(Code::Overloaded, "The database does not answer just now: try again soon.")
}
