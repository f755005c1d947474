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

    /// A list page's live prices: every event of an auction that the filter lets through before the
    /// event or after it, with the auction as it is right after; one that the filter then no longer
    /// lets through has left the list. Who reads too slowly sees the newest of each auction, as a
    /// SNAPSHOT.
    async fn auctions_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which auctions.")] filter: Option<AuctionFilter>,
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

    /// How many watch an auction (run `auctionUpdated` on it), over all nodes: at once, then when
    /// it changed, once a second at most. Approximate within seconds. It does not end by itself.
    async fn auction_presence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which auction.")] auction_id: ID,
    ) -> Result<impl Stream<Item = AuctionPresence> + use<>> {
        let unknown = || coded(Code::NotFound, "There is no such auction.");
        let auction: AuctionId = auction_id.parse().map_err(|_| unknown())?;
        let feed = ctx.engine()?.watch_presence(&ctx.watcher(), auction).await;
        let feed = feed.map_err(|error| ctx.fault(error))?.ok_or_else(unknown)?;
        let counts = stream::unfold(feed, async |mut feed| Some((feed.next().await?, feed)));
        Ok(told(ctx, counts).map(move |count| AuctionPresence::new(auction, count)))
    }

    /// The viewer's own affairs as they happen: the wallet whenever it changes (a lead won or
    /// lost, a payment), and each new notification. First of all, the wallet as it is.
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
