//! The composition root: builds the house from its settings, runs it, and closes it in order.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig, WrongDigits},
    engine::{Clock, Engine},
    graphql::{self, RateLimits},
    http::{App, ConnectionLimits, Connections, Listener, admin_router, router},
    live::{
        bus::{Bus, NoBus},
        nats::{NatsBus, Settings, SettingsError},
        rooms::Rooms,
        sweep,
    },
    store::{bus_secret, connection::Db},
    telemetry,
};

/// Everything that `serve` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data is.
    pub database: DatabaseConfig,
    /// How nodes hear of each other.
    pub bus: BusConfig,
    /// The house's numbers.
    pub house: HouseConfig,
    /// What clients may do.
    pub clients: ClientConfig,
    /// Where time comes from.
    pub clock: Clock,
}

/// Why the house did not open or did not close well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database cannot be used.
    #[error("the database: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// The bus cannot be used.
    #[error("the bus: {0}")]
    Bus(#[from] SettingsError),
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] WrongDigits),
    /// The engine did not start.
    #[error("the engine: {0}")]
    Engine(#[from] crate::engine::Error),
    /// Documents cannot be checked against the schema.
    #[error("the schema: {0}")]
    Schema(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The server broke.
    #[error("the server: {0}")]
    Serve(std::io::Error),
    /// Closing took too long.
    #[error("closing took longer than {} s; what was acknowledged is kept", CLOSING.as_secs())]
    Slow,
}

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(10);

/// How long clients may take to get their answers, once the house closes.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long each of the tasks that live as long as the house may take to end.
const MOMENT: Duration = Duration::from_millis(250);

/// How long closing the database may take.
const LAST: Duration = Duration::from_secs(2);

/// How often idle entries of the rate limits are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// An open house.
#[derive(Debug)]
pub struct House {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it answers operators.
    pub admin: Option<SocketAddr>,
    db: Db,
    nats: Option<Arc<NatsBus>>,
    stop: CancellationToken,
    sockets: tokio_util::task::TaskTracker,
    connections: Vec<Arc<Connections>>,
    /// For clients, and for operators.
    servers: (JoinHandle<()>, Option<JoinHandle<()>>),
    workers: Vec<JoinHandle<()>>,
}

impl House {
    /// Opens the database, migrates it, and begins to serve.
    ///
    /// # Errors
    /// When the database or the address cannot be used.
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
        let sockets = app.tasks.clone();

        let workers = workers(&engine, &rooms, nats.as_ref(), rates, &stop);
        if let Some(nats) = &nats {
            nats.settle().await;
        }

        let listeners = &config.clients.listeners;
        let public = bind(listeners.public(), config.clients.connections()).await?;
        let admin = match listeners.admin() {
            Some(admin) => Some(bind(admin, listeners.admin_connections()).await?),
            None => None,
        };
        let address = public.1;
        let admin_address = admin.as_ref().map(|(_, address)| *address);
        for danger in config.clients.dangers(address, admin_address, config.house.payments) {
            tracing::warn!("{danger}");
        }
        let mut connections = vec![public.0.connections()];
        connections.extend(admin.iter().map(|(listener, _)| listener.connections()));
        // Operators are answered until nothing is left to be told.
        let operators = admin.map(|(admin, _)| {
            tokio::spawn(admin.serve(admin_router(app.clone()), CancellationToken::new()))
        });
        let server = tokio::spawn(public.0.serve(router(app), stop.clone()));
        let admin = admin_address;
        let servers = (server, operators);
        Ok(Self { engine, address, admin, db, nats, stop, sockets, connections, servers, workers })
    }

    /// Serves until `until`, then closes.
    ///
    /// # Errors
    /// When the server broke, or closing took too long.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::select! {
            () = until => self.close().await,
            broken = &mut self.servers.0 => {
                broken.map_err(|error| Failure::Serve(std::io::Error::other(error)))
            }
        }
    }

    /// Closes in order: accept nothing more, end the sockets with 1001, let the requests that
    /// are under way end, but wait for no client that is slow; then empty the lanes, let what
    /// writes end, and close the database.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn close(self) -> Result<(), Failure> {
        let Self { engine, db, nats, stop, sockets, connections, servers, workers, .. } = self;
        let (mut server, operators) = servers;
        stop.cancel();
        sockets.close();
        let orderly = async {
            let clients = async {
                if let Err(error) = (&mut server).await {
                    tracing::warn!(%error, "the server ended badly");
                }
                sockets.wait().await;
            };
            if tokio::time::timeout(PATIENCE, clients).await.is_err() {
                tracing::info!("clients that are slow are not waited for");
            }
            engine.drain().await;
            connections.iter().for_each(|all| all.close_all());
            server.abort();
            if let Some(operators) = operators {
                operators.abort();
            }
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
        };
        tokio::time::timeout(CLOSING, orderly).await.map_err(|_| Failure::Slow)
    }
}

/// The tasks that live as long as the house.
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

/// Listens at an address, or, where that is taken and another does as well, on any free port.
async fn bind(
    (wanted, may_move): (SocketAddr, bool),
    limits: ConnectionLimits,
) -> Result<(Listener, SocketAddr), Failure> {
    let failed = |error| Failure::Listen(wanted, error);
    let listener = match Listener::bind(wanted, limits).await {
        Err(error) if may_move && error.kind() == std::io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(wanted.ip(), 0);
            let listener = Listener::bind(free, limits).await.map_err(failed)?;
            let address = listener.address().map_err(failed)?;
            tracing::warn!(taken = %wanted, %address, "the port is taken: another one is used");
            listener
        }
        bound => bound.map_err(failed)?,
    };
    let address = listener.address().map_err(failed)?;
    Ok((listener, address))
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
