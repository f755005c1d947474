//! `neighborbid audit`: asks the database whether every invariant holds.

use sea_orm::{DbErr, IsolationLevel, TransactionTrait};

use crate::store::{
    audit::{CHECKS, Finding},
    connection::Db,
};

/// Runs every check on one snapshot of the database.
///
/// # Errors
/// When the database refuses.
pub async fn run(db: &Db) -> Result<Vec<Finding>, DbErr> {
    let isolation = match db.read.get_database_backend() {
        sea_orm::DbBackend::Postgres => Some(IsolationLevel::RepeatableRead),
        _ => None,
    };
    let tx = db.read.begin_with_config(isolation, None).await?;
    let mut findings = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        findings.push(check.run(&tx).await?);
    }
    tx.rollback().await?;
    Ok(findings)
}

/// A line for people: whether it holds, and on how many things it was looked at.
#[must_use]
pub fn line(finding: &Finding) -> String {
    match finding.broken {
        0 => format!("ok      {} ({} checked)", finding.name, finding.checked),
        broken => format!("BROKEN  {} ({broken} of {})", finding.name, finding.checked),
    }
}
