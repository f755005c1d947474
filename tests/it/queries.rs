//! What a request costs: the statements that it sends to the database, which must not grow with
//! the size of a page.

mod busy;
mod crowded;
mod fields;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_graphql::{Request, Value};
use entity::ids::{AuctionId, CategoryId};
use futures_util::StreamExt;
use neighborbid::{
    engine::{CreateAuction, Engine, Session},
    graphql::{self, Limits, RateLimits, Schema},
};

use crate::support::requests::bid_request;
use crate::support::{
    TestDatabase, TestHouse,
    house::{money, rules},
    on_both, records,
};

/// A schema that counts its statements, over a house full of auctions, bids, orders and notes.
struct Counted {
    house: TestHouse,
    engine: Arc<Engine>,
    schema: Schema,
    viewer: Session,
    /// Still open, led by the viewer.
    open: AuctionId,
    statements: Arc<AtomicUsize>,
}

/// What a document may ask for here.
const LIMITS: Limits = Limits { nesting: 64, introspection: true };

const AUCTION: &str = "id title currentPrice minimumBid bidCount status startsAt endsAt \
    seller { id username homeRegion { name } } leader { id username } winner { id username } \
    category { id name } region { id name } \
    viewerPosition { isSeller isLeading highestBid maximum }";

impl Counted {
    async fn open(database: &TestDatabase) -> Self {
        let house = TestHouse::open(database).await;
        let viewer = house.person("viewer", Some("11110"), 10_000_000).await;
        let other = house.person("other", Some("11140"), 10_000_000).await;
        let mut open = None;
        for n in 0..22 {
            let home = if n % 2 == 0 { "11110101" } else { "26110" };
            let seller = house.person(&format!("seller{n}"), Some(home), 0).await;
            let category = Some(CategoryId("lighting".to_owned()));
            let wanted = CreateAuction { category, ..house.a_lamp() };
            let sold = house.list(&seller, wanted.clone()).await;
            house.bid(&other, sold, 10_000).await;
            house.bid(&viewer, sold, 11_000).await;
            house.engine.end_auction_early(&seller, sold).await.unwrap();
            let led = house.list(&seller, wanted.clone()).await;
            house.bid(if n % 2 == 0 { &viewer } else { &other }, led, 10_000).await;
            let own = house.list(&viewer, wanted).await;
            house.bid(&other, own, 10_000).await;
            open = Some(own);
        }
        let statements = Arc::new(AtomicUsize::new(0));
        let mut db = database.open().await;
        for pool in [&mut db.read, &mut db.reserved, &mut db.write] {
            let statements = Arc::clone(&statements);
            pool.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        let clock = Arc::new(Mutex::new(house.now()));
        let engine = records::engine_on(&db, rules(), &clock).await;
        let rates = Arc::new(RateLimits::new(None));
        let schema = graphql::schema(Arc::clone(&engine), rates, LIMITS);
        Self { house, engine, schema, viewer, open: open.unwrap(), statements }
    }

    /// What a page of `size` costs; `{page}` stands for it in the document.
    async fn cost(&self, document: &str, size: usize) -> usize {
        let document = document.replace("{page}", &format!("(first: {size})"));
        let document = document.replace("{auction}", AUCTION);
        self.statements.store(0, Ordering::Relaxed);
        let data = self.answer(&document).await;
        let cost = self.statements.load(Ordering::Relaxed);
        assert_eq!(rows(&data), Some(size), "{document}");
        cost
    }

    /// What a document costs.
    async fn statements(&self, document: &str) -> usize {
        self.statements.store(0, Ordering::Relaxed);
        self.answer(document).await;
        self.statements.load(Ordering::Relaxed)
    }

    /// What the viewer is answered, without an error.
    async fn answer(&self, document: &str) -> Value {
        let viewer = Some(Arc::new(self.viewer.clone()));
        let request = graphql::asked_by(Request::new(document), viewer);
        // A task of its own, as each connection is.
        let schema = self.schema.clone();
        let answer = tokio::spawn(async move { schema.execute(request).await }).await.unwrap();
        assert!(answer.errors.is_empty(), "{document}: {:?}", answer.errors);
        answer.data
    }
}

/// How many nodes the first page in an answer has.
fn rows(value: &Value) -> Option<usize> {
    match value {
        Value::Object(fields) => match fields.get("nodes") {
            Some(Value::List(nodes)) => Some(nodes.len()),
            _ => fields.values().find_map(rows),
        },
        _ => None,
    }
}

const PAGES: [(&str, &str, usize); 6] = [
    ("auctions", "{ auctions{page} { nodes { {auction} } } }", 4),
    (
        "my bids",
        "{ viewer { bids{page} { nodes { amount bidder { username } \
        auction { {auction} } } } } }",
        4,
    ),
    (
        "my orders",
        "{ viewer { orders{page} { nodes { price status auction { {auction} } \
        buyer { id username } seller { id username } } } } }",
        5,
    ),
    (
        "my notifications",
        "{ viewer { notifications{page} { nodes { kind isRead \
        auction { {auction} } } } } }",
        4,
    ),
    ("what I sell", "{ viewer { selling{page} { nodes { {auction} } } } }", 4),
    (
        "my transfers",
        "{ viewer { wallet { transfers{page} { nodes { amount kind \
        auction { {auction} } } } } } }",
        5,
    ),
];

on_both! {
    async fn a_page_costs_the_same_whatever_its_size(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        for (name, document, expected) in PAGES {
            let (one, twenty) = (counted.cost(document, 1).await, counted.cost(document, 20).await);
            println!("{name}: {one} statements for one row, {twenty} for twenty");
            assert_eq!((one, twenty), (expected, expected), "{name}");
        }
    }

    async fn an_event_costs_no_statement(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        let document = format!(
            "subscription {{ auctionUpdated(auctionId: \"{}\") {{ sequence kind at \
               bid {{ amount placedAt isAutomatic bidder {{ username }} }} \
               auction {{ currentPrice minimumBid bidCount status startsAt endsAt reserveStatus \
                 leader {{ id username }} winner {{ username }} }} }} }}",
            counted.open
        );
        let viewer = Some(Arc::new(counted.viewer.clone()));
        let request = graphql::asked_by(Request::new(document), viewer);
        let mut events = counted.schema.execute_stream(request);
        let first = events.next().await.unwrap();
        assert!(first.errors.is_empty(), "{:?}", first.errors);
        let bidder = counted.house.person("late", None, 1_000_000).await;
        for n in 0..5 {
            let amount = money(20_000 + n * 1_000);
            let bid = bid_request(bidder.user.id, counted.open, amount, None, None);
            let outcome = counted.engine.place_bid(bid).await.unwrap();
            assert!(outcome.refusal.is_none(), "{:?}", outcome.refusal);
            counted.statements.store(0, Ordering::Relaxed);
            let event = tokio::time::timeout(std::time::Duration::from_secs(20), events.next());
            let event = event.await.unwrap().unwrap();
            assert!(event.errors.is_empty(), "{:?}", event.errors);
            assert!(event.data.to_string().contains(&format!("{}", 20_000 + n * 1_000)));
            assert_eq!(counted.statements.load(Ordering::Relaxed), 0);
        }
    }
}
