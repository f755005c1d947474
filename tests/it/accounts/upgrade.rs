//! What an older database has that could not come to be any more: names that read alike, and holds
//! above the buy-now price.

use entity::user;
use neighborbid::{engine::CreateAuction, store::users};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};

use crate::support::{TestHouse, house::money, on_both};

/// The newest change that knows nothing of it is the one before.
const BACK: Option<u32> = Some(1);

on_both! {
    async fn of_two_names_that_read_alike_the_older_account_keeps_it(db: &TestDatabase) {
        let opened = db.open().await;
        migration::down(&opened.write, BACK).await.unwrap();
        let no = if db.is_postgres() { "FALSE" } else { "0" };
        for (n, (name, key)) in [
            ("emma", "emma"),
            ("\u{435}mma", "\u{435}mma"),
            ("ｅｍｍａ", "ｅｍｍａ"),
            ("emma\u{3164}", "emma\u{3164}"),
            ("ＭＩＮＡ", "ｍｉｎａ"),
        ]
        .into_iter()
        .enumerate()
        {
            let id = if db.is_postgres() {
                format!("'00000000-0000-7000-8000-00000000000{n}'")
            } else {
                format!("x'0000000000007000800000000000000{n}'")
            };
            let insert = format!(
                "INSERT INTO users (id, username, username_key, password_hash, is_admin, joined_at)
                 VALUES ({id}, '{name}', '{key}', 'none', {no}, '2030-01-0{}T00:00:00+00:00');
                 INSERT INTO wallets (user_id, available, locked) VALUES ({id}, 0, 0)",
                n + 1
            );
            opened.write.execute_unprepared(&insert).await.unwrap();
        }
        migration::up(&opened.write).await.unwrap();
        let rows = user::Entity::find().order_by_asc(user::Column::JoinedAt);
        let rows = rows.all(&opened.read).await.unwrap();
        let kept: Vec<_> = rows.iter().map(|row| row.username_skeleton.is_some()).collect();
        assert_eq!(kept, [true, false, false, false, true]);
        for (typed, found) in [
            ("emma", "emma"),
            ("EMMA", "emma"),
            ("\u{435}mma", "\u{435}mma"),
            ("ｅｍｍａ", "ｅｍｍａ"),
            ("Ｅmma", "emma"),
            ("emma\u{3164}", "emma\u{3164}"),
            ("mina", "ＭＩＮＡ"),
            ("ｍｉｎａ", "ＭＩＮＡ"),
        ] {
            let account = users::by_username(&opened.read, typed).await.unwrap().unwrap();
            assert_eq!(account.user.username, found, "{typed:?}");
        }
        opened.close().await;
    }

    async fn what_was_held_above_the_buy_now_price_is_released(db: &TestDatabase) {
        let house = TestHouse::open(db).await;
        let seller = house.person("seller", None, 0).await;
        let ann = house.person("ann", None, 100_000).await;
        let wanted = CreateAuction { buy_now_price: Some(money(50_000)), ..house.a_lamp() };
        let lamp = house.list(&seller, wanted).await;
        house.bid_up_to(&ann, lamp, 10_000, 80_000).await;
        assert_eq!(house.balances(&ann).await, (50_000, 50_000));
        migration::down(&house.db.write, BACK).await.unwrap();
        // As it was before: all of the maximum is held.
        let more = if db.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
        let held = format!(
            "INSERT INTO transfers (id, user_id, from_account, to_account, amount, kind,
               auction_id, bid_id, at)
             SELECT {more}, user_id, from_account, to_account, 30000, kind, auction_id, bid_id, at
             FROM transfers WHERE kind = 'HOLD';
             UPDATE wallets SET available = available - 30000, locked = locked + 30000
             WHERE locked > 0"
        );
        house.db.write.execute_unprepared(&held).await.unwrap();
        assert_eq!(house.balances(&ann).await, (20_000, 80_000));
        migration::up(&house.db.write).await.unwrap();
        assert_eq!(house.balances(&ann).await, (50_000, 50_000));
        house.engine.end_auction_early(&seller, lamp).await.unwrap();
        assert_eq!(house.balances(&ann).await, (90_000, 0));
    }
}
