//! The baseline of bids: `pgbench` doing by hand what one bid needs, under one lock, each
//! statement its own round trip, in a database of its own in the same Postgres.

use std::{path::Path, time::Duration};

use crate::{Result, postgres::Postgres};

/// A database with tables of its own shape.
#[derive(Debug)]
pub struct Baseline<'a> {
    postgres: &'a Postgres,
    database: &'static str,
    auctions: usize,
}

impl<'a> Baseline<'a> {
    /// Makes and fills it.
    pub fn open(
        postgres: &'a Postgres,
        database: &'static str,
        auctions: usize,
        users: usize,
    ) -> Result<Self> {
        postgres.create(database, None)?;
        let counts = [("auctions", i64::try_from(auctions)?), ("users", i64::try_from(users)?)];
        postgres.sql_file(database, &folder().join("tables.sql"), &counts)?;
        Ok(Self { postgres, database, auctions })
    }

    /// Transactions a second, with so many clients.
    pub fn run(&self, clients: usize, duration: Duration) -> Result<f64> {
        let mut pgbench = self.postgres.program("pgbench");
        pgbench.args(["-n", "-M", "prepared", "-j", "2"]);
        pgbench.args(["-c", &clients.to_string(), "-T", &duration.as_secs().max(1).to_string()]);
        pgbench.args(["-D", &format!("auctions={}", self.auctions)]);
        // As many bidders as clients, whoever led first.
        pgbench.args(["-D", &format!("bidders={clients}")]);
        pgbench.arg("-f").arg(folder().join("bid.sql")).arg(self.database);
        let output = pgbench.output().map_err(|error| format!("pgbench: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = !said.contains("number of failed transactions: 0 ");
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        match tps {
            Some(tps) if output.status.success() && !failed => Ok(tps.parse()?),
            _ => Err(format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    /// Its own books are right: a fast wrong baseline is worth nothing either.
    pub fn audit(&self) -> Result<()> {
        let broken = self.postgres.sql_file(self.database, &folder().join("audit.sql"), &[]);
        broken.map_err(|error| format!("pgbench's books: {error}").into())
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/pgbench"))
}
