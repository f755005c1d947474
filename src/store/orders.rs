//! Orders. An order changes only while its auction's row is locked.

use entity::{
    Time,
    enums::OrderStatus,
    ids::{AuctionId, OrderId, UserId},
    order,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{page::Page, rowset::one_of};

/// Writes back where an order stands.
///
/// # Errors
/// When the database refuses.
pub async fn save(db: &impl ConnectionTrait, order: &order::Model) -> Result<(), DbErr> {
    order::Entity::update_many()
        .set(order::ActiveModel {
            status: Set(order.status),
            updated_at: Set(order.updated_at),
            completes_at: Set(order.completes_at),
            dispute_reason: Set(order.dispute_reason.clone()),
            resolution_note: Set(order.resolution_note.clone()),
            decided_by: Set(order.decided_by),
            ..Default::default()
        })
        .filter(order::Column::Id.eq(order.id))
        .exec(db)
        .await?;
    Ok(())
}

/// The order of an id.
///
/// # Errors
/// When the database refuses.
pub async fn by_id(db: &impl ConnectionTrait, id: OrderId) -> Result<Option<order::Model>, DbErr> {
    Ok(by_ids(db, &[id]).await?.pop())
}

/// The orders of these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn by_ids(
    db: &impl ConnectionTrait,
    ids: &[OrderId],
) -> Result<Vec<order::Model>, DbErr> {
    let backend = db.get_database_backend();
    let (is_one, ids) = one_of(backend, "id", 1, ids.iter().map(|id| id.0));
    let text = format!("SELECT * FROM orders WHERE {is_one}");
    let ask = Statement::from_sql_and_values(backend, text, [ids]);
    order::Entity::find().from_raw_sql(ask).all(db).await
}

/// The order of an auction.
///
/// # Errors
/// When the database refuses.
pub async fn of_auction(
    db: &impl ConnectionTrait,
    auction: AuctionId,
) -> Result<Option<order::Model>, DbErr> {
    order::Entity::find().filter(order::Column::AuctionId.eq(auction)).one(db).await
}

/// A page of the orders in which a user is a side, newest first; the cursor is an order's id.
///
/// # Errors
/// When the database refuses.
pub async fn of_user(
    db: &impl ConnectionTrait,
    user: UserId,
    page: &Page<OrderId>,
) -> Result<Vec<order::Model>, DbErr> {
    let mut select = order::Entity::find()
        .filter(
            Condition::any()
                .add(order::Column::BuyerId.eq(user))
                .add(order::Column::SellerId.eq(user)),
        )
        .order_by_desc(order::Column::Id)
        .limit(u64::from(page.size) + 1);
    if let Some(after) = page.after {
        select = select.filter(order::Column::Id.lt(after));
    }
    select.all(db).await
}

/// Written out, not as a parameter: so that it is seen to be what the index of these orders says.
fn is_handed_over() -> SimpleExpr {
    let handed_over = Expr::Constant(OrderStatus::HandedOver.as_str().into());
    Expr::col((order::Entity, order::Column::Status)).eq(handed_over)
}

/// How many rows are looked at for the next deadline: more than one, for one may be unreadable.
const LOOKED_AT: u64 = 16;

/// The next time at which an order completes by itself that is none of `except`.
///
/// # Errors
/// When the database refuses.
pub async fn next_completion(
    db: &impl ConnectionTrait,
    except: &[OrderId],
) -> Result<Option<Time>, DbErr> {
    let next = completing(except).select_only().column(order::Column::CompletesAt).limit(LOOKED_AT);
    let rows = db.query_all(&next.into_query()).await?;
    let read = |row: &QueryResult| row.try_get::<Time>("", "completes_at").ok();
    Ok(rows.iter().find_map(read))
}

/// Orders that should complete by themselves at `now`, the longest overdue first, and none of
/// `except`.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    db: &impl ConnectionTrait,
    now: Time,
    limit: u64,
    except: &[OrderId],
) -> Result<Vec<OrderId>, DbErr> {
    let due = completing(except)
        .filter(order::Column::CompletesAt.lte(now))
        .select_only()
        .column(order::Column::Id)
        .limit(limit);
    let rows = db.query_all(&due.into_query()).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

fn completing(except: &[OrderId]) -> Select<order::Entity> {
    let mut select =
        order::Entity::find().filter(is_handed_over()).order_by_asc(order::Column::CompletesAt);
    if !except.is_empty() {
        select = select.filter(order::Column::Id.is_not_in(except.iter().copied()));
    }
    select
}
