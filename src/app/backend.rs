//! Everything behind the listeners: the database, the engine, the bus, and the tasks that run by
//! themselves. What a program needs that serves the schema over a web server of its own.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{CLOSING, Config, Failure, PATIENCE};
use crate::{
    engine::Engine,
    graphql::{self, RateLimits},
    http::App,
    live::{
        bus::{Bus, NoBus},
        nats::{NatsBus, Settings},
        rooms::Rooms,
        sweep,
    },
    store::{bus_secret, connection::Db},
    telemetry,
};

/// How long each of the tasks that live as long as the backend may take to end.
const MOMENT: Duration = Duration::from_millis(250);

/// How long closing the database may take.
const LAST: Duration = Duration::from_secs(2);

/// How often idle entries of the rate limits are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// An open marketplace without a listener.
///
/// Open one, serve its [`app`](Self::app) until [`stopping`](Self::stopping) is cancelled, and
/// [`close`](Self::close) it. `examples/embed.rs` does.
pub struct Backend {
    pub(super) engine: Arc<Engine>,
    pub(super) app: App,
    pub(super) stop: CancellationToken,
    db: Db,
    nats: Option<Arc<NatsBus>>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Backend {
    /// Opens the database, migrates it, and starts the engine and all that runs by itself:
    /// openings, endings and orders on time, the sweep of the event log, and the bus.
    ///
    /// # Errors
    /// When the database or the bus cannot be used, or the settings contradict each other.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let bus = config.bus.settings()?;
        let pools = config.database.pools();
        let url = &config.database.database_url;
        let db = Db::open(url, &pools.patient()).await?;
        migration::up(&db.write).await?;
        db.close().await;
        let db = Db::open(url, &pools).await?;
        let rules = config.house.rules()?;
        let nats = match &bus {
            Some(bus) => Some(connect(bus, &config.bus.nats_prefix, &db).await?),
            None => None,
        };
        let bus: Arc<dyn Bus> = match &nats {
            Some(nats) => Arc::clone(nats) as _,
            None => Arc::new(NoBus),
        };
        let rooms = Rooms::within(config.clients.live(), &db, &rules.increments, bus);
        let lanes = config.house.lanes(db.writers());
        let engine = Engine::start(db.clone(), rules, config.clock, lanes, rooms.clone()).await?;

        let rates = Arc::new(RateLimits::new(config.clients.rates()));
        let limits = config.clients.documents.schema();
        let schema = graphql::schema(Arc::clone(&engine), Arc::clone(&rates), limits);
        let stop = CancellationToken::new();
        let http = config.clients.http();
        let recorder = telemetry::recorder();
        let app = App::new(Arc::clone(&engine), schema, http, recorder, stop.clone());
        let app = app.map_err(Failure::Schema)?;

        let workers = workers(&engine, &rooms, nats.as_ref(), rates, &stop);
        if let Some(nats) = &nats {
            nats.settle().await;
        }
        Ok(Self { engine, app, stop, db, nats, workers })
    }

    /// What serves clients: [`App::executor`] runs the operations of one client for a stock
    /// GraphQL service, and [`stock_routes`](crate::http::stock_routes) are such services.
    #[must_use]
    pub fn app(&self) -> App {
        self.app.clone()
    }

    /// Cancelled when it closes. Cancelling it ends subscriptions.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Closes in order: ends subscriptions and sockets, empties the lanes, lets what writes end,
    /// and closes the database. The web server is best closed between cancelling `stopping` and
    /// this.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn close(self) -> Result<(), Failure> {
        self.stop.cancel();
        self.app.tasks.close();
        let orderly = async {
            if tokio::time::timeout(PATIENCE, self.app.tasks.wait()).await.is_err() {
                tracing::info!("sockets that are slow are not waited for");
            }
            self.engine.drain().await;
            self.finish().await;
        };
        tokio::time::timeout(CLOSING, orderly).await.map_err(|_| Failure::Slow)
    }

    /// Ends the tasks, the bus and the database, once the lanes are empty.
    pub(super) async fn finish(self) {
        let Self { db, nats, workers, .. } = self;
        for worker in workers {
            // What it writes is done: it only waits, or reads, from a database that is slow.
            let abort = worker.abort_handle();
            match tokio::time::timeout(MOMENT, worker).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a worker ended badly"),
                Err(_) => abort.abort(),
            }
        }
        if let Some(nats) = nats {
            nats.drain().await;
        }
        // What a client that is slow still reads is not waited for either.
        if tokio::time::timeout(LAST, db.close()).await.is_err() {
            tracing::info!("the database is left with reads under way");
        }
    }
}

/// The tasks that live as long as the backend.
fn workers(
    engine: &Arc<Engine>,
    rooms: &Rooms,
    nats: Option<&Arc<NatsBus>>,
    rates: Arc<RateLimits>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let mut workers = vec![
        tokio::spawn(Arc::clone(engine).keep_openings(stop.clone())),
        tokio::spawn(Arc::clone(engine).keep_endings(stop.clone())),
        tokio::spawn(Arc::clone(engine).keep_orders(stop.clone())),
        tokio::spawn(Arc::clone(engine).monitor(stop.clone())),
        tokio::spawn(housekeeping(rates, stop.clone())),
    ];
    let (presence, ending) = (Arc::clone(&rooms.presence), stop.clone());
    let counts = move || Arc::clone(&presence).run(ending.clone());
    workers.push(tokio::spawn(Arc::clone(engine).supervise("presence", counts)));
    let (rooms, ending) = (rooms.clone(), stop.clone());
    let sweeps = move || sweep::run(rooms.clone(), ending.clone());
    workers.push(tokio::spawn(Arc::clone(engine).supervise("sweep", sweeps)));
    let (sessions, ending) = (Arc::clone(engine), stop.clone());
    let ends = move || Arc::clone(&sessions).watch_over_sessions(ending.clone());
    workers.push(tokio::spawn(Arc::clone(engine).supervise("sessions", ends)));
    if let Some(nats) = nats {
        let (nats, ending) = (Arc::clone(nats), stop.clone());
        let watches = move || Arc::clone(&nats).run(ending.clone());
        workers.push(tokio::spawn(Arc::clone(engine).supervise("bus", watches)));
    }
    workers
}

/// Connects to the bus. The nodes of one database share a secret there, unless they are given one.
async fn connect(bus: &Settings, house: &str, db: &Db) -> Result<Arc<NatsBus>, Failure> {
    let secret = match &bus.secret {
        Some(secret) => secret.clone(),
        None => bus_secret::read(&db.read).await?.into(),
    };
    Ok(NatsBus::connect(bus, &secret, house).await?)
}

async fn housekeeping(rates: Arc<RateLimits>, stop: CancellationToken) {
    let mut turns = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = turns.tick() => rates.forget_idle(),
            () = stop.cancelled() => return,
        }
    }
}
