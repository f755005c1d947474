//! The use cases, one a file: lock, load, judge, save, append events, commit, publish.
//!
//! Nothing here knows GraphQL or HTTP; a bid over HTTP and a bid over the WebSocket meet
//! [`Engine::place_bid`].

mod accounts;
mod affairs;
mod apart;
mod batch;
mod blocking;
mod command;
mod create_auction;
mod currency;
mod deadlines;
mod docket;
mod end_auction;
mod error;
mod health;
mod known_sessions;
mod lane;
mod monitor;
mod orders;
mod passwords;
mod place_bid;
mod places;
mod queue;
mod read;
mod session_watch;
mod supervision;
mod tries;
mod update_auction;
mod wallet;
mod work;

pub use accounts::{Credentials, Session, SignIn, SignUp, Token, grant_admin};
pub use create_auction::CreateAuction;
pub use error::{Error, may_pass};
pub use lane::LaneSettings;
pub use passwords::PasswordSettings;
pub use place_bid::BidOutcome;
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
        watcher::Watcher,
    },
    store::{
        auction_page::{Place, Sort},
        page::Page,
    },
};

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{TimeDelta, Utc};
use entity::Time;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::Semaphore;

use crate::{
    domain::{
        auction::SoftClose, increments::IncrementTable, money::Currency, name::ReservedNames,
        order::OrderTimes,
    },
    live::{bus::News, rooms::Rooms},
    store::{connection::Db, transaction, truncate},
};
use command::Commands;
use deadlines::Deadlines;
use health::Health;
use known_sessions::KnownSessions;
use lane::Lanes;
use passwords::Passwords;

/// The marketplace's settings.
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
    /// How much one account may have.
    pub bounds: AccountBounds,
    /// How passwords are judged and hashed.
    pub passwords: PasswordSettings,
    /// Names that nobody may have.
    pub reserved_names: ReservedNames,
    /// Anyone may deposit and withdraw; else only admins move money in and out.
    pub payments_are_simulated: bool,
}

/// How much one account may have.
#[derive(Debug, Clone, Copy)]
pub struct AccountBounds {
    /// Sessions; one more ends the oldest.
    pub sessions: u32,
    /// Auctions that are scheduled or open.
    pub auctions: u32,
    /// People whom a seller blocks.
    pub blocked: u32,
}

/// Where time comes from.
#[derive(Clone)]
pub enum Clock {
    /// The database's on Postgres, which several nodes share; else this process's.
    Real,
    /// One that a test holds.
    Held(Arc<Mutex<Time>>),
    /// One that is asked each time.
    Asked(Arc<dyn Fn() -> Time + Send + Sync>),
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "Real",
            Self::Held(_) => "Held",
            Self::Asked(_) => "Asked",
        })
    }
}

impl Clock {
    /// Now, given what the database's clock said if it was asked.
    #[must_use]
    pub fn now(&self, database: Option<Time>) -> Time {
        truncate(match self {
            Self::Real => database.unwrap_or_else(Utc::now),
            Self::Held(held) => *held.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Asked(ask) => ask(),
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
    places: Places,
    sessions: KnownSessions,
    commands: Commands,
    deadlines: Deadlines,
    health: Arc<Health>,
    /// Turns of bids that wait for rows that others hold for long.
    waits: Semaphore,
}

/// How many may wait for rows that others hold for long, each on a connection.
const WAITS: usize = 2;

impl Core {
    /// Now by the clock that all nodes share, read inside a transaction's locks.
    async fn now(&self, db: &impl ConnectionTrait) -> Result<Time, DbErr> {
        Ok(match self.clock {
            Clock::Real => self.clock.now(transaction::now(db).await?),
            _ => self.clock.now(None),
        })
    }

    /// Refuses what could not be written.
    fn takes_commands(&self) -> Result<(), Error> {
        match self.commands.is_open() && self.health.may_write() {
            true => Ok(()),
            false => Err(Error::Overloaded),
        }
    }

    /// Whether a write that failed may have failed for its own sake: nothing could be written
    /// otherwise, or nothing more is.
    fn takes_writes(&self) -> bool {
        self.health.can_write() && self.commands.is_open()
    }

    /// Tells what was committed to whom it concerns.
    fn publish(&self, news: Vec<News>) {
        for news in &news {
            if let News::SignedOut(session) = news {
                self.sessions.sign_out(*session);
            }
        }
        self.rooms.publish(news);
    }
}

/// The engine. Cheap to share; one a process.
#[derive(Debug)]
pub struct Engine {
    core: Arc<Core>,
    lanes: Lanes,
    passwords: Passwords,
}

impl Engine {
    /// An engine on an open, migrated database.
    ///
    /// # Errors
    /// When the database keeps another currency, or the region and category trees cannot be read.
    pub async fn start(
        db: Db,
        rules: Rules,
        clock: Clock,
        lanes: LaneSettings,
        rooms: Rooms,
    ) -> Result<Arc<Self>, Error> {
        currency::agree(&db, &rules.currency).await?;
        let places = Places::load(&db.read).await?;
        let writers = db.writers();
        let sessions = KnownSessions::new(Arc::clone(&rooms.bus));
        let core = Arc::new(Core {
            db,
            rules,
            clock,
            rooms,
            places,
            sessions,
            commands: Commands::new(writers.saturating_sub(lanes.lanes + WAITS + 1)),
            deadlines: Deadlines::default(),
            health: Arc::new(Health::new()),
            waits: Semaphore::new(WAITS),
        });
        let passwords = Passwords::new(core.rules.passwords)?;
        let lanes = Lanes::start(&core, lanes);
        Ok(Arc::new(Self { lanes, core, passwords }))
    }

    /// The marketplace's settings.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.core.rules
    }

    /// Regions and categories.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.core.places
    }

    /// Takes no more bids and waits until those in the lanes are answered; then the same with
    /// everything else that writes.
    pub async fn drain(&self) {
        self.lanes.drain().await;
        self.core.commands.drain().await;
    }
}
