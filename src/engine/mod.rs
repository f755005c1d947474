//! The use cases, one a file: lock, load, judge, save, append events, commit, publish.
//!
//! Nothing here knows GraphQL or HTTP; a bid over HTTP and a bid over the WebSocket meet
//! [`Engine::place_bid`].

mod accounts;
mod affairs;
mod batch;
mod blocking;
mod close_auctions;
mod create_auction;
mod docket;
mod end_auction;
mod error;
mod known_sessions;
mod lane;
mod orders;
mod passwords;
mod place_bid;
mod places;
mod queue;
mod read;
mod retried;
mod session_watch;
mod update_auction;
mod wallet;
mod work;

pub use accounts::{Credentials, Session, SignUp, Token};
pub use create_auction::CreateAuction;
pub use error::Error;
pub use lane::LaneSettings;
pub use place_bid::{BidOutcome, PlaceBid};
pub use places::Places;
pub use session_watch::SessionWatch;
pub use update_auction::UpdateAuction;
pub use wallet::WalletMove;

// What the engine's answers are made of.
pub use crate::{
    live::{
        feed::Feed,
        people::OwnUpdate,
        update::{Update, UpdateKind},
    },
    store::{
        auction_page::{Place, Sort},
        page::Page,
    },
};

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{TimeDelta, Utc};
use entity::Time;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::Notify;

use crate::{
    domain::{auction::SoftClose, increments::IncrementTable, money::Currency, order::OrderTimes},
    live::rooms::Rooms,
    store::{connection::Db, truncate, tx},
};
use known_sessions::KnownSessions;
use lane::Lanes;
use passwords::Passwords;

/// The house's numbers.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The one currency.
    pub currency: Currency,
    /// Steps by price, where a seller fixes none.
    pub increments: IncrementTable,
    /// In basis points of the price.
    pub fee_basis_points: u32,
    /// What an auction gets when its seller says nothing; the cap always.
    pub soft_close: SoftClose,
    /// The times of orders.
    pub orders: OrderTimes,
    /// With bids, an auction may be withdrawn until this long before its end.
    pub cancel_cutoff: TimeDelta,
    /// How long a sign-in lasts.
    pub session_lifetime: TimeDelta,
    /// Anyone may deposit and withdraw; else only admins move money in and out.
    pub payments_are_simulated: bool,
}

/// Where time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The database's on Postgres, which several nodes share; else this process's.
    Real,
    /// One that a test holds.
    Held(Arc<Mutex<Time>>),
}

impl Clock {
    /// Now, given what the database's clock said if it was asked.
    #[must_use]
    pub fn now(&self, database: Option<Time>) -> Time {
        truncate(match self {
            Self::Real => database.unwrap_or_else(Utc::now),
            Self::Held(held) => *held.lock().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

/// What every use case shares.
#[derive(Debug)]
struct Core {
    db: Db,
    rules: Rules,
    clock: Clock,
    rooms: Rooms,
}

impl Core {
    /// Now by the clock that all nodes share, read inside a transaction's locks.
    async fn now(&self, db: &impl ConnectionTrait) -> Result<Time, DbErr> {
        Ok(match self.clock {
            Clock::Held(_) => self.clock.now(None),
            _ => self.clock.now(tx::now(db).await?),
        })
    }
}

/// The engine. Cheap to share; one a process.
#[derive(Debug)]
pub struct Engine {
    core: Arc<Core>,
    lanes: Lanes,
    places: Places,
    passwords: Passwords,
    sessions: KnownSessions,
    /// Told when a deadline may have become earlier.
    deadlines: Notify,
}

impl Engine {
    /// An engine on an open, migrated database.
    ///
    /// # Errors
    /// When the region and category trees cannot be read.
    pub async fn start(
        db: Db,
        rules: Rules,
        clock: Clock,
        lanes: LaneSettings,
        rooms: Rooms,
    ) -> Result<Arc<Self>, Error> {
        let places = Places::load(&db.read).await?;
        let bus = Arc::clone(&rooms.bus);
        let core = Arc::new(Core { db, rules, clock, rooms });
        Ok(Arc::new(Self {
            lanes: Lanes::start(&core, lanes),
            core,
            places,
            passwords: Passwords::new()?,
            sessions: KnownSessions::new(bus),
            deadlines: Notify::new(),
        }))
    }

    /// The house's numbers.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.core.rules
    }

    /// Regions and categories.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Takes no more bids, and waits until those in the lanes are answered.
    pub async fn drain(&self) {
        self.lanes.drain().await;
    }

    /// Returns when a deadline may have become earlier.
    pub async fn deadline_moved(&self) {
        self.deadlines.notified().await;
    }
}
