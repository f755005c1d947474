//! The row about growth: the same bids and pages in a house with little in it and in one with a
//! thousand times as much, in turn.

use std::{path::Path, time::Instant};

use hdrhistogram::Histogram;

use crate::{
    Result,
    http::Http,
    load::{minimum, place_bid},
    table::{Goal, Table, figure},
    world::{House, Lab},
};

/// Bids an auction, in both.
const BIDS: i64 = 100;

/// How many requests one house answers before it is the other's turn.
const TURN: usize = 20;

const AUCTION_PAGE: &str = "query($id:ID!){auction(id:$id){id title description currentPrice \
    minimumBid bidCount status endsAt seller{username} leader{username} \
    bids(first:20){nodes{amount placedAt bidder{username}}}}}";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Bid,
    AuctionPage,
    /// In an order; ten rows, which both houses have.
    ListPage(&'static str),
}

const ALL: &[(Asked, &str)] = &[
    (Asked::Bid, "a bid"),
    (Asked::AuctionPage, "an auction page"),
    (Asked::ListPage("NEWEST"), "a list page, newest first"),
    (Asked::ListPage("ENDING_SOON"), "a list page, ending soon first"),
    (Asked::ListPage("MOST_BIDS"), "a list page, most bids first"),
];

/// A house that is asked.
struct Side {
    house: House,
    /// Two bidders, who take turns.
    bidders: [Http; 2],
    /// Auctions at random, with the least bid that each takes.
    lots: Vec<(String, i64)>,
    cpu_seconds: f64,
    answers: f64,
}

impl Side {
    async fn open(lab: &Lab, database: &str, auctions: i64, users: i64) -> Result<Self> {
        drop(lab.house(database, &[])?);
        let counts = [("auctions", auctions), ("users", users), ("bids", BIDS)];
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/fill.sql");
        lab.postgres.sql_file(database, Path::new(file), &counts)?;
        let house = lab.serve(database, &[])?;
        lab.audit(&house)?;
        let sql = "SELECT 'auc_' || replace(id::text, '-', '') FROM auctions ORDER BY random()";
        let ids = lab.postgres.sql(database, sql)?;
        let lots = ids.lines().map(|id| (id.to_owned(), 1_000 + BIDS)).collect();
        let [one, other, ..] = lab.bidders.as_slice() else {
            return Err("nobody bids".into());
        };
        let address = house.server.address;
        let bidders =
            [Http::open(address, Some(one)).await?, Http::open(address, Some(other)).await?];
        Ok(Self { house, bidders, lots, cpu_seconds: 0.0, answers: 0.0 })
    }

    /// A turn's requests; how long each took goes into the histogram.
    async fn turn(&mut self, asked: Asked, latency: &mut Histogram<u64>) -> Result<()> {
        let cpu = self.house.server.process.cpu_seconds()?;
        for _ in 0..TURN {
            self.bidders.rotate_left(1);
            let place = fastrand::usize(..self.lots.len());
            let (auction, least) = &mut self.lots[place];
            let body = match asked {
                Asked::Bid => place_bid(auction, *least),
                Asked::AuctionPage => format!(
                    "{{\"query\":\"{AUCTION_PAGE}\",\"variables\":{{\"id\":\"{auction}\"}}}}"
                ),
                Asked::ListPage(order) => format!(
                    "{{\"query\":\"{{auctions(first:10,orderBy:{order},filter:{{status:[OPEN]}})\
                     {{nodes{{id title currentPrice minimumBid bidCount endsAt seller{{username}} \
                     leader{{username}}}} pageInfo{{hasNextPage endCursor}}}}}}\"}}"
                ),
            };
            let began = Instant::now();
            let answer = self.bidders[0].post(&body).await?;
            latency.saturating_record(u64::try_from(began.elapsed().as_micros())?);
            let fits = match asked {
                Asked::Bid => answer.contains("\"bid\":{"),
                Asked::AuctionPage => answer.contains("\"placedAt\""),
                Asked::ListPage(_) => answer.contains("\"hasNextPage\""),
            };
            if !fits || answer.contains("\"errors\":[") {
                return Err(format!("{asked:?}: the server answered {answer}").into());
            }
            if let (Asked::Bid, Some(minimum)) = (asked, minimum(answer)) {
                *least = minimum;
            }
        }
        self.cpu_seconds += self.house.server.process.cpu_seconds()? - cpu;
        self.answers += TURN as f64;
        Ok(())
    }
}

/// What bids and pages cost, in a small and in a large marketplace.
pub async fn growth(lab: &Lab, table: &mut Table) -> Result<()> {
    let auctions = if lab.quick { 1_000 } else { 10_000 };
    let stored = (auctions * BIDS) as f64;
    eprintln!("  filling a house with {} bids", auctions * BIDS);
    let mut sides = [
        Side::open(lab, "bench_small", 10, 100).await?,
        Side::open(lab, "bench_large", auctions, 10 * auctions).await?,
    ];
    lab.postgres.settle()?;
    for (asked, name) in ALL {
        let mut medians = [const { Vec::new() }; 2];
        for side in &mut sides {
            side.turn(*asked, &mut Histogram::new_with_bounds(1, 60_000_000, 3)?).await?;
            (side.cpu_seconds, side.answers) = (0.0, 0.0);
        }
        for _ in 0..lab.rounds {
            let mut latency = [
                Histogram::new_with_bounds(1, 60_000_000, 3)?,
                Histogram::new_with_bounds(1, 60_000_000, 3)?,
            ];
            let began = Instant::now();
            while began.elapsed() < lab.slice {
                for (side, latency) in sides.iter_mut().zip(&mut latency) {
                    side.turn(*asked, latency).await?;
                }
            }
            for (medians, latency) in medians.iter_mut().zip(&latency) {
                medians.push(latency.value_at_quantile(0.5) as f64 / 1_000.0);
            }
        }
        let [small, large] = &medians;
        let what = format!("growth to {} bids stored: {name}, p50; 1,000 stored", figure(stored));
        table.ratio(&what, "ms", large, small, Goal::AtMost(1.2));
        let [small, large] = &sides;
        let cpu = [small, large].map(|side| 1_000.0 * side.cpu_seconds / side.answers);
        table.note(format!(
            "growth: {name} takes {:.2} ms of server CPU in the small house, {:.2} in the large",
            cpu[0], cpu[1]
        ));
    }
    sides.iter().try_for_each(|side| lab.audit(&side.house))
}
