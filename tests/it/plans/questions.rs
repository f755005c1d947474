//! Each function of the store, asked once as the house asks it: of a few rows of many.

use chrono::{TimeDelta, Utc};
use entity::{
    auction, bid,
    enums::{AuctionScope, AuctionStatus, NotificationKind, OrderStatus, TransferKind},
    idempotency_key,
    ids::{AuctionId, BidId, CategoryId, NotificationId, OrderId, RegionId, SessionId, UserId},
    notification, order, session, transfer,
};
use neighborbid::{
    domain::{event::Event, filter::Filter, ledger::Movement, user::User},
    store::{
        auction_page::{self, Key, Place, Sort},
        auctions,
        bids::{self, Bounds},
        bulk, bus_secret, categories,
        commit_marker::{self, CommitMarker},
        deadlines::{self, Deadline},
        events, idempotency, marketplace, notifications, orders,
        page::Page,
        regions, sessions, transaction, transfers, users, wallets,
    },
};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use super::explained::Explained;
use crate::support::house::{money, rules};

/// Asks a function of the store under its own name.
macro_rules! ask {
    ($explained:expr, $module:ident :: $function:ident ($($argument:expr),* $(,)?)) => {
        $explained.ask(
            concat!(stringify!($module), "::", stringify!($function)),
            async |tx| { $module::$function(tx, $($argument),*).await.unwrap(); },
        ).await
    };
}

/// Has the change written that a function of the store makes, under its own name.
macro_rules! write {
    ($explained:expr, $module:ident :: $function:ident ($argument:expr)) => {
        $explained
            .write(concat!(stringify!($module), "::", stringify!($function)), || {
                $module::$function($argument)
            })
            .await
    };
}

/// What there is to ask about.
struct Known {
    auctions: Vec<auction::Model>,
    cancelled: AuctionId,
    bid: bid::Model,
    /// A bidder of the open auction's.
    bidder: UserId,
    order: order::Model,
    transfer: transfer::Model,
    session: session::Model,
    note: notification::Model,
}

impl Known {
    async fn read(db: &DatabaseConnection) -> Self {
        let of = |status: AuctionStatus| {
            auction::Entity::find().filter(auction::Column::Status.eq(status))
        };
        let open = of(AuctionStatus::Open).order_by_asc(auction::Column::Id);
        let auctions: Vec<_> = open.all(db).await.unwrap().into_iter().step_by(500).collect();
        let bids = bid::Entity::find().filter(bid::Column::AuctionId.eq(auctions[0].id));
        let bid = bids.one(db).await.unwrap().unwrap();
        let notes = notification::Entity::find();
        let notes = notes.filter(notification::Column::UserId.eq(bid.bidder_id));
        let sold = order::Entity::find().filter(order::Column::Status.eq(OrderStatus::HandedOver));
        Self {
            cancelled: of(AuctionStatus::Cancelled).one(db).await.unwrap().unwrap().id,
            bidder: bid.bidder_id,
            order: sold.one(db).await.unwrap().unwrap(),
            transfer: transfer::Entity::find().one(db).await.unwrap().unwrap(),
            session: session::Entity::find().one(db).await.unwrap().unwrap(),
            note: notes.one(db).await.unwrap().unwrap(),
            auctions,
            bid,
        }
    }

    fn auction(&self) -> AuctionId {
        self.auctions[0].id
    }

    fn ids(&self) -> Vec<AuctionId> {
        self.auctions.iter().map(|auction| auction.id).collect()
    }
}

fn page<C>() -> Page<C> {
    Page { after: None, before: None, size: 20, backwards: false }
}

pub async fn ask_all(explained: &mut Explained) {
    let known = Known::read(&explained.db).await;
    lists(explained, &known).await;
    of_auctions(explained, &known).await;
    of_bids(explained, &known).await;
    of_events(explained, &known).await;
    of_money(explained, &known).await;
    of_orders(explained, &known).await;
    of_people(explained, &known).await;
    of_notes_and_keys(explained, &known).await;
    ask!(explained, categories::all());
    ask!(explained, regions::all());
    ask!(explained, bus_secret::read());
    ask!(explained, marketplace::currency());
    ask!(explained, marketplace::record(&rules().currency));
}

async fn lists(explained: &mut Explained, known: &Known) {
    let lamp = &known.auctions[1];
    let only = |status: &[AuctionStatus]| Filter { status: status.to_vec(), ..Filter::default() };
    for (sort, key) in [
        (Sort::Newest, Key::Id),
        (Sort::EndingSoon, Key::Time(lamp.ends_at)),
        (Sort::PriceAsc, Key::Number(lamp.current_price)),
        (Sort::PriceDesc, Key::Number(lamp.current_price)),
        (Sort::MostBids, Key::Number(lamp.bid_count.into())),
    ] {
        let place = Place { key, id: lamp.id };
        for filter in [
            only(&[]),
            only(&[AuctionStatus::Open]),
            only(&[AuctionStatus::Open, AuctionStatus::Scheduled]),
            only(&[AuctionStatus::Sold, AuctionStatus::Unsold, AuctionStatus::Cancelled]),
            Filter { seller: Some(lamp.seller_id), ..only(&[]) },
            Filter { seller: Some(lamp.seller_id), ..only(&[AuctionStatus::Open]) },
            Filter { scope: Some(AuctionScope::National), ..only(&[AuctionStatus::Open]) },
        ] {
            ask!(explained, auction_page::places(&filter, sort, &page()));
            let after = Page { after: Some(place.clone()), ..page() };
            ask!(explained, auction_page::places(&filter, sort, &after));
            let before = Page { before: Some(place.clone()), backwards: true, ..page() };
            ask!(explained, auction_page::places(&filter, sort, &before));
        }
        let nowhere = Some(RegionId("99".to_owned()));
        for (what, filter) in [
            ("a word", Filter { words: vec!["lamp".to_owned()], ..only(&[AuctionStatus::Open]) }),
            ("a word of one status", Filter { words: vec!["lamp".to_owned()], ..only(&[]) }),
            ("a rare word", Filter { words: vec!["1937".to_owned()], ..only(&[]) }),
            (
                "a rare word",
                Filter { words: vec!["1937".to_owned()], ..only(&[AuctionStatus::Open]) },
            ),
            ("an unsaid word", Filter { words: vec!["unsaid".to_owned()], ..only(&[]) }),
            ("a syllable", Filter { words: vec!["람".to_owned()], ..only(&[]) }),
            (
                "a rare region",
                Filter { region: nowhere, scope: Some(AuctionScope::Regional), ..only(&[]) },
            ),
            (
                "a rare category",
                Filter { categories: vec![CategoryId("audio".to_owned())], ..only(&[]) },
            ),
            ("a price", Filter { min_price: Some(1), ..only(&[AuctionStatus::Open]) }),
            ("a price", Filter { min_price: Some(1_000_000), ..only(&[]) }),
            ("a price", Filter { max_price: Some(10), ..only(&[AuctionStatus::Open]) }),
        ] {
            let of = format!("auction_page::places of {what}");
            let ask = async |tx: &_| {
                auction_page::places(tx, &filter, sort, &page()).await.unwrap();
            };
            explained.ask(&of, ask).await;
        }
    }
}

async fn of_auctions(explained: &mut Explained, known: &Known) {
    let (now, ids, table) = (Utc::now(), known.ids(), rules().increments);
    ask!(explained, auctions::lock(&ids));
    ask!(explained, auctions::views(&ids, &table));
    ask!(explained, auctions::lock_free(&ids));
    ask!(explained, auctions::existing(&ids));
    for deadline in [Deadline::Opening, Deadline::Ending] {
        for except in [&[][..], &ids[..1], &ids] {
            ask!(explained, deadlines::next_deadline(deadline, except));
            // After a long night all of them are due.
            for now in [now, now + TimeDelta::days(365)] {
                ask!(explained, deadlines::due(deadline, now, 64, except));
                ask!(explained, deadlines::lock_due(deadline, now, 64, except));
            }
        }
    }
    ask!(explained, auctions::unended_of(known.auctions[0].seller_id, 200));
    ask!(explained, auctions::set_cancel_reason(known.cancelled, "broken"));
    let locked = auctions::lock(&explained.db, &ids).await.unwrap();
    write!(explained, auctions::save(&locked));
    let view = auctions::views(&explained.db, &ids[..1], &table).await.unwrap().remove(0);
    ask!(explained, auctions::save_words(&view.listing));
    let mut new = locked[0].clone();
    (new.id, new.lead, new.bid_count) = (AuctionId::new(), None, 0);
    let listing = neighborbid::domain::listing::Listing { id: new.id, ..(*view.listing).clone() };
    let new = auctions::NewAuction { listing, auction: new, created_at: now };
    ask!(explained, auctions::insert(&new));
}

async fn of_bids(explained: &mut Explained, known: &Known) {
    let (auction, bidder, ids) = (known.auction(), known.bidder, known.ids());
    ask!(explained, bids::by_ids(&[known.bid.id]));
    for backwards in [false, true] {
        let ends = |after, before| Bounds::from(&Page { after, before, ..page() });
        ask!(explained, bids::of_auctions(&[(auction, ends(None, None))], 20, backwards));
        let each = [(Some(30), None), (None, Some(10)), (Some(20), None)].map(|(a, b)| ends(a, b));
        let each: Vec<_> = ids.iter().copied().zip(each).collect();
        ask!(explained, bids::of_auctions(&each, 20, backwards));
    }
    ask!(explained, bids::of_bidder(bidder, &page()));
    ask!(explained, bids::of_bidder(bidder, &Page { after: Some(known.bid.id), ..page() }));
    ask!(explained, bids::highest_of(bidder, &ids));
    ask!(explained, bids::maxima_of(bidder, &ids));
    ask!(explained, bids::bidders_of(auction));
    let new = [bid::Model { id: BidId::new(), sequence: 1_000, ..known.bid.clone() }];
    explained.write("bulk::insert of bids", || bulk::insert(&new)).await;
    // The smallest change there is.
    ask!(explained, bulk::write([bulk::insert(&new)]));
    for marker in [
        CommitMarker::Bid(known.bid.id),
        CommitMarker::Transfer(known.transfer.id),
        CommitMarker::Notification(known.note.id),
        CommitMarker::Event(auction, 40, Utc::now()),
        CommitMarker::Auction(auction),
        CommitMarker::Session(known.session.id),
    ] {
        ask!(explained, commit_marker::is_committed(marker));
    }
}

async fn of_events(explained: &mut Explained, known: &Known) {
    let auction = known.auction();
    ask!(explained, events::between(auction, 20, 40, 1_001));
    let places: Vec<_> = known.ids().into_iter().map(|id| (id, 40)).collect();
    ask!(explained, events::after_each(&places, 1_001));
    ask!(explained, events::active(Utc::now()));
    ask!(explained, events::last_before(&known.ids(), Utc::now()));
    ask!(explained, events::was_scheduled(auction));
    let last = events::between(&explained.db, auction, 50, 51, 1).await.unwrap().remove(0);
    let mut new = Event::clone(&last);
    new.state.sequence = 1_000;
    let new = [new];
    write!(explained, events::insert(&new));
}

async fn of_money(explained: &mut Explained, known: &Known) {
    let bidder = known.bidder;
    let sellers: Vec<_> = known.auctions.iter().map(|auction| auction.seller_id).collect();
    let people = || [bidder, sellers[0]];
    ask!(explained, wallets::lock(people(), sellers.iter().copied()));
    ask!(explained, wallets::lock_free(people(), sellers.iter().copied()));
    ask!(explained, wallets::of(bidder));
    ask!(explained, wallets::of_each(&[bidder, sellers[0]]));
    let balances = wallets::of(&explained.db, bidder).await.unwrap();
    write!(explained, wallets::save([(bidder, balances)]));
    explained.write("bulk::update of wallets", || wallets::save([(bidder, balances)])).await;
    ask!(explained, transfers::by_ids(&[known.transfer.id]));
    ask!(explained, transfers::of_user(bidder, &page()));
    let after = Page { after: Some(known.transfer.id), ..page() };
    ask!(explained, transfers::of_user(known.transfer.user_id, &after));
    let deposit = TransferKind::Deposit;
    let deposit = Movement { user: bidder, kind: deposit, amount: money(1), bid: None };
    let new = [transfers::row(&deposit, None, Utc::now())];
    explained.write("bulk::insert of transfers", || bulk::insert(&new)).await;
    let newcomer = users::Account {
        user: User {
            id: UserId::new(),
            username: "newcomer".to_owned(),
            home_region: None,
            joined_at: Utc::now(),
        },
        password_hash: "none".to_owned(),
        is_admin: false,
    };
    ask!(explained, users::insert(&newcomer));
    // Their wallet comes with them; alone it needs a user without one.
    explained
        .ask("wallets::insert", async |tx| assert!(users::insert(tx, &newcomer).await.unwrap()))
        .await;
}

async fn of_orders(explained: &mut Explained, known: &Known) {
    let Known { order, .. } = known;
    ask!(explained, orders::by_id(order.id));
    ask!(explained, orders::by_ids(&[order.id, OrderId::new()]));
    ask!(explained, orders::of_auction(order.auction_id));
    for user in [order.buyer_id, order.seller_id] {
        ask!(explained, orders::of_user(user, &page()));
        ask!(explained, orders::of_user(user, &Page { after: Some(order.id), ..page() }));
    }
    for except in [&[][..], &[order.id]] {
        ask!(explained, orders::next_completion(except));
        for now in [Utc::now(), Utc::now() + TimeDelta::days(365)] {
            ask!(explained, orders::due(now, 64, except));
        }
    }
    ask!(explained, orders::save(order));
    let new = order::Model { id: OrderId::new(), auction_id: known.auction(), ..order.clone() };
    explained.write("bulk::insert of orders", || bulk::insert(std::slice::from_ref(&new))).await;
}

async fn of_people(explained: &mut Explained, known: &Known) {
    let (now, bidder) = (Utc::now(), known.bidder);
    ask!(explained, users::by_username("neighbour7"));
    ask!(explained, users::by_ids(&[bidder, known.order.seller_id]));
    ask!(explained, users::is_admin(bidder));
    ask!(explained, users::grant_admin("neighbour7"));
    ask!(explained, users::set_blocked(known.order.seller_id, bidder, Some(now)));
    ask!(explained, users::set_blocked(known.order.seller_id, bidder, None));
    let token = &known.session.token_hash;
    ask!(explained, transaction::now());
    ask!(explained, sessions::by_token(token, now));
    ask!(explained, sessions::existing(&[known.session.id]));
    ask!(explained, sessions::existing(&[known.session.id, SessionId::new()]));
    ask!(explained, sessions::delete(known.session.id));
    ask!(explained, sessions::delete(SessionId::new()));
    ask!(explained, sessions::delete_expired(bidder, now));
    ask!(explained, sessions::older_than_newest(bidder, 1));
    ask!(explained, users::blocked_count(known.order.seller_id, bidder, 1_000));
    let expires_at = now + TimeDelta::days(1);
    ask!(explained, sessions::insert(SessionId::new(), bidder, vec![7; 32], now, expires_at));
}

async fn of_notes_and_keys(explained: &mut Explained, known: &Known) {
    let (bidder, note) = (known.bidder, known.note.id);
    for unread_only in [false, true] {
        ask!(explained, notifications::of_user(bidder, unread_only, &page()));
        let after = Page { after: Some(note), ..page() };
        ask!(explained, notifications::of_user(bidder, unread_only, &after));
    }
    ask!(explained, notifications::by_ids(&[note, NotificationId::new()]));
    ask!(explained, notifications::unread_count(bidder));
    ask!(explained, notifications::mark_read(bidder, &[note]));
    ask!(explained, notifications::since(&[bidder, known.order.seller_id], Utc::now()));
    let new = [notification::Model {
        id: NotificationId::new(),
        kind: NotificationKind::Won,
        ..known.note.clone()
    }];
    explained.write("bulk::insert of notifications", || bulk::insert(&new)).await;
    let key = format!("key of {}", known.bid.id.0);
    ask!(explained, idempotency::find(&[(bidder, key.as_str()), (bidder, "unknown")]));
    let new = [idempotency_key::Model {
        user_id: bidder,
        key: "new".to_owned(),
        request: "a bid".to_owned(),
        auction_id: Some(known.auction()),
        sequence: Some(known.bid.sequence),
        bid_id: Some(known.bid.id),
        transfer_id: None,
        created_at: Utc::now(),
    }];
    explained.write("bulk::insert of keys", || bulk::insert(&new)).await;
}
