//! Listing a thing for auction.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{
    Time,
    enums::{AuctionScope, AuctionStatus, EventKind, ItemCondition, ShippingPayer},
    ids::{AuctionId, CategoryId, RegionId, UserId},
};

use super::{
    Engine, Error, Places, Rules, Session,
    command::{self, Attempt, Command, Decision, Effects},
};
use crate::{
    domain::{
        auction::Auction,
        event::{AuctionState, Event},
        listing::{AuctionView, Listing},
        money::Money,
        refusal::{Code, Refusal, refuse},
        terms::{Prices, Schedule},
        text::{Description, Title},
        user::User,
    },
    live::bus::{AuctionNews, News},
    store::{
        auctions::{self, NewAuction},
        bulk,
        commit_marker::CommitMarker,
        events,
    },
};

/// What a seller asks for.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // As in `Listing` and `Auction`, which document each.
pub struct CreateAuction {
    pub title: Title,
    pub description: Description,
    pub category: Option<CategoryId>,
    pub condition: ItemCondition,
    pub shipping_payer: ShippingPayer,
    pub scope: AuctionScope,
    pub region: Option<RegionId>,
    pub starting_price: Money,
    pub bid_unit: Option<Money>,
    pub reserve_price: Option<Money>,
    pub buy_now_price: Option<Money>,
    pub starts_at: Option<Time>,
    pub ends_at: Time,
    pub soft_close_window: Option<TimeDelta>,
    pub soft_close_extension: Option<TimeDelta>,
}

impl Engine {
    /// Lists an auction; it opens at once unless it starts later.
    ///
    /// # Errors
    /// A refusal that names the first field that is wrong.
    pub async fn create_auction(
        &self,
        seller: &Session,
        wanted: CreateAuction,
    ) -> Result<AuctionView, Error> {
        let seller = seller.user.clone();
        command::run(&self.core, Listed { id: AuctionId::new(), seller, wanted }).await
    }
}

/// The listing of an auction.
struct Listed {
    id: AuctionId,
    seller: User,
    wanted: CreateAuction,
}

impl Command for Listed {
    type Answer = AuctionView;

    const NAME: &'static str = "create auction";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<AuctionView>, Error> {
        let (core, now) = (attempt.core, attempt.now().await?);
        let mut new = checked(&core.places, &core.rules, self, now)?;
        check_bound(attempt, self.seller.id).await?;
        let opens = new.auction.starts_at <= now;
        if opens {
            new.auction.status = AuctionStatus::Open;
            new.auction.sequence = 1;
        }
        auctions::insert(attempt.tx, &new).await?;
        let state = AuctionState::of(&new.auction, &core.rules.increments, |_| None)?;
        let listing = Arc::new(new.listing);
        let mut news = Vec::new();
        if opens {
            let event = Event {
                auction: new.auction.id,
                kind: EventKind::Opened,
                at: now,
                bid: None,
                state: state.clone(),
            };
            let logged = events::insert(std::slice::from_ref(&event));
            bulk::write(attempt.tx, [logged]).await?;
            let (event, listing) = (Arc::new(event), Some(Arc::clone(&listing)));
            news.push(News::Auction(AuctionNews { event, listing }));
        }
        let marker = Some(CommitMarker::Auction(self.id));
        let effects = Effects { marker, news, moves_deadline: true };
        Ok(Decision::Commit(AuctionView { listing, state }, effects))
    }
}

/// Whether the seller may list one more.
async fn check_bound(attempt: &Attempt<'_>, seller: UserId) -> Result<(), Error> {
    let most = attempt.core.rules.bounds.auctions;
    if auctions::unended_of(attempt.tx, seller, most).await? < u64::from(most) {
        return Ok(());
    }
    let message = format!("A seller may have at most {most} scheduled and open auctions.");
    Err(Refusal::new(Code::TooManyAuctions, message).into())
}

/// A category that exists.
pub(super) fn check_category(places: &Places, category: &CategoryId) -> Result<(), Refusal> {
    if places.category(category).is_none() {
        return refuse(Code::CategoryNotFound, &["category"], "There is no such category.");
    }
    Ok(())
}

fn checked(
    places: &Places,
    rules: &Rules,
    listed: &Listed,
    now: Time,
) -> Result<NewAuction, Refusal> {
    let Listed { id, seller, wanted } = listed;
    let (id, wanted) = (*id, wanted.clone());
    if let Some(category) = &wanted.category {
        check_category(places, category)?;
    }
    let region = check_region(places, seller, &wanted)?;
    let CreateAuction { starting_price, bid_unit, reserve_price, buy_now_price, .. } = wanted;
    let prices = Prices::new(starting_price, bid_unit, reserve_price, buy_now_price)?;
    let schedule = Schedule::new(wanted.starts_at, wanted.ends_at, now)?;
    let (window, extension) = (wanted.soft_close_window, wanted.soft_close_extension);
    let soft_close = rules.soft_close.with(window, extension)?;
    let auction = Auction {
        id,
        seller: seller.id,
        bidders_region: region.clone().filter(|_| wanted.scope == AuctionScope::Regional),
        starting_price: prices.starting(),
        price: prices.starting(),
        bid_unit: prices.bid_unit(),
        reserve: prices.reserve(),
        buy_now: prices.buy_now(),
        lead: None,
        bid_count: 0,
        status: AuctionStatus::Scheduled,
        starts_at: schedule.starts_at(),
        ends_at: schedule.ends_at(),
        scheduled_ends_at: schedule.ends_at(),
        soft_close,
        sequence: 0,
    };
    let listing = Listing {
        id,
        seller: Arc::new(seller.clone()),
        title: wanted.title.into(),
        description: wanted.description.into(),
        category: wanted.category,
        condition: wanted.condition,
        shipping_payer: wanted.shipping_payer,
        scope: wanted.scope,
        region,
        starting_price: prices.starting(),
        bid_unit: prices.bid_unit(),
        buy_now_price: prices.buy_now(),
        starts_at: schedule.starts_at(),
    };
    Ok(NewAuction { listing, auction, created_at: now })
}

/// The seller's home by default; else any region around it. A regional auction needs one.
fn check_region(
    places: &Places,
    seller: &User,
    wanted: &CreateAuction,
) -> Result<Option<RegionId>, Refusal> {
    let Some(region) = wanted.region.clone().or_else(|| seller.home_region.clone()) else {
        return match wanted.scope {
            AuctionScope::National => Ok(None),
            AuctionScope::Regional => refuse(
                Code::RegionRequired,
                &["region"],
                "A regional auction needs a region, and you have no home region.",
            ),
        };
    };
    if places.region(&region).is_none() {
        return refuse(Code::RegionNotFound, &["region"], "There is no such region.");
    }
    if !seller.home_region.as_ref().is_some_and(|home| home.is_within(&region)) {
        let message = "The region must be your home region or one around it.";
        return refuse(Code::RegionNotYours, &["region"], message);
    }
    Ok(Some(region))
}
