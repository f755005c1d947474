//! The command line.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
#[cfg(feature = "demo")]
use neighborbid::demo::{self, DemoConfig};
use neighborbid::{
    app::{Config, House},
    audit,
    config::{BusConfig, ClientConfig, DatabaseConfig, HouseConfig, LogFormat},
    engine::{Clock, grant_admin},
    graphql,
    store::{connection::Db, files::missing_file},
};
use tracing_subscriber::EnvFilter;

/// An auction engine for neighbourhood marketplaces: exact bids, exact money, live prices.
#[derive(Debug, Parser)]
#[command(name = "neighborbid", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How to log; by default for people on a terminal
    #[arg(long, env = "NEIGHBORBID_LOG_FORMAT", value_enum, global = true)]
    log_format: Option<LogFormat>,

    /// What to log: error, warn, info, debug, or a tracing filter
    #[arg(
        long,
        env = "NEIGHBORBID_LOG",
        default_value = "info,sqlx=warn,sea_orm_migration=warn",
        value_parser = log_filter, global = true
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A demo server in a folder of its own: sample people, auctions, and bidders that keep on
    #[cfg(feature = "demo")]
    Demo(Box<Demo>),
    /// The server; migrates first
    Serve(Box<Serve>),
    /// The migrations alone
    Migrate {
        #[command(flatten)]
        database: DatabaseConfig,
        /// Only say which are applied
        #[arg(long)]
        status: bool,
    },
    /// Prints the schema in the schema definition language
    Schema,
    /// Checks every invariant of money and order; exits 1 when one is broken
    Audit {
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// What only the operator may do
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Makes a user an admin
    Grant {
        /// The user's name
        username: String,
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    bus: BusConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
struct Demo {
    #[command(flatten)]
    demo: DemoConfig,
    #[command(flatten)]
    house: HouseConfig,
    #[command(flatten)]
    clients: ClientConfig,
}

/// Many small allocations a bid, from several threads: the system's allocator is slow at them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log(&cli);
    match run(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "neighborbid: {}", one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn log(cli: &Cli) {
    // The WebSocket library traces whole messages, tokens among them.
    let quiet = "tungstenite=warn,tokio_tungstenite=warn,\
                 sea_orm::driver=warn,sea_orm::database=warn";
    // The NATS client tells each attempt to connect, and we tell what matters of it. Who asks for
    // it by name has it.
    let filter = EnvFilter::new(format!("async_nats=off,{},{quiet}", cli.log));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let terminal = std::io::stderr().is_terminal();
    match cli.log_format {
        Some(LogFormat::Json) => builder.json().init(),
        Some(LogFormat::Text) | None => builder.with_ansi(terminal).with_target(false).init(),
    }
}

fn one_line(error: &dyn std::error::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

async fn run(command: Command) -> Outcome {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(demo) => {
            demo::run(demo.demo, demo.house, demo.clients, stopped()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(serve) => {
            let Serve { database, bus, house, clients } = *serve;
            let config = Config { database, bus, house, clients, clock: Clock::Real };
            if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
                tracing::warn!(%error, "raising the limit of file descriptors");
            }
            let house = House::open(config).await?;
            // Heard from here on: whoever reads that it serves may stop it at once.
            let stopped = stopped();
            let admin = house.admin.map(tracing::field::display);
            tracing::info!(address = %house.address, admin, "serving");
            house.run(stopped).await?;
            tracing::info!("closed");
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate { database, status } => migrate(database, status).await,
        Command::Schema => print(&graphql::sdl()),
        Command::Audit { database } => check(database).await,
        Command::Admin(Admin::Grant { username, database }) => grant(database, &username).await,
    }
}

/// Writes to standard output; a reader that went away is no failure.
fn print(text: &str) -> Outcome {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn open(database: &DatabaseConfig) -> Result<Db, sea_orm::DbErr> {
    Db::open(&database.database_url, &database.pools()).await
}

async fn migrate(database: DatabaseConfig, status: bool) -> Outcome {
    let db = Db::open(&database.database_url, &database.pools().patient()).await?;
    if !status {
        migration::up(&db.write).await?;
    }
    let lines: String = migration::status(&db.read)
        .await?
        .into_iter()
        .map(|(name, applied)| format!("{}  {name}\n", if applied { "applied" } else { "pending" }))
        .collect();
    db.close().await;
    print(&lines)
}

/// That there is a database to look at: SQLite would make an empty file where none is.
fn existing(database: &DatabaseConfig) -> Result<(), String> {
    let Some(missing) = missing_file(&database.database_url) else { return Ok(()) };
    let missing = missing.display();
    Err(format!(
        "unable to open database file {missing}: there is none; name the database's with \
         --database-url (a demo's is sqlite://neighborbid-demo/neighborbid-demo.db)"
    ))
}

/// That the database has our tables.
async fn migrated(db: &Db) -> Result<(), Box<dyn std::error::Error>> {
    let is_applied = migration::status(&db.read).await?.iter().any(|(_, is_applied)| *is_applied);
    match is_applied {
        true => Ok(()),
        false => Err("the database has no tables yet: run neighborbid migrate first".into()),
    }
}

async fn check(database: DatabaseConfig) -> Outcome {
    existing(&database)?;
    // It reads every row there is, however long that takes.
    let db = Db::open(&database.database_url, &database.pools().patient()).await?;
    migrated(&db).await?;
    let findings = audit::run(&db).await?;
    db.close().await;
    let broken = findings.iter().any(|finding| finding.broken > 0);
    let lines: String = findings.iter().map(|f| audit::line(f) + "\n").collect();
    print(&lines)?;
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn grant(database: DatabaseConfig, username: &str) -> Outcome {
    existing(&database)?;
    let db = open(&database).await?;
    migrated(&db).await?;
    let found = grant_admin(&db, username).await?;
    db.close().await;
    if !found {
        return Err(format!("there is no user named {username}").into());
    }
    print(&format!("{username} is an admin\n"))
}

/// Returns at Ctrl-C or SIGTERM.
fn stopped() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let [interrupted, terminated] = signals;
        match (interrupted, terminated) {
            (Ok(mut interrupted), Ok(mut terminated)) => {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
            }
            (Ok(mut one), Err(_)) | (Err(_), Ok(mut one)) => {
                one.recv().await;
            }
            // Nothing can be heard: the system's own way of ending a process is left.
            (Err(_), Err(_)) => std::future::pending().await,
        }
    }
}
