//! Top-level errors, each with `extensions.code`. What failed inside goes to the log under the
//! request's number, never to the client.

use async_graphql::{Error, ErrorExtensions, Value};

use super::context::RequestId;
use crate::telemetry::Seldom;

/// The codes of top-level errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Nobody is signed in, or the token is dead.
    Unauthenticated,
    /// Signed in, but not theirs to do.
    Forbidden,
    /// An argument is not of its form.
    BadUserInput,
    /// There is no such thing.
    NotFound,
    /// Too often.
    RateLimited,
    /// Too much waits already: try again soon.
    Overloaded,
    /// A fault of ours; `requestId` finds it in the log.
    Internal,
}

impl Code {
    /// Its text in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::RateLimited => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl Code {
    /// How many seconds a client does well to wait before it tries again, where nobody knows
    /// better.
    #[must_use]
    pub const fn retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::RateLimited | Self::Overloaded => Some(1),
            _ => None,
        }
    }
}

/// An error with its code.
pub(super) fn coded(code: Code, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code.as_str());
        if let Some(seconds) = code.retry_after_seconds() {
            extensions.set("retryAfterSeconds", seconds);
        }
    })
}

/// The error for too often.
pub(super) fn limited(message: &str, retry_after_seconds: u64) -> Error {
    coded(Code::RateLimited, message)
        .extend_with(|_, extensions| extensions.set("retryAfterSeconds", retry_after_seconds))
}

/// The error for a failure of the engine.
pub(super) fn fault(error: &crate::engine::Error, request: Option<&RequestId>) -> Error {
    use crate::engine::Error as Engine;
    match error {
        // Mutations answer refusals as data; a query that is refused was asked wrongly.
        Engine::Refused(refusal) => coded(Code::BadUserInput, refusal.message.clone()),
        Engine::Unauthenticated => coded(Code::Unauthenticated, "Sign in first."),
        Engine::Forbidden(why) => coded(Code::Forbidden, *why),
        Engine::TooMany(why) => coded(Code::RateLimited, *why),
        Engine::Overloaded => coded(Code::Overloaded, "Too much waits already: try again soon."),
        Engine::Held => coded(Code::Overloaded, "Somebody else is at it just now: try again soon."),
        // It says "again", not "never": a pool is full, the database restarts, a row is held.
        Engine::Database(cause) if crate::engine::may_pass(cause) => {
            static SAID: Seldom = Seldom::new();
            if let Some(unsaid) = SAID.now() {
                tracing::error!(%error, unsaid, "the database does not serve");
            }
            coded(Code::Overloaded, "The database does not answer just now: try again soon.")
        }
        Engine::Database(_)
        | Engine::Fault(_)
        | Engine::Unanswered(_)
        | Engine::OtherCurrency { .. } => {
            let id = request.map_or("none", |id| id.0.as_str());
            tracing::error!(%error, request = id, "internal error");
            coded(Code::Internal, "Something went wrong on our side.")
                .extend_with(|_, e| e.set("requestId", id))
        }
    }
}

/// How long a client is asked to wait by any of these errors, in seconds.
#[must_use]
pub fn retry_after_seconds(errors: &[async_graphql::ServerError]) -> Option<u64> {
    let told = |error: &async_graphql::ServerError| match error
        .extensions
        .as_ref()?
        .get("retryAfterSeconds")?
    {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    };
    errors.iter().filter_map(told).max()
}

/// The code of an error that the schema library itself made, or that a resolver gave.
#[must_use]
pub fn code_of(error: &async_graphql::ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}
