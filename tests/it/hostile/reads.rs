//! Clients that read much: pages that once cost thousands of statements, and searches under many
//! aliases. What they ask for costs few statements, and nobody is failed by them.

use std::net::SocketAddr;

use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::task::JoinSet;

use super::address;
use crate::support::{
    TestDatabase,
    api::{Client, Reply},
    attack::{Neighbour, Usage},
    binary::Server,
    on_both,
};

/// Few enough that a debug build on a slow machine resolves its fields without keeping everybody
/// else waiting: what is to be seen is how many statements they cost.
const AUCTIONS: usize = 20;

fn serve(db: &TestDatabase, more: &[&str]) -> Server {
    // What such documents cost is no hindrance here: what they do to connections is to be seen. And
    // a machine that is slow to run them must not end the neighbour's transactions for it.
    let flags = [
        ["--payments", "simulated"],
        ["--rate-limit", "off"],
        ["--complexity", "1000000"],
        ["--lock-timeout-milliseconds", "30000"],
        ["--idle-in-transaction-timeout-milliseconds", "30000"],
    ];
    Server::start(&db.url, &[&flags.concat(), more].concat())
}

/// A page of auctions, each with a page of bids under fifteen aliases.
fn page_of_bids() -> String {
    let bids: Vec<_> =
        (0..15).map(|n| format!("a{n}: bids(first: 1) {{ nodes {{ id }} }}")).collect();
    format!("{{ auctions(first: {AUCTIONS}) {{ nodes {{ {} }} }} }}", bids.join(" "))
}

/// Thirty searches, no two alike, each for a word of 44 letters that nothing says.
fn searches(client: usize) -> String {
    let search = |n: usize| {
        let word: String =
            (0..44).map(|k| char::from(b'a' + ((n + k * k + client) % 26) as u8)).collect();
        format!("a{n}: auctions(first: 1, filter: {{ query: \"{word}\" }}) {{ nodes {{ id }} }}")
    };
    format!("{{ {} }}", (0..30).map(search).collect::<Vec<_>>().join(" "))
}

async fn fill(address: SocketAddr, auctions: usize) {
    let seller = Client::of(address).sign_up("seller", None).await;
    let mut listing = JoinSet::new();
    for n in 0..auctions {
        let seller = seller.clone();
        listing.spawn(async move {
            seller.list(json!({ "title": format!("황동 램프 {n}"), "description": "" })).await
        });
        if n % 10 == 9 {
            while listing.join_next().await.is_some() {}
        }
    }
    while listing.join_next().await.is_some() {}
}

/// How many statements clients' reads have cost.
async fn statements(server: &Server) -> u64 {
    let (_, metrics) = Client::of(&server.admin).get("/metrics").await.unwrap();
    let counts = metrics.lines().filter(|line| line.starts_with("neighborbid_statements_total{"));
    let reads = counts.filter(|line| line.contains("pool=\"read\""));
    reads.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// Asks from so many clients at once, each again and again.
async fn attack(
    address: SocketAddr,
    clients: usize,
    times: usize,
    document: impl Fn(usize) -> String,
) -> Vec<Reply> {
    let mut asking = JoinSet::new();
    for client in 0..clients {
        let (from, document) = (Client::of(address), document(client));
        asking.spawn(async move {
            let mut replies = Vec::new();
            for _ in 0..times {
                replies.push(from.ask(&document).await);
            }
            replies
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

/// How many were answered; the others were told to come again.
fn answered(replies: &[Reply]) -> usize {
    let is_answered = |reply: &&Reply| match reply.code() {
        None => true,
        Some("OVERLOADED") => {
            assert!(reply.at("/errors/0/extensions/retryAfterSeconds").as_u64() >= Some(1));
            assert!(reply.headers.contains_key("retry-after"));
            false
        }
        Some(code) => panic!("{code}: {:.500}", reply.text),
    };
    replies.iter().filter(is_answered).count()
}

on_both! {
    async fn a_page_of_bids_of_many_auctions_fails_nobody(db: &TestDatabase) {
        let server = serve(db, &[]);
        let address = address(&server);
        fill(address, AUCTIONS).await;
        let before = (statements(&server).await, Usage::of(&server));
        let neighbour = Neighbour::begin(address).await;
        let replies = attack(address, 16, 2, |_| page_of_bids()).await;
        neighbour.end().await;
        let answered = answered(&replies);
        assert!(answered > 0, "nobody was answered");
        let cost = statements(&server).await - before.0;
        eprintln!(
            "{answered} of {} pages: {cost} statements, {:?} of CPU",
            replies.len(),
            before.1.cpu_since(&server)
        );
        // Two for the auctions and one for all their bids, where it was 300; and a few that the
        // server asks for itself now and then.
        assert!(cost <= 32 * 4, "{cost} statements");
        server.stop();
    }

    async fn searches_under_many_aliases_are_answered_or_turned_away(db: &TestDatabase) {
        let server = serve(db, &["--read-wait-milliseconds", "1000"]);
        let address = address(&server);
        fill(address, 30).await;
        many_more(db).await;
        let before = Usage::of(&server);
        let neighbour = Neighbour::begin(address).await;
        let replies = attack(address, 12, 2, searches).await;
        neighbour.end().await;
        let cpu = before.cpu_since(&server);
        let answered = answered(&replies);
        eprintln!("{answered} of {} requests of 30 searches: {cpu:?} of CPU", replies.len());
        assert!(answered > 0, "nobody was answered");
        server.stop();
    }
}

/// Some thousands of auctions that wait for their start.
async fn many_more(db: &TestDatabase) {
    let opened = db.open().await;
    let (numbers, id) = match db.is_postgres() {
        true => ("SELECT generate_series(1, 4000) AS n", "gen_random_uuid()"),
        false => (
            "WITH RECURSIVE numbers(n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000) SELECT n FROM numbers",
            "randomblob(16)",
        ),
    };
    let columns = "seller_id, condition, shipping_payer, scope, starting_price, current_price, \
        bid_count, soft_close_window_seconds, soft_close_extension_seconds, \
        soft_close_cap_seconds, created_at";
    let end = "'2100-01-02T00:00:00+00:00'";
    let text = format!(
        "INSERT INTO auctions (id, title, description, search_text, starts_at, ends_at, \
           scheduled_ends_at, status, sequence, {columns}) \
         SELECT {id}, 'Oak chair ' || n, '', 'oak chair ' || n || ' abcdefgh mnopqrst uvwxyz', \
           '2100-01-01T00:00:00+00:00', {end}, {end}, 'SCHEDULED', 0, {columns} \
         FROM ({numbers}) AS numbers CROSS JOIN (SELECT * FROM auctions LIMIT 1) AS a"
    );
    opened.write.execute_unprepared(&text).await.unwrap();
    opened.close().await;
}
