//! The loop around a use case's transaction: what lost against a rival, or lost its connection
//! before COMMIT, is tried again as [`Retry`] allows.

use sea_orm::{DatabaseTransaction, DbErr};

use super::Error;
use crate::store::tx::{Fault, Retry};

/// Tries until it works, is refused, or is not worth another try.
pub(super) async fn retried<T, F: Future<Output = Result<T, Error>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    let mut retry = Retry::default();
    loop {
        match attempt().await {
            Err(Error::Database(error)) if retry.again(&error).await => {}
            done => return done,
        }
    }
}

/// Commits. When the connection breaks before the answer, nobody knows whether it happened: that
/// is a fault and never tried again. (Bids are looked up instead: see [`super::batch`].)
pub(super) async fn commit(tx: DatabaseTransaction) -> Result<(), Error> {
    tx.commit().await.map_err(|error: DbErr| match Fault::of(&error) {
        Fault::Connection => Error::Fault(format!("COMMIT was not answered: {error}")),
        Fault::Contention | Fault::Lasting => Error::Database(error),
    })
}
