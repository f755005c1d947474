//! What an attack costs, and what its neighbours feel of it: the CPU time and the memory of a
//! server's process, and somebody else who bids all the while.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use entity::ids::AuctionId;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    binary::Server,
    client::{Answer, Api, Lost, Offer},
};

/// The ticks of a second in which Linux counts CPU time, for programs.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// In user mode and in the kernel.
    pub cpu: Duration,
    /// Resident, in bytes.
    pub memory: u64,
}

impl Usage {
    /// Of a server until now.
    pub fn of(server: &Server) -> Self {
        let of =
            |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", server.pid())).unwrap();
        let stat = of("stat");
        // After the name, which may hold anything and ends with the last bracket.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let status = of("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes = resident.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        Self {
            cpu: Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND),
            memory: kibibytes * 1_024,
        }
    }

    /// How much CPU time was used since.
    pub fn cpu_since(self, server: &Server) -> Duration {
        Self::of(server).cpu - self.cpu
    }

    /// How many bytes it has grown since.
    pub fn growth_since(self, server: &Server) -> u64 {
        Self::of(server).memory.saturating_sub(self.memory)
    }
}

/// Somebody who has nothing to do with the attack: bids on an auction of their own, one after
/// the other.
#[derive(Debug)]
pub struct Neighbour {
    is_over: Arc<AtomicBool>,
    bids: JoinHandle<Vec<Duration>>,
}

impl Neighbour {
    /// Begins to bid.
    pub async fn begin(address: SocketAddr) -> Self {
        let api = Api::new(address);
        let seller = api.sign_up("neighbourseller", 0).await;
        let auction = api.create_auction(&seller, json!({ "bidUnit": "100" })).await;
        let bidders = [
            api.sign_up("neighbourone", 100_000_000).await,
            api.sign_up("neighbourtwo", 100_000_000).await,
        ];
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let bids = tokio::spawn(async move {
            let (mut took, mut amount, mut turned_away) = (Vec::new(), 100_000, 0);
            while !stop.load(Ordering::Relaxed) {
                let bidder = &bidders[took.len() % 2];
                let offer = offer(auction, amount);
                let began = Instant::now();
                match api.place_bid(bidder, &offer).await {
                    Ok(Answer::Accepted(_)) => {
                        took.push(began.elapsed());
                        amount += 100;
                    }
                    // A machine that runs other tests may be busy for a moment.
                    Err(Lost::Errors(codes)) if codes == ["\"OVERLOADED\""] => {
                        turned_away += 1;
                        assert!(turned_away <= took.len() + 5, "most of a neighbour's bids");
                    }
                    other => panic!("a neighbour's bid: {other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            took
        });
        Self { is_over, bids }
    }

    /// Ends, and says how long each accepted bid took. One that was refused panics here, and so
    /// does the one by which more were turned away than accepted, beyond a few.
    pub async fn end(self) -> Vec<Duration> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut took = self.bids.await.unwrap();
        assert!(!took.is_empty());
        took.sort();
        let [median, nearly_all] = [2, 100].map(|part| took[took.len() - 1 - took.len() / part]);
        eprintln!("a neighbour's {} bids: median {median:?}, p99 {nearly_all:?}", took.len());
        took
    }
}

fn offer(auction: AuctionId, amount: i64) -> Offer {
    Offer { auction, amount, maximum: None, key: None }
}
