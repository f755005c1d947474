//! What the marketplace's money is counted in: recorded once, at the first start.

use entity::marketplace;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, sea_query::OnConflict};

use crate::domain::money::Currency;

/// The currency that the database keeps; `None` before the first start.
///
/// # Errors
/// When the database refuses.
pub async fn currency(db: &impl ConnectionTrait) -> Result<Option<Currency>, DbErr> {
    let Some(row) = marketplace::Entity::find_by_id(1).one(db).await? else {
        return Ok(None);
    };
    let digits = u32::try_from(row.currency_digits);
    let digits = digits.map_err(|_| super::corrupt("a negative number of fraction digits"))?;
    Ok(Some(Currency { code: row.currency, digits }))
}

/// Records the currency, unless there is one already.
///
/// # Errors
/// When the database refuses.
pub async fn record(db: &impl ConnectionTrait, currency: &Currency) -> Result<(), DbErr> {
    let digits = i32::try_from(currency.digits);
    let row = marketplace::ActiveModel {
        id: Set(1),
        currency: Set(currency.code.clone()),
        currency_digits: Set(digits.map_err(|_| super::corrupt("too many fraction digits"))?),
    };
    let already = OnConflict::column(marketplace::Column::Id).do_nothing().to_owned();
    marketplace::Entity::insert(row).on_conflict(already).exec_without_returning(db).await?;
    Ok(())
}
