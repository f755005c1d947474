//! The deadlines of auctions: which is next, and what is due.

use entity::{Time, ids::AuctionId};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{
    auctions::{Free, JUDGED, free, skip_locked},
    rowset::one_of,
};

/// A deadline of an auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// When a scheduled auction opens.
    Opening,
    /// When an open auction ends.
    Ending,
}

impl Deadline {
    /// Its column, and the status of the auctions that have it before them: written out, so that
    /// it is seen to be what the index of these auctions says.
    fn column(self) -> (&'static str, &'static str) {
        match self {
            Self::Opening => ("starts_at", "status = 'SCHEDULED'"),
            Self::Ending => ("ends_at", "status = 'OPEN'"),
        }
    }
}

/// How many rows are looked at for the next deadline: more than one, for one may be unreadable.
const LOOKED_AT: usize = 16;

/// The next such deadline of an auction that is none of `except`.
///
/// # Errors
/// When the database refuses.
pub async fn next_deadline(
    db: &impl ConnectionTrait,
    deadline: Deadline,
    except: &[AuctionId],
) -> Result<Option<Time>, DbErr> {
    let backend = db.get_database_backend();
    let (column, has_it) = deadline.column();
    let (is_excepted, except) = one_of(backend, "id", 1, except.iter().map(|id| id.0));
    let text = format!(
        "SELECT {column} FROM auctions WHERE {has_it} AND NOT ({is_excepted}) \
         ORDER BY {column} LIMIT {LOOKED_AT}"
    );
    let ask = Statement::from_sql_and_values(backend, text, [except]);
    let rows = db.query_all_raw(ask).await?;
    Ok(rows.iter().find_map(|row| row.try_get("", column).ok()))
}

/// Locks the auctions whose deadline is over at `now`, the longest overdue first: not those that
/// somebody else holds, and none of `except`.
///
/// # Errors
/// When the database refuses.
pub async fn lock_due(
    db: &impl ConnectionTrait,
    deadline: Deadline,
    now: Time,
    limit: u64,
    except: &[AuctionId],
) -> Result<Free, DbErr> {
    let backend = db.get_database_backend();
    let (column, has_it) = deadline.column();
    let (is_excepted, except) = one_of(backend, "id", 2, except.iter().map(|id| id.0));
    let skip = skip_locked(backend);
    let text = format!(
        "SELECT {JUDGED} FROM auctions WHERE {has_it} AND {column} <= $1 AND NOT ({is_excepted}) \
         ORDER BY {column} LIMIT {limit} {skip}"
    );
    let values = [now.into(), except];
    free(&db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?)
}

/// Auctions whose deadline is over at `now`, the longest overdue first, and none of `except`;
/// whether anybody holds them or not.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    db: &impl ConnectionTrait,
    deadline: Deadline,
    now: Time,
    limit: u64,
    except: &[AuctionId],
) -> Result<Vec<AuctionId>, DbErr> {
    let backend = db.get_database_backend();
    let (column, has_it) = deadline.column();
    let (is_excepted, except) = one_of(backend, "id", 2, except.iter().map(|id| id.0));
    let text = format!(
        "SELECT id FROM auctions WHERE {has_it} AND {column} <= $1 AND NOT ({is_excepted}) \
         ORDER BY {column} LIMIT {limit}"
    );
    let values = [now.into(), except];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}
