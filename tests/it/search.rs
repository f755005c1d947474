//! Searching: the database finds what the domain says is on a list, letter for letter, in any
//! script, by the index of words as along the list.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use entity::{
    auction,
    enums::AuctionStatus,
    ids::{AuctionId, CategoryId},
};
use neighborbid::{
    domain::filter::{Filter, SearchableListing, Standing},
    engine::{CreateAuction, Page, Place, Session, Sort, UpdateAuction},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
};

use crate::support::requests::{self, description, title};
use crate::support::{TestDatabase, TestHouse, dice::Dice, on_both};

/// Letters of which many words have the same ones, and those that a query language might trip over.
const LETTERS: [&str; 24] = [
    "가", "나", "가나", "램", "프", "a", "b", "ab", "É", "ß", "Я", "İ", "Σ", "🎁", "%", "_", "\"",
    "'", "*", "\\", "-", "1", " ", " ",
];

fn some(dice: &mut Dice, most: u64) -> String {
    (0..=dice.roll(most)).map(|_| LETTERS[dice.place(LETTERS.len())]).collect()
}

/// All of a list, page by page.
async fn listed(house: &TestHouse, filter: &Filter, sort: Sort, backwards: bool) -> Vec<AuctionId> {
    let mut all: Vec<AuctionId> = Vec::new();
    let mut from: Option<Place> = None;
    loop {
        let (after, before) = if backwards { (None, from) } else { (from, None) };
        let page = Page { after, before, size: 7, backwards };
        let mut found = house.engine.auction_places(filter, sort, &page).await.unwrap();
        let is_last = found.len() <= 7;
        found.truncate(7);
        from = found.last().cloned();
        all.extend(found.into_iter().map(|place| place.id));
        assert!(all.len() < 1_000, "the list does not end");
        if is_last {
            return all;
        }
    }
}

/// More than are looked through that do not say "moon" and are open; one that does, open too and
/// dearer than they; and, dearer still, more than a page of cancelled ones that do.
async fn many_of_two_statuses(house: &TestHouse) -> Vec<AuctionId> {
    let seller = house.person("seller", None, 0).await;
    let lamp = house.list(&seller, house.a_lamp()).await;
    let model = auction::Entity::find_by_id(lamp).one(&*house.db.read).await.unwrap().unwrap();
    let row = |price: i64, text: &str, status| auction::Model {
        id: AuctionId::new(),
        search_text: text.to_owned(),
        starting_price: price,
        current_price: price,
        status,
        sequence: 0,
        ..model.clone()
    };
    let quiet = (1..=1_100).map(|price| row(price, "lamp", AuctionStatus::Open));
    let mut rows: Vec<_> = quiet.collect();
    rows.push(row(2_000, "moon", AuctionStatus::Open));
    rows.extend((3_000..3_020).map(|price| row(price, "moon", AuctionStatus::Cancelled)));
    let moons = rows.iter().filter(|row| row.search_text == "moon").map(|row| row.id).collect();
    for some in rows.chunks(500) {
        let some = some.iter().map(|row| row.clone().into_active_model().reset_all());
        let insert = auction::Entity::insert_many(some);
        insert.exec_without_returning(&house.db.write).await.unwrap();
    }
    moons
}

struct Shop {
    house: TestHouse,
    seller: Session,
    auctions: Vec<AuctionId>,
}

impl Shop {
    async fn open(db: &TestDatabase, dice: &mut Dice) -> Self {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let buyer = house.person("buyer", None, 10_000_000).await;
        let mut auctions = Vec::new();
        for n in 0..60 {
            let lamp = house.a_lamp();
            let starts_at = (n % 5 == 0).then(|| lamp.ends_at - TimeDelta::hours(1));
            let title = title(&format!("x{}", some(dice, 6)));
            let description = description(&some(dice, 40));
            let category = (n % 3 == 0).then(|| CategoryId("lighting".to_owned()));
            let wanted = CreateAuction { title, description, category, starts_at, ..lamp };
            let auction = house.list(&seller, wanted).await;
            if n % 4 == 1 {
                house.bid(&buyer, auction, 10_000 + n * 1_000).await;
            }
            auctions.push(auction);
        }
        Self { house, seller, auctions }
    }

    /// What the domain says is on a list.
    async fn expected(&self, filter: &Filter) -> BTreeSet<AuctionId> {
        let views = self.house.engine.auctions(&self.auctions).await.unwrap();
        let matches = views.into_iter().filter(|view| {
            let listing = SearchableListing::from(view.listing.clone());
            filter.matches(&listing, Standing::of(&view.state))
        });
        matches.map(|view| view.listing.id).collect()
    }

    async fn compare(&self, filter: &Filter, dice: &mut Dice) -> usize {
        let sorts =
            [Sort::Newest, Sort::EndingSoon, Sort::PriceAsc, Sort::PriceDesc, Sort::MostBids];
        let (sort, backwards) = (sorts[dice.place(5)], dice.roll(2) == 0);
        let found = listed(&self.house, filter, sort, backwards).await;
        let expected = self.expected(filter).await;
        let count = found.len();
        assert_eq!(BTreeSet::from_iter(found), expected, "{filter:?} {sort:?} {backwards}");
        assert_eq!(count, expected.len(), "twice: {filter:?} {sort:?} {backwards}");
        count
    }
}

on_both! {
    async fn the_database_finds_what_the_domain_says_is_on_the_list(db: &TestDatabase) {
        let mut dice = Dice::new(15);
        let shop = Shop::open(db, &mut dice).await;
        let (mut none, mut some_found) = (0, 0);
        for turn in 0..200 {
            let words = (0..=dice.roll(1)).map(|_| some(&mut dice, 3).to_lowercase());
            let words: Vec<_> = words
                .collect::<Vec<_>>()
                .join(" ")
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            let status = match turn % 3 {
                0 => vec![],
                1 => vec![AuctionStatus::Open],
                _ => vec![AuctionStatus::Open, AuctionStatus::Scheduled],
            };
            let categories = match turn % 7 {
                0 => vec![CategoryId("lighting".to_owned())],
                _ => vec![],
            };
            let seller = (turn % 11 == 0).then_some(shop.seller.user.id);
            let max_price = (turn % 5 == 0).then_some(20_000);
            let filter = Filter {
                words,
                status, categories, seller, max_price, ..Filter::default() };
            match shop.compare(&filter, &mut dice).await {
                0 => none += 1,
                _ => some_found += 1,
            }
        }
        assert!(none > 10 && some_found > 50, "{none} found nothing, {some_found} something");
    }

    async fn an_edit_is_found_by_its_new_words_alone(db: &TestDatabase) {
        let shop = Shop::open(db, &mut Dice::new(1)).await;
        let word = |word: &str| Filter { words: vec![word.to_owned()], ..Filter::default() };
        let (house, auction) = (&shop.house, shop.auctions[2]);
        for (title, words, former) in
            [("달항아리 moon", ["달", "항아", "moon", "n"], "zzz"), ("새 이름", ["새", "이름", "름", "이"], "달")]
        {
            let title = Some(requests::title(title));
            let edit = UpdateAuction { id: auction, title, description: None, category: None };
            house.engine.update_auction(&shop.seller, edit).await.unwrap();
            for said in words {
                let found = listed(house, &word(said), Sort::Newest, false).await;
                assert!(found.contains(&auction), "{said}");
                assert_eq!(BTreeSet::from_iter(found), shop.expected(&word(said)).await, "{said}");
            }
            let found = listed(house, &word(former), Sort::Newest, false).await;
            assert!(!found.contains(&auction), "{former}");
        }
        // An auction's row that bids change keeps its words.
        let db = db.open().await;
        let statement = "UPDATE auctions SET search_text = search_text WHERE bid_count >= 0";
        db.write.execute_unprepared(statement).await.unwrap();
        db.close().await;
        assert_eq!(listed(house, &word("이름"), Sort::Newest, false).await, [auction]);
    }

    async fn a_status_that_hardly_says_a_word_is_not_left_out(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let moons = many_of_two_statuses(&house).await;
        for status in [vec![], vec![AuctionStatus::Open, AuctionStatus::Cancelled]] {
            let filter = Filter { words: vec!["moon".to_owned()], status, ..Filter::default() };
            assert_eq!(listed(&house, &filter, Sort::PriceAsc, false).await, moons);
            let found = listed(&house, &filter, Sort::PriceDesc, true).await;
            assert_eq!(found, moons, "backwards");
        }
        // They have no events, which the audit would miss.
        let made = auction::Entity::delete_many().filter(auction::Column::Sequence.eq(0));
        made.exec(&house.db.write).await.unwrap();
    }
}
