//! An engine on a test's database, with a clock that the test holds, and people to bid.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta};
use entity::{
    Time,
    enums::{AuctionScope, ItemCondition, ShippingPayer, TransferKind},
    ids::{AuctionId, RegionId, SessionId, UserId},
};
use neighborbid::{
    domain::{
        auction::SoftClose,
        money::{Currency, Money},
        name::ReservedNames,
        order::OrderTimes,
        refusal::Code,
        user::User,
    },
    engine::{
        AccountBounds, BidOutcome, Clock, CreateAuction, Engine, LaneSettings, PasswordSettings,
        Rules, Session, WalletMove, grant_admin,
    },
    live::{bus::NoBus, hub::Hub, rooms::Rooms, settings::LiveSettings, sweep},
    store::{connection::Db, users},
};
use sea_orm::TransactionTrait;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::database::TestDatabase;
use super::requests::{bid_request, description, key_of, title};

/// An engine, its database and its clock.
pub struct TestHouse {
    pub engine: Arc<Engine>,
    pub hub: Arc<Hub>,
    pub rooms: Rooms,
    pub db: Db,
    clock: Arc<Mutex<Time>>,
}

/// When every test begins.
pub const NOON: i64 = 1_900_000_000;

pub fn money(minor: i64) -> Money {
    Money::from_minor(minor).unwrap()
}

pub fn region(code: &str) -> RegionId {
    RegionId(code.to_owned())
}

pub fn rules() -> Rules {
    let seconds = TimeDelta::seconds;
    Rules {
        currency: Currency { code: "KRW".to_owned(), digits: 0 },
        increments: "10000:500,50000:1000,100000:2000,500000:5000,1000000:10000,50000"
            .parse()
            .unwrap(),
        fee_basis_points: 0,
        soft_close: SoftClose { window: seconds(60), extension: seconds(60), cap: seconds(3_600) },
        orders: OrderTimes { handover: TimeDelta::hours(72), receipt: TimeDelta::days(7) },
        cancel_cutoff: TimeDelta::hours(12),
        session_lifetime: TimeDelta::days(30),
        bounds: AccountBounds { sessions: 100, auctions: 100_000, blocked: 1_000 },
        passwords: PasswordSettings { workers: 2, queue: 4_096, guesses: 10_000 },
        reserved_names: ReservedNames::with(&[]),
        payments_are_simulated: true,
    }
}

impl TestHouse {
    pub async fn open(database: &TestDatabase) -> Self {
        let clock = Arc::new(Mutex::new(DateTime::from_timestamp(NOON, 0).unwrap()));
        Self::with_clock(database, Clock::Held(Arc::clone(&clock)), clock).await
    }

    pub async fn in_real_time(database: &TestDatabase) -> Self {
        let unused = Arc::new(Mutex::new(DateTime::from_timestamp(NOON, 0).unwrap()));
        Self::with_clock(database, Clock::Real, unused).await
    }

    /// On a database that is open already, with a clock that the test holds.
    pub async fn held_on(db: Db, lanes: LaneSettings) -> Self {
        let clock = Arc::new(Mutex::new(DateTime::from_timestamp(NOON, 0).unwrap()));
        Self::start(db, lanes, Clock::Held(Arc::clone(&clock)), clock).await
    }

    /// With a clock of one's own.
    pub async fn with(database: &TestDatabase, clock: Clock) -> Self {
        let unused = Arc::new(Mutex::new(chrono::Utc::now()));
        Self::with_clock(database, clock, unused).await
    }

    /// On a database that is open already, in real time, with lanes of one's own choice.
    pub async fn on(db: Db, lanes: LaneSettings) -> Self {
        let unused = Arc::new(Mutex::new(DateTime::from_timestamp(NOON, 0).unwrap()));
        Self::start(db, lanes, Clock::Real, unused).await
    }

    async fn with_clock(database: &TestDatabase, clock: Clock, held: Arc<Mutex<Time>>) -> Self {
        let db = database.open().await;
        let lanes = LaneSettings { lanes: db.writers(), batch: 64, queue: 4_096, share: 4_096 };
        Self::start(db, lanes, clock, held).await
    }

    /// In real time, with live updates within bounds of one's own choice.
    pub async fn watched_within(database: &TestDatabase, bounds: LiveSettings) -> Self {
        let db = database.open().await;
        let lanes = LaneSettings { lanes: db.writers(), batch: 64, queue: 4_096, share: 4_096 };
        let rooms = Rooms::within(bounds, &db, &rules().increments, Arc::new(NoBus));
        let unused = Arc::new(Mutex::new(chrono::Utc::now()));
        Self::in_rooms(rooms, db, lanes, Clock::Real, unused).await
    }

    async fn start(db: Db, lanes: LaneSettings, clock: Clock, held: Arc<Mutex<Time>>) -> Self {
        let rooms = Rooms::open(&db, &rules().increments, Arc::new(NoBus));
        Self::in_rooms(rooms, db, lanes, clock, held).await
    }

    async fn in_rooms(
        rooms: Rooms,
        db: Db,
        lanes: LaneSettings,
        clock: Clock,
        held: Arc<Mutex<Time>>,
    ) -> Self {
        let hub = Arc::clone(&rooms.hub);
        let engine = Engine::start(db.clone(), rules(), clock, lanes, rooms.clone()).await.unwrap();
        Self { engine, hub, rooms, db, clock: held }
    }

    /// Reads the log unasked, as a server does, until what this gives is dropped.
    #[must_use]
    pub fn sweeps(&self) -> DropGuard {
        let stop = CancellationToken::new();
        tokio::spawn(sweep::run(self.rooms.clone(), stop.clone()));
        stop.drop_guard()
    }

    pub fn now(&self) -> Time {
        *self.clock.lock().unwrap()
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.clock.lock().unwrap() += time;
    }

    pub fn set(&self, time: Time) {
        *self.clock.lock().unwrap() = time;
    }

    /// A person without money who decides disputes.
    pub async fn admin(&self, name: &str) -> Session {
        let admin = self.person(name, None, 0).await;
        self.grant_admin(&admin).await;
        admin
    }

    pub async fn grant_admin(&self, person: &Session) {
        assert!(grant_admin(&self.db, &person.user.username).await.unwrap());
    }

    /// A person with money, who never signs in.
    pub async fn person(&self, name: &str, home: Option<&str>, available: i64) -> Session {
        let user = User {
            id: UserId::new(),
            username: name.to_owned(),
            home_region: home.map(region),
            joined_at: self.now(),
        };
        let account = users::Account { user, password_hash: "none".to_owned(), is_admin: false };
        let tx = self.db.write.begin().await.unwrap();
        assert!(users::insert(&tx, &account).await.unwrap());
        tx.commit().await.unwrap();
        let session = Session {
            id: SessionId::new(),
            user: account.user,
            expires_at: self.now() + TimeDelta::days(1),
        };
        if available > 0 {
            self.deposit(&session, available, "first").await;
        }
        session
    }

    pub async fn deposit(&self, who: &Session, amount: i64, key: &str) {
        let wanted = WalletMove {
            kind: TransferKind::Deposit,
            amount: money(amount),
            idempotency_key: key_of(key),
            user: None,
        };
        self.engine.move_money(who, wanted).await.unwrap();
    }

    /// (available, locked)
    pub async fn balances(&self, who: &Session) -> (i64, i64) {
        let balances = self.engine.balances(who.user.id).await.unwrap();
        (balances.available.minor(), balances.locked.minor())
    }

    /// A national auction from 10,000 that runs for a day.
    pub fn a_lamp(&self) -> CreateAuction {
        CreateAuction {
            title: title("황동 스탠드 램프"),
            description: description("A brass lamp."),
            category: None,
            condition: ItemCondition::UsedA,
            shipping_payer: ShippingPayer::Buyer,
            scope: AuctionScope::National,
            region: None,
            starting_price: money(10_000),
            bid_unit: None,
            reserve_price: None,
            buy_now_price: None,
            starts_at: None,
            ends_at: self.engine.time() + TimeDelta::days(1),
            soft_close_window: None,
            soft_close_extension: None,
        }
    }

    pub async fn list(&self, seller: &Session, wanted: CreateAuction) -> AuctionId {
        self.engine.create_auction(seller, wanted).await.unwrap().listing.id
    }

    pub async fn bid(&self, who: &Session, on: AuctionId, amount: i64) -> BidOutcome {
        self.bid_up_to(who, on, amount, amount).await
    }

    pub async fn bid_up_to(
        &self,
        who: &Session,
        on: AuctionId,
        amount: i64,
        maximum: i64,
    ) -> BidOutcome {
        self.engine
            .place_bid(bid_request(who.user.id, on, money(amount), Some(money(maximum)), None))
            .await
            .unwrap()
    }
}

/// Why a bid was refused, if it was.
pub fn code(outcome: &BidOutcome) -> Option<Code> {
    outcome.refusal.as_ref().map(|refusal| refusal.code)
}

/// The price after a bid.
pub fn price(outcome: &BidOutcome) -> i64 {
    outcome.auction.as_ref().unwrap().1.price.minor()
}

/// Who leads after a bid.
pub fn leader(outcome: &BidOutcome) -> Option<UserId> {
    outcome.auction.as_ref().unwrap().1.leader.as_ref().map(|leader| leader.id)
}
