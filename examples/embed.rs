//! NeighborBid inside an axum application of one's own, served by stock async-graphql-axum.
//!
//! ```sh
//! cargo run --example embed -- --listen 127.0.0.1:8080
//! ```
//!
//! The settings are those of `neighborbid serve`.
//! [`App::executor`](neighborbid::http::App::executor) is an
//! `async_graphql::Executor`, so that `GraphQL::new(executor)` and
//! `GraphQLSubscription::new(executor)` take it as well; services of that kind pass no headers on,
//! so that their clients are signed out. [`stock_routes`] gives each request and each socket an
//! executor of its own.
//!
//! What the executor checks, as our own endpoints do: documents, prices, rates, sessions, times,
//! operations at once, and the size of answers. What stock services leave open and `stock_routes`
//! closes before them: mutations over GET, content types that any page may send, sockets from
//! other sites, bodies and messages without a bound, batches, sockets that never say
//! `connection_init`, and more sockets from an address than it may hold.
//!
//! What it cannot close, and our own endpoints do:
//!
//! - A refused request is answered with status 200 and `data: null`, always as
//!   `application/graphql-response+json`; there are no server-sent events.
//! - A socket that breaks the protocol is closed with other codes than the protocol's. A token
//!   that dies ends the operations, each after an error, and not the socket. A second operation of
//!   the same id takes the first one's place, and the server sends no pings.
//! - A connection may be silent, or slow to take its answer, for ever, and nothing counts the
//!   connections of an address: put a proxy in front that does, or serve the router by
//!   [`neighborbid::http::Listener`].

use std::net::SocketAddr;

use axum::{Router, routing::get};
use clap::Parser;
use neighborbid::{
    app::{Backend, Config},
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig},
    engine::Clock,
    http::stock_routes,
};
use tower_http::catch_panic::CatchPanicLayer;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    bus: BusConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = "info,sqlx=warn,sea_orm_migration=warn";
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Settings { database, bus, house, clients } = Settings::parse();
    let listener = tokio::net::TcpListener::bind(clients.listeners.listen).await?;

    // Opens the database, migrates it, and starts all that runs by itself.
    let config = Config { database, bus, house, clients, clock: Clock::Real };
    let backend = Backend::open(config).await?;

    let app = Router::new()
        .route("/", get(async || "An application of one's own: its auctions are at /graphql.\n"))
        .merge(stock_routes(backend.app()))
        .layer(CatchPanicLayer::new())
        .into_make_service_with_connect_info::<SocketAddr>();
    println!("listening on {}", listener.local_addr()?);

    // Subscriptions end when the backend begins to stop, and then the web server can.
    let stopping = backend.stopping();
    let interrupted = async move {
        let _ = tokio::signal::ctrl_c().await;
        stopping.cancel();
    };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(backend.close().await?)
}
