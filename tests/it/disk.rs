//! A disk that fills up, and a database's file that is moved or deleted, under a server: what was
//! acknowledged is kept, what cannot be kept is not acknowledged, and it recovers by itself.

use std::{
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use neighborbid::engine::Error;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::requests::bid_request;
use crate::support::{
    TestDatabase, TestHouse, bidder,
    binary::{self, Server},
    books::Books,
    client::{Api, Lost},
    database,
    house::money,
    rough::{Storm, until_readyz},
};

/// A file system of a few megabytes, in memory.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` where one may not mount: who is not root has the test of page limits alone.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("nb_disk_{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&folder).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        eprintln!("not allowed to mount a small disk: left to the test of page limits");
        fs::remove_dir(&folder).unwrap();
        None
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for size in [64 * 1024, 512] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
        let _ = fs::remove_dir(&self.folder);
    }
}

fn audit(database: &TestDatabase) {
    let audit = binary::run(&["audit", "--database-url", &database.url]);
    assert_eq!(audit.code, Some(0), "{}{}", audit.out, audit.err);
}

const FLAGS: [&str; 4] = ["--payments", "simulated", "--rate-limit", "off"];

async fn a_storm_on_a_disk_that_fills_up(end: impl FnOnce(Server)) {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let database = database::sqlite_in(&disk.folder);
    let server = Server::start(&database.url, &FLAGS);
    let address: SocketAddr = server.address.parse().unwrap();
    let storm = Storm::begin(&[address]).await;
    for _ in 0..2 {
        storm.more(200, 0).await;
        disk.fill();
        storm.more(0, 100).await;
        let why = until_readyz(&server, 503).await;
        assert!(why.contains("takes no writes"), "{why}");
        let read = storm.api.run(None, "{ auctions(first: 3) { nodes { id } } }", json!({})).await;
        assert_eq!(read.unwrap()["auctions"]["nodes"].as_array().unwrap().len(), 3);
        disk.free();
        storm.more(200, 0).await;
        until_readyz(&server, 200).await;
    }
    let notes = storm.end().await;
    end(server);
    audit(&database);
    let books = Books::read(&database).await;
    books.check();
    let tally = bidder::compare(&notes, &books);
    assert!(tally.accepted > 50, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_a_disk_that_filled_up_is_kept_through_a_stop() {
    a_storm_on_a_disk_that_fills_up(|server| drop(server.stop())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_a_disk_that_filled_up_is_kept_through_kill_9() {
    a_storm_on_a_disk_that_fills_up(drop).await;
}

/// As a full disk, for those who are not root: at each page limit a bid fails elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bid_that_finds_no_room_is_not_acknowledged_and_spoils_no_later_one() {
    let database = database::sqlite().await;
    let house = TestHouse::open(&database).await;
    let seller = house.person("seller", None, 0).await;
    let ann = house.person("ann", None, 90_000_000).await;
    let lamp = house.list(&seller, house.a_lamp()).await;
    let pages = database::number_of(&house.db.write, "PRAGMA page_count").await.unwrap();
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    for n in 0..60 {
        let limit = format!("PRAGMA max_page_count = {}", pages + n / 6);
        house.db.write.execute_unprepared(&limit).await.unwrap();
        let bid = bid_request(
            ann.user.id,
            lamp,
            money(100_000 + n * 50_000),
            None,
            Some(&("k".repeat(150) + &n.to_string())),
        );
        match house.engine.place_bid(bid).await {
            Ok(outcome) => acknowledged.push(outcome.bid.unwrap().id),
            Err(Error::Overloaded | Error::Held) => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(260)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failed > 0 && acknowledged.len() > 10, "{failed} failed");
    house.engine.drain().await;
    house.db.clone().close().await;
    let books = Books::read(&database).await;
    books.check();
    for bid in &acknowledged {
        assert!(books.bids.contains_key(bid), "acknowledged, and not kept");
    }
    database.finish().await;
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_that_went_into_a_file_that_was_moved() {
    for ending in ["", "-wal"] {
        let database = database::sqlite().await;
        let server = Server::start(&database.url, &FLAGS);
        let address: SocketAddr = server.address.parse().unwrap();
        let api = Api::new(address);
        let seller = api.sign_up("seller", 0).await;
        let ann = api.sign_up("ann", 1_000_000).await;
        let lamp = api.create_auction(&seller, json!({})).await;
        let offer = |amount| bidder_offer(lamp, amount);
        api.place_bid(&ann, &offer(10_000)).await.unwrap();
        let file = beside(database.file(), ending);
        let elsewhere = beside(database.file(), ".moved");
        fs::rename(&file, &elsewhere).unwrap();
        for amount in [20_000, 30_000] {
            let refused = api.place_bid(&ann, &offer(amount)).await;
            let Err(Lost::Errors(codes)) = refused else { panic!("{refused:?}") };
            assert_eq!(codes, ["\"OVERLOADED\""]);
        }
        let why = until_readyz(&server, 503).await;
        assert!(why.contains("moved, replaced or deleted"), "{why}");
        fs::rename(&elsewhere, &file).unwrap();
        until_readyz(&server, 200).await;
        api.place_bid(&ann, &offer(40_000)).await.unwrap();
        server.stop();
        let books = Books::read(&database).await;
        books.check();
        assert_eq!(books.bids.len(), 2);
        database.finish().await;
    }
}

fn bidder_offer(auction: entity::ids::AuctionId, amount: i64) -> crate::support::client::Offer {
    crate::support::client::Offer { auction, amount, maximum: None, key: None }
}
