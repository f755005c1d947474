//! The composition root: builds the server from its settings, runs it, and shuts it down in order.

mod backend;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use backend::Backend;

use crate::{
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig, WrongDigits},
    engine::{Clock, Engine},
    http::{ConnectionLimits, Connections, Listener, admin_router, router},
    live::nats::SettingsError,
};

/// Everything that `serve` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data is.
    pub database: DatabaseConfig,
    /// How nodes hear of each other.
    pub bus: BusConfig,
    /// The marketplace's settings.
    pub house: HouseConfig,
    /// What clients may do.
    pub clients: ClientConfig,
    /// Where time comes from.
    pub clock: Clock,
}

/// Why the server did not start or did not shut down well.
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

/// How long clients may take to get their answers, once the server shuts down.
const PATIENCE: Duration = Duration::from_secs(4);

/// An open house: a backend, and the listeners before it.
#[derive(Debug)]
pub struct House {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it answers operators.
    pub admin: Option<SocketAddr>,
    backend: Backend,
    connections: Vec<Arc<Connections>>,
    /// For clients, and for operators.
    servers: (JoinHandle<()>, Option<JoinHandle<()>>),
}

impl House {
    /// Opens the database, migrates it, and begins to serve.
    ///
    /// # Errors
    /// When the database or the address cannot be used.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let clients = config.clients.clone();
        let payments = config.house.payments;
        let backend = Backend::open(config).await?;
        let app = backend.app.clone();

        let listeners = &clients.listeners;
        let public = bind(listeners.public(), clients.connections()).await?;
        let admin = match listeners.admin() {
            Some(admin) => Some(bind(admin, listeners.admin_connections()).await?),
            None => None,
        };
        let address = public.1;
        let admin_address = admin.as_ref().map(|(_, address)| *address);
        for danger in clients.dangers(address, admin_address, payments) {
            tracing::warn!("{danger}");
        }
        let mut connections = vec![public.0.connections()];
        connections.extend(admin.iter().map(|(listener, _)| listener.connections()));
        // Operators are answered until nothing is left to be told.
        let operators = admin.map(|(admin, _)| {
            tokio::spawn(admin.serve(admin_router(app.clone()), CancellationToken::new()))
        });
        let server = tokio::spawn(public.0.serve(router(app), backend.stop.clone()));
        let (engine, admin) = (Arc::clone(&backend.engine), admin_address);
        Ok(Self { engine, address, admin, backend, connections, servers: (server, operators) })
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
        let Self { backend, connections, servers, .. } = self;
        let (mut server, operators) = servers;
        let sockets = backend.app.tasks.clone();
        backend.stop.cancel();
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
            backend.engine.drain().await;
            connections.iter().for_each(|all| all.close_all());
            server.abort();
            if let Some(operators) = operators {
                operators.abort();
            }
            backend.finish().await;
        };
        tokio::time::timeout(CLOSING, orderly).await.map_err(|_| Failure::Slow)
    }
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
