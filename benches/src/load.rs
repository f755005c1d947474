//! Bidders: each with one connection and a token of its own, bidding as fast as it is answered
//! (a closed loop) or at fixed times whether or not it was (an open one).

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{
    Result,
    http::{Http, text_after},
    world::House,
};

const WARM_UP: Duration = Duration::from_millis(700);

/// An auction, as the last answer about it told it.
#[derive(Debug)]
pub struct Lot {
    id: String,
    minimum: AtomicI64,
}

/// What each bidder names next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// The minimum that the bidder was last told: among many, most of them come too late.
    AsTold,
    /// More than anybody named before: those are accepted that arrive in that order.
    Rising,
}

/// When bidders bid.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    Closed,
    /// So many a second in all.
    Open(f64),
}

/// What bidders do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub offers: Offers,
    pub pace: Pace,
    pub duration: Duration,
}

/// What came of a run.
#[derive(Debug)]
pub struct Tally {
    pub seconds: f64,
    pub server_cpu_seconds: f64,
    pub accepted: u64,
    /// By code.
    pub refused: BTreeMap<String, u64>,
    /// Answers without a judgement.
    pub unjudged: BTreeMap<String, u64>,
    /// In microseconds.
    pub latency: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self {
            seconds: 0.0,
            server_cpu_seconds: 0.0,
            accepted: 0,
            refused: BTreeMap::new(),
            unjudged: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
        })
    }

    /// Accepted and refused.
    pub fn judged(&self) -> f64 {
        (self.accepted + self.refused.values().sum::<u64>()) as f64
    }

    pub fn per_second(&self) -> f64 {
        self.judged() / self.seconds
    }

    pub fn per_cpu_second(&self) -> f64 {
        self.judged() / self.server_cpu_seconds
    }

    /// Milliseconds that so much of the answers took at most.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// For people.
    pub fn told(&self) -> String {
        let counted = |counts: &BTreeMap<String, u64>| {
            let each: Vec<_> = counts.iter().map(|(code, n)| format!("{n} {code}")).collect();
            if each.is_empty() { "none".to_owned() } else { each.join(", ") }
        };
        format!(
            "{:.0}/s judged: {} accepted, refused {}, not judged {}; p50 {:.2} ms, p99 {:.2} ms; \
             {:.2} s of server CPU in {:.2} s",
            self.per_second(),
            self.accepted,
            counted(&self.refused),
            counted(&self.unjudged),
            self.latency_ms(0.5),
            self.latency_ms(0.99),
            self.server_cpu_seconds,
            self.seconds,
        )
    }
}

/// Auctions without a bid yet.
pub fn lots(ids: Vec<String>) -> Arc<Vec<Lot>> {
    let lot = |id| Lot { id, minimum: AtomicI64::new(1_000) };
    Arc::new(ids.into_iter().map(lot).collect())
}

#[derive(Debug)]
struct Run {
    plan: Plan,
    lots: Arc<Vec<Lot>>,
    bidders: usize,
    counting: AtomicBool,
    stopped: AtomicBool,
    begun: Instant,
    tally: Mutex<Tally>,
}

/// Lets one bidder a token bid on the lots.
pub async fn run(
    house: &House,
    tokens: &[String],
    lots: &Arc<Vec<Lot>>,
    plan: Plan,
) -> Result<Tally> {
    let mut connections = Vec::new();
    for token in tokens {
        connections.push(Http::open(house.server.address, Some(token)).await?);
    }
    let run = Arc::new(Run {
        plan,
        lots: Arc::clone(lots),
        bidders: tokens.len(),
        counting: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        begun: Instant::now(),
        tally: Mutex::new(Tally::new()?),
    });
    let mut bidders = JoinSet::new();
    for (number, http) in connections.into_iter().enumerate() {
        bidders.spawn(bidder(Arc::clone(&run), number, http));
    }
    tokio::time::sleep(WARM_UP).await;
    let (began, cpu) = (Instant::now(), house.server.process.cpu_seconds()?);
    run.counting.store(true, Relaxed);
    tokio::time::sleep(plan.duration).await;
    run.counting.store(false, Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    let server_cpu_seconds = house.server.process.cpu_seconds()? - cpu;
    run.stopped.store(true, Relaxed);
    bidders.join_all().await.into_iter().collect::<Result<Vec<()>>>()?;
    let empty = Tally::new()?;
    let mut tally = run.tally.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Tally { seconds, server_cpu_seconds, ..std::mem::replace(&mut *tally, empty) })
}

async fn bidder(run: Arc<Run>, number: usize, mut http: Http) -> Result<()> {
    let mut turn = number;
    let mut told: i64 = 0;
    while !run.stopped.load(Relaxed) {
        let begun = match run.plan.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(per_second) => {
                // From the time it was due, not from when the last answer let it go.
                let due = run.begun + Duration::from_secs_f64(turn as f64 / per_second);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        turn += run.bidders;
        let lot = match run.lots.as_slice() {
            [only] => only,
            many => &many[fastrand::usize(..many.len())],
        };
        let amount = match run.plan.offers {
            Offers::AsTold if run.lots.len() == 1 => told.max(1_000),
            Offers::AsTold => lot.minimum.load(Relaxed),
            Offers::Rising => lot.minimum.fetch_add(1, Relaxed),
        };
        let answer = http.post(&place_bid(&lot.id, amount)).await?;
        if let Some(minimum) = minimum(answer) {
            told = minimum;
            lot.minimum.fetch_max(minimum, Relaxed);
        }
        if run.counting.load(Relaxed) {
            let mut tally = run.tally.lock().unwrap_or_else(PoisonError::into_inner);
            let micros = u64::try_from(begun.elapsed().as_micros())?;
            tally.count(answer, micros);
        }
    }
    Ok(())
}

/// The body of a bid.
pub fn place_bid(auction: &str, amount: i64) -> String {
    format!(
        "{{\"query\":\"mutation($input:PlaceBidInput!){{placeBid(input:$input){{bid{{sequence}} \
         auction{{currentPrice minimumBid sequence}} userErrors{{code}}}}}}\",\
         \"variables\":{{\"input\":{{\"auctionId\":\"{auction}\",\"amount\":\"{amount}\"}}}}}}"
    )
}

/// What the next bid must name at least.
pub fn minimum(answer: &str) -> Option<i64> {
    text_after(answer, "\"minimumBid\":\"")?.parse().ok()
}

impl Tally {
    fn count(&mut self, answer: &str, micros: u64) {
        self.latency.saturating_record(micros);
        if answer.contains("\"bid\":{") {
            self.accepted += 1;
            return;
        }
        let refused = answer.contains("\"userErrors\":[{");
        let code = text_after(answer, "\"code\":\"").unwrap_or("without a code").to_owned();
        let counts = if refused { &mut self.refused } else { &mut self.unjudged };
        *counts.entry(code).or_default() += 1;
    }
}
