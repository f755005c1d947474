//! Live updates, as the API gives them.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Result, Subscription as Root};
use entity::ids::AuctionId;
use futures_util::{Stream, StreamExt, stream};

use super::{
    context::{ContextExt, Moment, Underway},
    error::{Code, coded},
    query::AuctionFilter,
    types::update::{AuctionPresence, AuctionUpdate, ViewerUpdate},
};

/// All subscriptions: live updates.
#[derive(Debug, Description)]
pub struct Subscription;

#[Root(use_type_description)]
impl Subscription {
    /// Updates of an auction: first a SNAPSHOT, then every event, in order and once. With `after`,
    /// every event after that sequence number instead of the snapshot, or a SNAPSHOT if more than
    /// 1,000 were missed: reconnect with the last sequence number received. The stream ends after
    /// the final event. A client that reads too slowly receives a SNAPSHOT of the newest state in
    /// place of the events that it missed.
    async fn auction_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the auction.")] auction_id: ID,
        #[graphql(desc = "The last sequence number received.")] after: Option<i32>,
    ) -> Result<impl Stream<Item = Result<AuctionUpdate>> + use<>> {
        let updates = match ctx.data_opt::<Arc<Moment>>() {
            Some(moment) => stream::iter(moment.update()).left_stream(),
            None => {
                let unknown = || coded(Code::NotFound, "There is no such auction.");
                let auction: AuctionId = auction_id.parse().map_err(|_| unknown())?;
                let after = after.map(i64::from);
                let feed = ctx.engine()?.watch_as(&ctx.watcher(), auction, after).await;
                let feed = feed.map_err(|error| ctx.fault(error))?.ok_or_else(unknown)?;
                feed.into_stream().right_stream()
            }
        };
        let updates = told(ctx, updates);
        Ok(updates.map(|update| AuctionUpdate::try_from(update.as_ref())))
    }

    /// Updates for a list page: every event of an auction that meets the filter before or after the
    /// event, with the auction right after it. An auction that no longer meets the filter has left
    /// the list. A client that reads too slowly receives the newest state of each auction as a
    /// SNAPSHOT.
    async fn auctions_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conditions that the auctions meet.")] filter: Option<AuctionFilter>,
    ) -> Result<impl Stream<Item = Result<AuctionUpdate>> + use<>> {
        let filter = filter.unwrap_or_default().parse(ctx)?;
        let feed = ctx.engine()?.watch_list_as(&ctx.watcher(), filter).await;
        let feed = feed.map_err(|error| ctx.fault(error))?;
        let updates = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        Ok(told(ctx, updates).map(|update| {
            metrics::counter!("neighborbid_deliveries_total").increment(1);
            AuctionUpdate::try_from(update.as_ref())
        }))
    }

    /// The number of clients that watch an auction (with `auctionUpdated`) on all nodes:
    /// immediately, then on each change, at most once a second. Accurate to within seconds. The
    /// stream does not end by itself.
    async fn auction_presence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the auction.")] auction_id: ID,
    ) -> Result<impl Stream<Item = AuctionPresence> + use<>> {
        let unknown = || coded(Code::NotFound, "There is no such auction.");
        let auction: AuctionId = auction_id.parse().map_err(|_| unknown())?;
        let feed = ctx.engine()?.watch_presence(&ctx.watcher(), auction).await;
        let feed = feed.map_err(|error| ctx.fault(error))?.ok_or_else(unknown)?;
        let counts = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        Ok(told(ctx, counts).map(move |count| AuctionPresence::new(auction, count)))
    }

    /// Updates of the viewer's own account: the wallet immediately and on each change, and every
    /// new notification. Signed-in users only.
    async fn viewer_updated(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = ViewerUpdate> + use<>> {
        let viewer = ctx.signed_in()?.user.id;
        let feed = ctx.engine()?.watch_own(viewer).await.map_err(|error| ctx.fault(error))?;
        let news = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        Ok(told(ctx, news).map(ViewerUpdate))
    }
}

/// Tells whoever runs the subscription when the answer to an update begins.
fn told<S: Stream>(ctx: &Context<'_>, updates: S) -> impl Stream<Item = S::Item> + use<S> {
    let underway = ctx.data_opt::<Arc<Underway>>().map(Arc::clone);
    updates.inspect(move |_| {
        if let Some(underway) = &underway {
            underway.begin();
        }
    })
}
