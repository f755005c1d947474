//! The composition root: builds the house from its settings, runs it, and closes it in order.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig},
    engine::{Clock, Engine},
    graphql::{self, RateLimits},
    http::{App, Doors, LAST_WORDS, Peer, router},
    live::{
        bus::{Bus, NoBus},
        nats::{MalformedAddress, NatsBus},
        rooms::Rooms,
        sweep,
    },
    store::connection::Db,
    worker::closer,
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
    Bus(#[from] MalformedAddress),
    /// The engine did not start.
    #[error("the engine: {0}")]
    Engine(#[from] crate::engine::Error),
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

/// How often idle entries of the rate limits are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// An open house.
#[derive(Debug)]
pub struct House {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub address: SocketAddr,
    db: Db,
    nats: Option<Arc<NatsBus>>,
    stop: CancellationToken,
    sockets: tokio_util::task::TaskTracker,
    server: JoinHandle<std::io::Result<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl House {
    /// Opens the database, migrates it, and begins to serve.
    ///
    /// # Errors
    /// When the database or the address cannot be used.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let pools = config.database.pools();
        let db = Db::open(&config.database.database_url, &pools).await?;
        migration::up(&db.write).await?;
        let rules = config.house.rules();
        let nats = match &config.bus.nats_url {
            Some(urls) => Some(NatsBus::connect(urls, &config.bus.nats_prefix).await?),
            None => None,
        };
        let bus: Arc<dyn Bus> = match &nats {
            Some(nats) => Arc::clone(nats) as _,
            None => Arc::new(NoBus),
        };
        let rooms = Rooms::open(&db, &rules.increments, bus);
        let lanes = config.house.lanes(db.writers(&pools));
        let engine = Engine::start(db.clone(), rules, config.clock, lanes, rooms.clone()).await?;

        let rates = Arc::new(RateLimits::new(config.clients.rates()));
        let limits = config.clients.limits();
        let schema = graphql::schema(Arc::clone(&engine), Arc::clone(&rates), limits);
        let stop = CancellationToken::new();
        let http = config.clients.http();
        let app = App::new(Arc::clone(&engine), schema, http, recorder(), stop.clone());
        let sockets = app.tasks.clone();

        let mut workers = vec![
            tokio::spawn(closer::run(Arc::clone(&engine), stop.clone())),
            tokio::spawn(housekeeping(rates, stop.clone())),
            tokio::spawn(Arc::clone(&engine).watch_over_sessions(stop.clone())),
            tokio::spawn(Arc::clone(&rooms.presence).run(stop.clone())),
            tokio::spawn(sweep::run(rooms, db.clone(), stop.clone())),
        ];
        if let Some(nats) = &nats {
            workers.push(tokio::spawn(Arc::clone(nats).run(stop.clone())));
            nats.settle().await;
        }

        let wanted = config.clients.listen;
        let failed = |error| Failure::Listen(wanted, error);
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let http = config.clients.http();
        // A socket is let go a little later than it is told that it is too slow.
        let write_timeout = http.socket.write_timeout + LAST_WORDS * 2;
        let doors = Doors::new(listener, config.clients.connections, write_timeout);
        let service = router(app).into_make_service_with_connect_info::<Peer>();
        let server =
            axum::serve(doors, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let server = tokio::spawn(server.into_future());
        Ok(Self { engine, address, db, nats, stop, sockets, server, workers })
    }

    /// Serves until `until`, then closes.
    ///
    /// # Errors
    /// When the server broke, or closing took too long.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::select! {
            () = until => self.close().await,
            broken = &mut self.server => {
                let broken = broken.map_err(std::io::Error::other).and_then(|done| done);
                broken.map_err(Failure::Serve)
            }
        }
    }

    /// Closes in order: accept nothing more, finish what is under way, close the sockets with
    /// 1001, empty the lanes, close the database.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn close(self) -> Result<(), Failure> {
        let Self { engine, db, nats, stop, sockets, server, workers, .. } = self;
        stop.cancel();
        sockets.close();
        let orderly = async {
            if let Ok(Err(error)) = server.await {
                tracing::warn!(%error, "the server ended badly");
            }
            sockets.wait().await;
            for worker in workers {
                if let Err(error) = worker.await {
                    tracing::warn!(%error, "a worker ended badly");
                }
            }
            engine.drain().await;
            if let Some(nats) = nats {
                nats.drain().await;
            }
            db.close().await;
        };
        tokio::time::timeout(CLOSING, orderly).await.map_err(|_| Failure::Slow)
    }
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

/// The process's one recorder of numbers; a second house in a process shares it.
fn recorder() -> PrometheusHandle {
    use metrics_exporter_prometheus::Matcher;
    use std::sync::OnceLock;
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    const SECONDS: [f64; 12] =
        [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
    let build = || {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_bids".to_owned()), &COUNTS))
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of metrics is installed: /metrics stays empty");
        }
        describe();
        handle
    };
    RECORDER.get_or_init(build).clone()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("neighborbid_bids_total", "Bids judged, by outcome.");
    describe_histogram!("neighborbid_bid_seconds", "From a bid's arrival to its verdict.");
    describe_histogram!("neighborbid_batch_seconds", "One locking transaction, retries included.");
    describe_histogram!("neighborbid_batch_bids", "How many bids one transaction judged.");
    describe_histogram!("neighborbid_lane_queue_bids", "How many bids waited behind a batch.");
    describe_gauge!("neighborbid_sockets", "Open WebSockets.");
    describe_counter!("neighborbid_slow_sockets_total", "Sockets closed: they took nothing.");
    describe_counter!("neighborbid_connections_refused_total", "Newcomers to a full house.");
    describe_gauge!("neighborbid_watchers", "Running auction subscriptions.");
    describe_counter!("neighborbid_deliveries_total", "Updates handed to watchers.");
    describe_counter!("neighborbid_resyncs_total", "Watchers that fell behind and got a snapshot.");
    describe_counter!("neighborbid_snapshots_total", "Auctions read for their first watcher.");
    describe_counter!("neighborbid_log_reads_total", "Holes in the news filled from the log.");
    describe_gauge!("neighborbid_bus_up", "1 while the bus between nodes works, else 0.");
    describe_counter!("neighborbid_bus_dropped_total", "Messages not sent: the bus was down.");
    describe_counter!("neighborbid_sweeps_total", "Reads of the log for what the bus lost.");
    describe_counter!("neighborbid_swept_events_total", "Events that only those reads brought.");
}
