//! The deadlines of auctions: scheduled ones open, open ones end, each once, however many
//! processes run and however they die: what is due is locked, then looked at again.

use entity::{Time, ids::AuctionId};

use super::{
    Engine, Error,
    retried::{commit, retried},
    work::Work,
};
use crate::{
    domain::closing,
    store::{auctions, orders, tx},
};

/// How many auctions one transaction opens or ends at most, so that bids get between.
const BATCH: u64 = 50;

impl Engine {
    /// The next deadline: an opening, an ending, or an order that completes by itself; with now,
    /// by the same clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_deadline(&self) -> Result<(Option<Time>, Time), Error> {
        let db = &self.core.db.read;
        let deadlines = [
            auctions::next_opening(db).await?,
            auctions::next_ending(db).await?,
            orders::next_completion(db).await?,
        ];
        Ok((deadlines.into_iter().flatten().min(), self.core.now(db).await?))
    }

    /// Opens and ends what is due, the longest overdue first; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn turn_due_auctions(&self) -> Result<usize, Error> {
        retried(|| self.try_turn()).await
    }

    async fn try_turn(&self) -> Result<usize, Error> {
        let now = self.core.now(&self.core.db.read).await?;
        let due = auctions::due(&self.core.db.read, now, BATCH).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let began = std::time::Instant::now();
        let tx = tx::begin(&self.core.db.write).await?;
        let mut work = Work::lock(&self.core, &tx, &due, []).await?;
        let mut turned = 0;
        for id in due {
            turned += usize::from(turn(&mut work, id)?);
        }
        if turned > 0 {
            work.save(&tx).await?;
            commit(tx).await?;
            self.core.rooms.publish(work.into_news());
            metrics::counter!("neighborbid_closings_total").increment(turned as u64);
            metrics::histogram!("neighborbid_closing_seconds")
                .record(began.elapsed().as_secs_f64());
        }
        Ok(turned)
    }
}

/// Opens or ends one locked auction, if that is still due.
fn turn(work: &mut Work<'_>, id: AuctionId) -> Result<bool, Error> {
    let opened = work.open_if_due(id)?;
    let now = work.now;
    match work.auctions.get(&id).filter(|auction| auction.is_due(now)) {
        Some(auction) => {
            let lag = (now - auction.ends_at).to_std().unwrap_or_default();
            metrics::histogram!("neighborbid_closing_lag_seconds").record(lag.as_secs_f64());
            let closing = closing::close(auction)?;
            work.end(closing)?;
            Ok(true)
        }
        None => Ok(opened),
    }
}
