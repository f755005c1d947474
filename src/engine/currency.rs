//! The database's currency: what it is asked to keep at its first start, it keeps for good. A
//! server that counts in another one would show every amount wrong.

use crate::{
    domain::money::Currency,
    engine::Error,
    store::{connection::Db, marketplace, transaction},
};

/// Records the currency at the first start; refuses any other from then on.
///
/// # Errors
/// When the database keeps another currency, or fails.
pub(super) async fn agree(db: &Db, wanted: &Currency) -> Result<(), Error> {
    let kept = match marketplace::currency(&db.read).await? {
        Some(kept) => kept,
        None => first(db, wanted).await?,
    };
    if kept == *wanted {
        return Ok(());
    }
    Err(Error::OtherCurrency { kept, wanted: wanted.clone() })
}

/// Of several that start at once, the first one's stays.
async fn first(db: &Db, wanted: &Currency) -> Result<Currency, Error> {
    let tx = transaction::begin(db).await?;
    marketplace::record(&tx, wanted).await?;
    let kept = marketplace::currency(&tx).await?;
    tx.commit().await.map_err(sea_orm::DbErr::from)?;
    kept.ok_or_else(|| Error::Fault("the currency was not recorded".to_owned()))
}
