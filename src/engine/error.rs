//! Why a use case failed for another reason than the rules.

use sea_orm::DbErr;

use crate::{
    domain::{
        money::{Currency, OutOfRange},
        refusal::Refusal,
    },
    live::watcher::Unwatched,
    store::fault::Fault,
};

/// A use case's failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse it; nothing changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Somebody must be signed in, and nobody is.
    #[error("not signed in")]
    Unauthenticated,
    /// Signed in, but it is not theirs to do.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// The client has as much of something as it may; in words for it.
    #[error("too many: {0}")]
    TooMany(&'static str),
    /// Too much waits already, or nothing can be written just now.
    #[error("overloaded")]
    Overloaded,
    /// Somebody else holds what it needs for longer than it waits.
    #[error("held by somebody else")]
    Held,
    /// Its COMMIT was not answered, and what became of it is not known.
    #[error("COMMIT was not answered: {0}")]
    Unanswered(String),
    /// The database counts in another currency than the settings say.
    #[error(
        "the database keeps amounts of {} with {} fraction digits, and the settings say {} with \
         {}: start with --currency {}, or with another database",
        kept.code, kept.digits, wanted.code, wanted.digits, kept.code
    )]
    OtherCurrency {
        /// What it keeps.
        kept: Currency,
        /// What the settings say.
        wanted: Currency,
    },
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// A fault of ours.
    #[error("fault: {0}")]
    Fault(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Unwatched> for Error {
    fn from(why: Unwatched) -> Self {
        match why {
            Unwatched::TooMany(why) => Self::TooMany(why),
            Unwatched::Failed(error) => Self::Database(error),
        }
    }
}

impl From<OutOfRange> for Error {
    fn from(fault: OutOfRange) -> Self {
        Self::Fault(fault.to_string())
    }
}

/// Whether a failure of the database may pass by itself.
#[must_use]
pub fn may_pass(error: &DbErr) -> bool {
    Fault::of(error) != Fault::Lasting
}
