//! The deadlines of auctions: which is next, and what is due.

use entity::{Time, auction, enums::AuctionStatus, ids::AuctionId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use super::{
    among::is_among,
    auctions::{Free, skip_locked},
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
    /// Its column, and the status of the auctions that have it before them.
    fn column(self) -> (auction::Column, AuctionStatus) {
        match self {
            Self::Opening => (auction::Column::StartsAt, AuctionStatus::Scheduled),
            Self::Ending => (auction::Column::EndsAt, AuctionStatus::Open),
        }
    }

    /// The auctions that have it before them, the earliest first, and none of `except`.
    fn awaited(self, backend: DbBackend, except: &[AuctionId]) -> Select<auction::Entity> {
        let (column, status) = self.column();
        // Written out, not as a parameter: so that it is seen to be what the index of these
        // auctions says.
        let status = Expr::Constant(status.as_str().into());
        let is_excepted = is_among(backend, auction::Column::Id, except.iter().map(|id| id.0));
        auction::Entity::find()
            .filter(Expr::col((auction::Entity, auction::Column::Status)).eq(status))
            .filter(is_excepted.not())
            .order_by_asc(column)
    }
}

/// How many rows are looked at for the next deadline: more than one, for one may be unreadable.
const LOOKED_AT: u64 = 16;

/// The next such deadline of an auction that is none of `except`.
///
/// # Errors
/// When the database refuses.
pub async fn next_deadline(
    db: &impl ConnectionTrait,
    deadline: Deadline,
    except: &[AuctionId],
) -> Result<Option<Time>, DbErr> {
    let (column, _) = deadline.column();
    let awaited = deadline.awaited(db.get_database_backend(), except);
    let times = awaited.select_only().column(column).limit(LOOKED_AT);
    let rows = db.query_all(&times.into_query()).await?;
    Ok(rows.iter().find_map(|row| row.try_get("", column.as_str()).ok()))
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
    let awaited = deadline.awaited(db.get_database_backend(), except);
    skip_locked(db, awaited.filter(deadline.column().0.lte(now)).limit(limit)).await
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
    let awaited = deadline.awaited(db.get_database_backend(), except);
    awaited
        .filter(deadline.column().0.lte(now))
        .select_only()
        .column(auction::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}
