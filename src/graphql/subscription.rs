//! Live updates, as the API gives them.

use async_graphql::{Context, Description, ID, Result, Subscription as Root};
use entity::ids::AuctionId;
use futures_util::{Stream, StreamExt};

use super::{
    context::ContextExt,
    error::{Code, coded},
    types::update::AuctionUpdate,
};

/// Live updates.
#[derive(Debug, Description)]
pub struct Subscription;

#[Root(use_type_description)]
impl Subscription {
    /// An auction, live: first a SNAPSHOT, then each event, in order, once. With `after`, instead
    /// of the snapshot, every event after that sequence (or a SNAPSHOT when more than 1,000 were
    /// missed): reconnect with the last sequence seen. Ends by itself after the final event.
    /// Who reads too slowly gets a SNAPSHOT of the newest state in place of what was missed.
    async fn auction_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which auction.")] auction_id: ID,
        #[graphql(desc = "The last sequence seen.")] after: Option<i32>,
    ) -> Result<impl Stream<Item = Result<AuctionUpdate>> + use<>> {
        let unknown = || coded(Code::NotFound, "There is no such auction.");
        let auction: AuctionId = auction_id.parse().map_err(|_| unknown())?;
        let feed = ctx.engine()?.watch(auction, after.map(i64::from)).await;
        let feed = feed
            .map_err(|error| ctx.fault(error))?
            .ok_or_else(unknown)?;
        Ok(feed.into_stream().map(|update| {
            metrics::counter!("neighborbid_deliveries_total").increment(1);
            AuctionUpdate::try_from(update.as_ref())
        }))
    }
}
