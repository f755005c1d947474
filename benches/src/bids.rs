//! The rows about bids: one hot auction, a thousand auctions, and a bidder alone.

use crate::{
    Result,
    load::{self, Offers, Pace, Plan, Tally},
    pgbench::Baseline,
    table::{Goal, Table, median},
    world::{House, Lab},
};

const REFERENCE: &str = "graphql-yoga + pg 300, Django + Channels 190";

fn closed(lab: &Lab, offers: Offers) -> Plan {
    Plan { offers, pace: Pace::Closed, duration: lab.slice }
}

fn told(table: &mut Table, what: &str, tally: &Tally) {
    table.note(format!("{what}: {}", tally.told()));
}

/// One slice on one fresh auction.
async fn hot(lab: &Lab, house: &House, bidders: usize, plan: Plan) -> Result<Tally> {
    let lots = load::lots(lab.list(house, 1, "").await?);
    lab.postgres.settle()?;
    load::run(house, &lab.bidders[..bidders], &lots, plan).await
}

/// One hot auction: against pgbench, and against a batch bound of 1.
pub async fn one_auction(lab: &Lab, table: &mut Table) -> Result<()> {
    let ours = lab.house("bench_hot", &[])?;
    let single = lab.house("bench_hot_single", &["--batch", "1"])?;
    for bidders in [64, 256] {
        let baseline = Baseline::open(&lab.postgres, "bench_hot_pgbench", 1, bidders)?;
        let [mut rate, mut alone, mut by_hand, mut cpu] = [const { Vec::new() }; 4];
        let [mut rising, mut rising_cpu] = [const { Vec::new() }; 2];
        for _ in 0..lab.rounds {
            let plan = closed(lab, Offers::AsTold);
            let tally = hot(lab, &ours, bidders, plan).await?;
            told(table, &format!("one auction, {bidders} bidders"), &tally);
            rate.push(tally.per_second());
            cpu.push(tally.per_cpu_second());

            lab.postgres.settle()?;
            by_hand.push(baseline.run(bidders, lab.slice)?);
            let tally = hot(lab, &single, bidders, plan).await?;
            told(table, &format!("one auction, {bidders} bidders, batch 1"), &tally);
            alone.push(tally.per_second());

            let tally = hot(lab, &ours, bidders, closed(lab, Offers::Rising)).await?;
            told(table, &format!("one auction, {bidders} bidders, each above all"), &tally);
            rising.push(tally.per_second());
            rising_cpu.push(tally.per_cpu_second());
        }
        baseline.audit()?;
        let what = format!("one hot auction, {bidders} bidders: bids judged");
        let [goal, of_one, of_cpu] = match bidders {
            64 => [Goal::AtLeast(20.0), Goal::AtLeast(10.0), Goal::AtLeast(10_000.0)],
            _ => [Goal::None; 3],
        };
        table.ratio(&format!("{what}; pgbench"), "/s", &rate, &by_hand, goal);
        table.ratio(&format!("{what}; batch bound of 1"), "/s", &rate, &alone, of_one);
        table.value(&format!("{what} a server CPU second"), "", &cpu, REFERENCE, of_cpu);
        let what = format!("{what}, each above all before it");
        table.ratio(&format!("{what}; pgbench"), "/s", &rising, &by_hand, Goal::None);
        table.value(&format!("{what} a server CPU second"), "", &rising_cpu, "–", Goal::None);
        open_loop(lab, table, &ours, bidders, median(&rate) / 2.0).await?;
    }
    lab.audit(&ours)?;
    lab.audit(&single)
}

/// A further figure: how long bids take when they come at half of what the house can judge.
async fn open_loop(
    lab: &Lab,
    table: &mut Table,
    house: &House,
    bidders: usize,
    per_second: f64,
) -> Result<()> {
    let plan = Plan { pace: Pace::Open(per_second), ..closed(lab, Offers::AsTold) };
    let tally = hot(lab, house, bidders, plan).await?;
    told(table, &format!("one auction, {bidders} bidders, {per_second:.0} bids/s due"), &tally);
    Ok(())
}

/// A thousand auctions at random, nearly every bid accepted.
pub async fn many_auctions(lab: &Lab, table: &mut Table) -> Result<()> {
    const AUCTIONS: usize = 1_000;
    const BIDDERS: usize = 64;
    let house = lab.house("bench_many", &[])?;
    let people = lab.bidders.len();
    let baseline = Baseline::open(&lab.postgres, "bench_many_pgbench", AUCTIONS, people)?;
    let lots = load::lots(lab.list(&house, AUCTIONS, "").await?);
    let [mut rate, mut by_hand, mut cpu] = [const { Vec::new() }; 3];
    // Each auction gets its first leader.
    load::run(&house, &lab.bidders, &lots, closed(lab, Offers::Rising)).await?;
    for _ in 0..lab.rounds {
        lab.postgres.settle()?;
        let tally =
            load::run(&house, &lab.bidders[..BIDDERS], &lots, closed(lab, Offers::Rising)).await?;
        told(table, "1,000 auctions, 64 bidders", &tally);
        rate.push(tally.per_second());
        cpu.push(tally.per_cpu_second());
        lab.postgres.settle()?;
        by_hand.push(baseline.run(BIDDERS, lab.slice)?);
    }
    lab.audit(&house)?;
    baseline.audit()?;
    let what = "1,000 auctions at random, 64 bidders: bids judged";
    table.ratio(&format!("{what}; pgbench"), "/s", &rate, &by_hand, Goal::AtLeast(4.0));
    let per_cpu = format!("{what} a server CPU second");
    table.value(&per_cpu, "", &cpu, REFERENCE, Goal::AtLeast(8_000.0));
    Ok(())
}

/// One bidder with 256 connections against fifteen calm ones: what do these feel of it?
pub async fn flooded(lab: &Lab, table: &mut Table) -> Result<()> {
    const CALM: usize = 15;
    const FLOOD: usize = 256;
    let house = lab.house("bench_flood", &[])?;
    let flood = vec![lab.bidders[CALM].clone(); FLOOD];
    let [mut with, mut without] = [const { Vec::new() }; 2];
    let calm = Plan { pace: Pace::Open(CALM as f64 * 20.0), ..closed(lab, Offers::Rising) };
    for _ in 0..lab.rounds {
        let tally = hot(lab, &house, CALM, calm).await?;
        told(table, "fifteen calm bidders", &tally);
        without.push(tally.latency_ms(0.99));
        let lots = load::lots(lab.list(&house, 1, "").await?);
        lab.postgres.settle()?;
        let plan = closed(lab, Offers::AsTold);
        let (tally, flood) = tokio::join!(
            load::run(&house, &lab.bidders[..CALM], &lots, calm),
            load::run(&house, &flood, &lots, plan),
        );
        let (tally, flood) = (tally?, flood?);
        told(table, "fifteen calm bidders beside a flood", &tally);
        told(table, "the flood", &flood);
        with.push(tally.latency_ms(0.99));
    }
    lab.audit(&house)?;
    let what = "a flooding bidder with 256 connections: the others' p99; without it";
    table.ratio(what, "ms", &with, &without, Goal::AtMost(2.0));
    Ok(())
}

/// A bidder alone: does gathering bids cost the one who has no company?
pub async fn alone(lab: &Lab, table: &mut Table) -> Result<()> {
    let ours = lab.house("bench_alone", &[])?;
    let single = lab.house("bench_alone_single", &["--batch", "1"])?;
    let [mut ours_ms, mut single_ms] = [const { Vec::new() }; 2];
    for _ in 0..lab.rounds {
        for (house, ms) in [(&ours, &mut ours_ms), (&single, &mut single_ms)] {
            let tally = hot(lab, house, 1, closed(lab, Offers::AsTold)).await?;
            told(table, &format!("a bidder alone, {}", house.database), &tally);
            ms.push(tally.latency_ms(0.5));
        }
    }
    lab.audit(&ours)?;
    lab.audit(&single)?;
    let what = "a lone bidder's latency, p50; batch bound of 1";
    table.ratio(what, "ms", &ours_ms, &single_ms, Goal::AtMost(1.1));
    Ok(())
}
