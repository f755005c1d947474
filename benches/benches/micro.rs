//! What single steps cost that need no database: judging a bid, reading its document, reading and
//! writing an amount.

use std::{error::Error, hint::black_box};

use async_graphql::parser::parse_query;
use chrono::{TimeDelta, Utc};
use criterion::Criterion;
use entity::{
    enums::AuctionStatus,
    ids::{AuctionId, BidId, UserId},
};
use neighborbid::domain::{
    auction::{Auction, Lead, SoftClose},
    bidding::{self, Bidder},
    increments::IncrementTable,
    money::{Currency, Money},
    request::Offer,
};

type Outcome = Result<(), Box<dyn Error>>;

fn money(minor: i64) -> Result<Money, &'static str> {
    Money::from_minor(minor).ok_or("negative")
}

/// An open auction with a leader at 10,000.
fn auction() -> Result<Auction, &'static str> {
    let now = Utc::now();
    let lead = Lead { bidder: UserId::new(), maximum: money(10_000)?, bid: BidId::new() };
    let soft_close = SoftClose {
        window: TimeDelta::seconds(60),
        extension: TimeDelta::seconds(60),
        cap: TimeDelta::hours(1),
    };
    Ok(Auction {
        id: AuctionId::new(),
        seller: UserId::new(),
        bidders_region: None,
        starting_price: money(1_000)?,
        price: money(10_000)?,
        bid_unit: None,
        reserve: None,
        buy_now: None,
        lead: Some(lead),
        bid_count: 1,
        status: AuctionStatus::Open,
        starts_at: now,
        ends_at: now + TimeDelta::days(1),
        scheduled_ends_at: now + TimeDelta::days(1),
        soft_close,
        sequence: 2,
    })
}

fn judging(criterion: &mut Criterion) -> Outcome {
    let table: IncrementTable = "10000:500,50000:1000,50000".parse()?;
    let (auction, now) = (auction()?, Utc::now() + TimeDelta::seconds(1));
    let available = money(1_000_000)?;
    let bidder = Bidder { id: UserId::new(), home_region: None, is_blocked: false, available };
    for (name, amount) in [("judge an accepted bid", 11_000), ("judge a bid too low", 10_000)] {
        let offer = Offer::exactly(BidId::new(), money(amount)?);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| bidding::judge(black_box(&auction), &bidder, &offer, &table, now));
        });
    }
    Ok(())
}

fn reading(criterion: &mut Criterion) -> Outcome {
    let document = "mutation($input:PlaceBidInput!){placeBid(input:$input){bid{sequence} \
                    auction{currentPrice minimumBid sequence} userErrors{code}}}";
    parse_query(document)?;
    criterion.bench_function("parse a bid's document", |bencher| {
        bencher.iter(|| parse_query(black_box(document)));
    });
    let currency = Currency { code: "KRW".to_owned(), digits: 0 };
    criterion.bench_function("parse an amount", |bencher| {
        bencher.iter(|| currency.parse(black_box("1250000")));
    });
    let amount = money(1_250_000)?;
    criterion.bench_function("write an amount", |bencher| {
        bencher.iter(|| currency.format(black_box(amount)));
    });
    Ok(())
}

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    judging(&mut criterion)?;
    reading(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
