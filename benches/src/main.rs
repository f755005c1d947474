//! The load programs of NeighborBid: each row of the performance table, with all of its sides
//! measured in turn in one run. `benches/run` builds everything and starts this.
//!
//! - `postgres`, `server`: the processes that are measured, and what they cost.
//! - `world`: the people and auctions that the load needs.
//! - `http`, `load`, `watch`: clients that cost little.
//! - `pgbench`: what bids are measured against.
//! - `bare`: what deliveries are measured against.
//! - `bids`, `rooms`, `growth`: the rows themselves.
//! - `table`: the figures, told.

// Rates and ratios are no money.
#![allow(clippy::float_arithmetic)]

mod bare;
mod bids;
mod growth;
mod http;
mod load;
mod pgbench;
mod postgres;
mod rooms;
mod server;
mod table;
mod watch;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use table::Table;
use tokio::signal::unix::{SignalKind, signal};
use world::Lab;

/// What every step answers with: a failure is told in one line.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures NeighborBid and prints a table in Markdown.
#[derive(Debug, Parser)]
#[command(name = "benches/run")]
struct Options {
    /// What to measure; everything by default
    rows: Vec<Row>,
    /// How many times each side is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each side is measured at a time
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Two short rounds and a tenth of the stored data: only to see that everything works
    #[arg(long)]
    quick: bool,
    /// The server's program
    #[arg(long, env = "NEIGHBORBID_PROGRAM")]
    program: PathBuf,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Row {
    /// One hot auction, against pgbench and against a batch bound of 1
    Bids,
    /// A thousand auctions at random, against pgbench
    Thousand,
    /// What one bidder's flood costs the others
    Flood,
    /// A lone bidder's latency, against a batch bound of 1
    Lone,
    /// What a delivery costs, against a bare server
    Deliveries,
    /// What an idle watcher weighs
    Memory,
    /// What a watcher who reads nothing costs the others
    Stalled,
    /// What bids and pages cost in a house with a thousand times as much in it
    Growth,
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((first, rest)) if first == bare::COMMAND => bare::main(rest),
        _ => run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.rounds, options.seconds) = (2, 2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            done = measure(&options) => done,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
            _ = terminated.recv() => Err("terminated".into()),
        }
    })
}

async fn measure(options: &Options) -> Result<()> {
    // Thousands of sockets, here and in the servers, which inherit the limit.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let slice = Duration::from_secs(options.seconds.max(1));
    let lab =
        Lab::open(options.program.clone(), options.rounds.max(1), slice, options.quick).await?;
    let mut table = Table::default();
    for row in Row::value_variants() {
        if !options.rows.is_empty() && !options.rows.contains(row) {
            continue;
        }
        eprintln!("{row:?}");
        match row {
            Row::Bids => bids::one_auction(&lab, &mut table).await?,
            Row::Thousand => bids::many_auctions(&lab, &mut table).await?,
            Row::Flood => bids::flooded(&lab, &mut table).await?,
            Row::Lone => bids::alone(&lab, &mut table).await?,
            Row::Deliveries => rooms::deliveries(&lab, &mut table).await?,
            Row::Memory => rooms::memory(&lab, &mut table).await?,
            Row::Stalled => rooms::stalled(&lab, &mut table).await?,
            Row::Growth => growth::growth(&lab, &mut table).await?,
        }
    }
    println!("{}", table.markdown());
    Ok(())
}
