//! The rows about watchers: what a delivery costs, what an idle watcher costs, and what one who
//! reads nothing costs the others.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::time::MissedTickBehavior;

use crate::{
    Result,
    bare::Bare,
    http::{Http, text_after},
    load::place_bid,
    server::Process,
    table::{Goal, Table},
    watch::{Asked, Heard, Room, Watcher},
    world::{House, Lab},
};

const WARM_UP: Duration = Duration::from_secs(1);

/// Two bidders who outbid each other at a steady rate, one event a bid.
struct Bidding {
    pair: [Http; 2],
    auction: String,
    amount: i64,
    /// The newest event's number.
    sequence: usize,
}

impl Bidding {
    async fn open(lab: &Lab, house: &House, auction: &str) -> Result<Self> {
        let [one, other, ..] = lab.bidders.as_slice() else {
            return Err("nobody bids".into());
        };
        let address = house.server.address;
        let pair = [Http::open(address, Some(one)).await?, Http::open(address, Some(other)).await?];
        let mut bidding = Self { pair, auction: auction.to_owned(), amount: 1_000, sequence: 0 };
        bidding.bid(None).await?;
        Ok(bidding)
    }

    async fn bid(&mut self, heard: Option<&Heard>) -> Result<()> {
        let body = place_bid(&self.auction, self.amount);
        if let Some(heard) = heard {
            heard.ask(self.sequence + 1);
        }
        self.pair.rotate_left(1);
        let answer = self.pair[0].post(&body).await?;
        let sequence = answer
            .contains("\"bid\":{")
            .then(|| answer.rsplit_once("\"sequence\":")?.1.split_once(['}', ',']))
            .flatten();
        let Some((sequence, _)) = sequence else {
            let code = text_after(answer, "\"code\":\"").unwrap_or("without a code");
            return Err(format!("a bid of {} was refused: {code}", self.amount).into());
        };
        self.sequence = sequence.parse()?;
        self.amount += 1;
        Ok(())
    }

    async fn go_on(&mut self, rate: u32, duration: Duration, heard: &Heard) -> Result<()> {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let until = Instant::now() + duration;
        while Instant::now() < until {
            tick.tick().await;
            self.bid(Some(heard)).await?;
        }
        Ok(())
    }
}

/// Frames a CPU second of the process while something goes on, frames a second, and events.
async fn frames_per_cpu_second(
    process: &Process,
    heard: &Heard,
    goes_on: impl Future<Output = Result<()>>,
) -> Result<[f64; 2]> {
    let (began, cpu) = (Instant::now(), process.cpu_seconds()?);
    let frames = heard.frames.load(Relaxed);
    goes_on.await?;
    let frames = (heard.frames.load(Relaxed) - frames) as f64;
    let cpu = process.cpu_seconds()? - cpu;
    Ok([frames / cpu, frames / began.elapsed().as_secs_f64()])
}

/// Deliveries a server CPU second, against bare servers.
pub async fn deliveries(lab: &Lab, table: &mut Table) -> Result<()> {
    const WATCHERS: usize = 2_000;
    const EVENTS_PER_SECOND: u32 = 25;
    let house = lab.house("bench_deliveries", &[])?;
    let auction = lab.list(&house, 1, "").await?.remove(0);
    let mut bidding = Bidding::open(lab, &house, &auction).await?;
    let room = Room::open(house.server.address, Some(&auction), WATCHERS).await?;
    bidding.go_on(EVENTS_PER_SECOND, WARM_UP, &room.heard).await?;
    let payload = room.mean_payload();

    let mut bare = Vec::new();
    for way in ["loop", "tasks"] {
        let server = Bare::start(way, payload)?;
        let room = Room::open(server.address, None, WATCHERS).await?;
        bare.push((way, server, room, Vec::new()));
    }
    let mut ours = Vec::new();
    for _ in 0..lab.rounds {
        bidding.go_on(EVENTS_PER_SECOND, WARM_UP, &room.heard).await?;
        let going_on = bidding.go_on(EVENTS_PER_SECOND, lab.slice, &room.heard);
        let [per_cpu, per_second] =
            frames_per_cpu_second(&house.server.process, &room.heard, going_on).await?;
        table.note(format!("deliveries: {per_cpu:.0} a CPU second, {per_second:.0}/s"));
        ours.push(per_cpu);
        for (way, server, room, figures) in &mut bare {
            server.order(EVENTS_PER_SECOND)?;
            tokio::time::sleep(WARM_UP).await;
            let going_on = async {
                tokio::time::sleep(lab.slice).await;
                Ok(())
            };
            let [per_cpu, per_second] =
                frames_per_cpu_second(&server.process, &room.heard, going_on).await?;
            server.order(0)?;
            room.whole()?;
            table.note(format!("bare {way}: {per_cpu:.0} a CPU second, {per_second:.0}/s"));
            figures.push(per_cpu);
        }
    }
    room.whole()?;
    lab.audit(&house)?;
    table.note(format!("deliveries: {payload} bytes a payload, {EVENTS_PER_SECOND} events/s"));
    for (way, _, _, figures) in &bare {
        let what = format!("deliveries a server CPU second, 2,000 watchers; bare server, {way}");
        let goal = if *way == "loop" { Goal::AtLeast(0.6) } else { Goal::None };
        table.ratio(&what, "", &ours, figures, goal);
    }
    Ok(())
}

/// Resident memory of an idle watcher.
pub async fn memory(lab: &Lab, table: &mut Table) -> Result<()> {
    const WATCHERS: usize = 5_000;
    let mut each = Vec::new();
    for _ in 0..lab.rounds.min(3) {
        // Fresh each time: what was freed is not given back.
        let house = lab.house("bench_memory", &[])?;
        let auction = lab.list(&house, 1, "").await?.remove(0);
        let before = house.server.process.resident_kib()?;
        let room = Room::open(house.server.address, Some(&auction), WATCHERS).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        room.whole()?;
        let after = house.server.process.resident_kib()?;
        table.note(format!("memory: {before:.0} KiB, with 5,000 idle watchers {after:.0} KiB"));
        each.push((after - before) / WATCHERS as f64);
    }
    let reference = "graphql-yoga 88 KB, Centrifugo 27 KB default, 11 KB tuned";
    let what = "memory for one idle watcher, resident, 5,000 watchers";
    table.value(what, "KiB", &each, reference, Goal::AtMost(12.0));
    Ok(())
}

/// What the server's end of a watcher's socket could not yet send, in bytes.
fn unsent(house: &House, watcher: &Watcher) -> Result<u64> {
    let ports = [house.server.address.port(), watcher.port()?];
    let [server, port] = ports.map(|port| format!(":{port:04X}"));
    let sockets = std::fs::read_to_string("/proc/net/tcp")?;
    for line in sockets.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if let [_, local, remote, _, queues, ..] = fields.as_slice()
            && local.ends_with(&server)
            && remote.ends_with(&port)
            && let Some((unsent, _)) = queues.split_once(':')
        {
            return Ok(u64::from_str_radix(unsent, 16)?);
        }
    }
    Err("the server closed the stalled watcher's socket".into())
}

/// The others' latencies while one watcher stalls or none does, and by how many KiB the server's
/// memory grew.
async fn beside(
    lab: &Lab,
    house: &House,
    room: &Room,
    bidding: &mut Bidding,
    stalls: bool,
) -> Result<(Histogram<u64>, f64)> {
    const EVENTS_PER_SECOND: u32 = 20;
    // Long words with each event, and many events at first, until the socket is full.
    let selected = "sequence auction { description currentPrice }";
    let asked = Asked { selected, receive_buffer: Some(4_096), ..Asked::of(&bidding.auction) };
    let watcher = match stalls {
        true => Some(Watcher::subscribe(house.server.address, &asked).await?),
        false => None,
    };
    let mut stuck = 0;
    for burst in 0..30 {
        bidding.go_on(5 * EVENTS_PER_SECOND, WARM_UP, &room.heard).await?;
        let before = stuck;
        stuck = watcher.as_ref().map_or(Ok(0), |watcher| unsent(house, watcher))?;
        if burst > 2 && stuck == before {
            break;
        }
    }
    bidding.go_on(EVENTS_PER_SECOND, WARM_UP, &room.heard).await?;
    let resident = house.server.process.resident_kib()?;
    room.heard.count();
    bidding.go_on(EVENTS_PER_SECOND, lab.slice / 2, &room.heard).await?;
    let latency = room.heard.counted();
    let grown = house.server.process.resident_kib()? - resident;
    if let Some(watcher) = watcher
        && (stuck == 0 || stuck != unsent(house, &watcher)?)
    {
        return Err("the stalled watcher did not stall".into());
    }
    Ok((latency, grown))
}

/// One watcher more, who subscribes to much and reads nothing.
pub async fn stalled(lab: &Lab, table: &mut Table) -> Result<()> {
    const WATCHERS: usize = 1_000;
    let patience = ["--socket-write-timeout-seconds", "3600"];
    let house = lab.house("bench_stalled", &patience)?;
    let auction = lab.list(&house, 1, &"Brass. ".repeat(1_400)).await?.remove(0);
    let mut bidding = Bidding::open(lab, &house, &auction).await?;
    let room = Room::open(house.server.address, Some(&auction), WATCHERS).await?;
    let [mut with, mut without, mut grown] = [const { Vec::new() }; 3];
    for _ in 0..lab.rounds {
        let mut latency = [room.heard.counted(), room.heard.counted()];
        latency.iter_mut().for_each(Histogram::reset);
        // In this order neither side is the warmer one.
        for stalls in [false, true, true, false] {
            let (more, kib) = beside(lab, &house, &room, &mut bidding, stalls).await?;
            latency[usize::from(stalls)].add(more)?;
            if stalls {
                grown.push(kib);
            }
        }
        for (latency, (side, p99s)) in
            latency.iter().zip([("without", &mut without), ("with", &mut with)])
        {
            let [p50, p99] = [0.5, 0.99].map(|q| latency.value_at_quantile(q) as f64 / 1_000.0);
            let count = latency.len();
            table.note(format!(
                "{side} a stalled watcher: {count} deliveries, p50 {p50:.2} ms, p99 {p99:.2} ms"
            ));
            p99s.push(p99);
        }
    }
    room.whole()?;
    lab.audit(&house)?;
    let what = "a stalled watcher among 1,000: the others' p99; without it";
    table.ratio(what, "ms", &with, &without, Goal::AtMost(1.05));
    let what = "a stalled watcher among 1,000: how much the server's memory grows meanwhile";
    table.value(what, "KiB", &grown, "bounded", Goal::AtMost(1_024.0));
    Ok(())
}
