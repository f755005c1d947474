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
        auction::{Auction, SoftClose},
        event::{AuctionState, Event},
        listing::{AuctionView, Listing},
        money::Money,
        refusal::{Code, Refusal},
        user::User,
        words,
    },
    live::bus::{AuctionNews, News},
    store::{
        auctions::{self, NewAuction},
        bulk,
        commit_marker::CommitMarker,
        events, truncate,
    },
};

/// What a seller asks for.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // As in `Listing` and `Auction`, which document each.
pub struct CreateAuction {
    pub title: String,
    pub description: String,
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

/// How long an auction may run.
const MIN_RUN: TimeDelta = TimeDelta::minutes(1);
const MAX_RUN: TimeDelta = TimeDelta::days(30);

/// How far ahead an auction may be listed.
const MAX_AHEAD: TimeDelta = TimeDelta::days(90);

/// How long a soft close's window and extension may be.
const MAX_SOFT_CLOSE: TimeDelta = TimeDelta::hours(1);

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

fn refuse<T>(
    code: Code,
    field: &'static [&'static str],
    message: &'static str,
) -> Result<T, Refusal> {
    Err(Refusal::new(code, message).at(field))
}

/// One visible line of 1 to 100 characters, in composed form.
pub(super) fn check_title(title: &str) -> Result<String, Refusal> {
    words::title(title).or_else(|words::Unfit| {
        let message = "A title is one line of 1 to 100 characters, with something visible in it \
                       and nothing that turns its direction.";
        refuse(Code::InvalidTitle, &["title"], message)
    })
}

/// Plain text of at most 10,000 characters, in composed form.
pub(super) fn check_description(description: &str) -> Result<String, Refusal> {
    words::description(description).or_else(|words::Unfit| {
        let message = "A description is plain text of at most 10,000 characters.";
        refuse(Code::InvalidDescription, &["description"], message)
    })
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
    let title = check_title(&wanted.title)?;
    let description = check_description(&wanted.description)?;
    if let Some(category) = &wanted.category {
        check_category(places, category)?;
    }
    let region = check_region(places, seller, &wanted)?;
    check_prices(&wanted)?;
    let (starts_at, ends_at) = check_times(&wanted, now)?;
    let soft_close = check_soft_close(rules.soft_close, &wanted)?;
    let auction = Auction {
        id,
        seller: seller.id,
        bidders_region: region.clone().filter(|_| wanted.scope == AuctionScope::Regional),
        starting_price: wanted.starting_price,
        price: wanted.starting_price,
        bid_unit: wanted.bid_unit,
        reserve: wanted.reserve_price,
        buy_now: wanted.buy_now_price,
        lead: None,
        bid_count: 0,
        status: AuctionStatus::Scheduled,
        starts_at,
        ends_at,
        scheduled_ends_at: ends_at,
        soft_close,
        sequence: 0,
    };
    let listing = Listing {
        id,
        seller: Arc::new(seller.clone()),
        title,
        description,
        category: wanted.category,
        condition: wanted.condition,
        shipping_payer: wanted.shipping_payer,
        scope: wanted.scope,
        region,
        starting_price: wanted.starting_price,
        bid_unit: wanted.bid_unit,
        buy_now_price: wanted.buy_now_price,
        starts_at,
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

fn check_prices(wanted: &CreateAuction) -> Result<(), Refusal> {
    let fits = |price: Money| wanted.bid_unit.is_none_or(|unit| price.is_multiple_of(unit));
    if !fits(wanted.starting_price) {
        let message = "The starting price must be a whole multiple of the bid unit.";
        return refuse(Code::InvalidPrice, &["startingPrice"], message);
    }
    if let Some(buy_now) = wanted.buy_now_price {
        let least =
            wanted.reserve_price.map_or(wanted.starting_price, |r| r.max(wanted.starting_price));
        if buy_now < least || buy_now == wanted.starting_price {
            let message =
                "The buy-now price must be above the starting price, and no less than the reserve.";
            return refuse(Code::InvalidPrice, &["buyNowPrice"], message);
        }
        if !fits(buy_now) {
            let message = "The buy-now price must be a whole multiple of the bid unit.";
            return refuse(Code::InvalidPrice, &["buyNowPrice"], message);
        }
    }
    let Some(reserve) = wanted.reserve_price else {
        return Ok(());
    };
    if reserve < wanted.starting_price {
        let message = "The reserve must be at least the starting price.";
        return refuse(Code::InvalidPrice, &["reservePrice"], message);
    }
    if !fits(reserve) {
        let message = "The reserve must be a whole multiple of the bid unit.";
        return refuse(Code::InvalidPrice, &["reservePrice"], message);
    }
    Ok(())
}

fn check_times(wanted: &CreateAuction, now: Time) -> Result<(Time, Time), Refusal> {
    // A leap second is no instant that both databases keep.
    let is_leap = |at: &Time| at.timestamp_subsec_nanos() >= 1_000_000_000;
    for (field, at) in [("startsAt", wanted.starts_at), ("endsAt", Some(wanted.ends_at))] {
        if at.as_ref().is_some_and(is_leap) {
            let message = "A minute has the seconds 0 to 59.";
            let field: &[&str] = if field == "endsAt" { &["endsAt"] } else { &["startsAt"] };
            return refuse(Code::InvalidTime, field, message);
        }
    }
    // A start in the past means "at once".
    let starts_at = wanted.starts_at.map_or(now, |at| truncate(at).max(now));
    if starts_at > now + MAX_AHEAD {
        let message = "An auction may be listed at most 90 days ahead.";
        return refuse(Code::InvalidTime, &["startsAt"], message);
    }
    let ends_at = truncate(wanted.ends_at);
    if !(MIN_RUN..=MAX_RUN).contains(&(ends_at - starts_at)) {
        let message = "An auction ends 1 minute to 30 days after its start.";
        return refuse(Code::InvalidTime, &["endsAt"], message);
    }
    Ok((starts_at, ends_at))
}

fn check_soft_close(default: SoftClose, wanted: &CreateAuction) -> Result<SoftClose, Refusal> {
    let window = wanted.soft_close_window.unwrap_or(default.window);
    let extension = wanted.soft_close_extension.unwrap_or(default.extension);
    let allowed = TimeDelta::zero()..=MAX_SOFT_CLOSE;
    let message = "A soft close's times lie between 0 and 3,600 seconds.";
    if !allowed.contains(&window) {
        return refuse(Code::InvalidSoftClose, &["softCloseWindowSeconds"], message);
    }
    if !allowed.contains(&extension) {
        return refuse(Code::InvalidSoftClose, &["softCloseExtensionSeconds"], message);
    }
    Ok(SoftClose { window, extension, cap: default.cap })
}
