//! The migrations on both databases: up, down, up again, by several at once; and what they bring
//! along: the tree of regions and the tree of categories.

use std::collections::HashMap;

use entity::{category, region};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, QueryOrder, Statement};

use crate::support::on_both;

/// The tables, triggers, constraints and functions of a database, by name, but for those of the
/// migrations' own record.
async fn things(db: &DatabaseConnection, on_postgres: bool) -> Vec<String> {
    let ask = if on_postgres {
        "SELECT c.relname || ' ' || c.relkind::text AS name FROM pg_class c
           WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'seaql_%'
         UNION ALL SELECT tgname || ' trigger' FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT conname || ' constraint' FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'seaql_%'
         UNION ALL SELECT proname || ' function' FROM pg_proc
           WHERE pronamespace = 'public'::regnamespace
         ORDER BY 1"
    } else {
        "SELECT name || ' ' || type || ' ' || coalesce(sql, '') AS name FROM sqlite_master
           WHERE tbl_name NOT LIKE 'seaql_%' AND tbl_name NOT LIKE 'sqlite_%' ORDER BY 1"
    };
    let statement = Statement::from_string(db.get_database_backend(), ask);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

async fn applied(db: &DatabaseConnection) -> Vec<bool> {
    let status = migration::status(db).await.unwrap();
    status.into_iter().map(|(_, is_applied)| is_applied).collect()
}

on_both! {
    async fn down_leaves_nothing_and_up_again_makes_the_same(db: &TestDatabase) {
        let opened = db.open().await;
        let on_postgres = db.is_postgres();
        let before = things(&opened.write, on_postgres).await;
        let changes = applied(&opened.read).await;
        assert!(before.len() > 20 && changes.len() >= 6, "{before:?} {changes:?}");
        assert!(changes.iter().all(|applied| *applied));

        migration::down(&opened.write, None).await.unwrap();
        assert!(applied(&opened.read).await.iter().all(|applied| !applied));
        let left = things(&opened.write, on_postgres).await;
        assert_eq!(left, Vec::<String>::new(), "down leaves these behind");

        migration::up(&opened.write).await.unwrap();
        assert!(applied(&opened.read).await.iter().all(|applied| *applied));
        assert_eq!(things(&opened.write, on_postgres).await, before);
        opened.close().await;
    }

    async fn each_change_goes_down_and_up_by_itself(db: &TestDatabase) {
        let opened = db.open().await;
        let on_postgres = db.is_postgres();
        let whole = things(&opened.write, on_postgres).await;
        let changes = applied(&opened.read).await.len();
        for step in 1..=changes {
            migration::down(&opened.write, Some(1)).await.unwrap();
            let left = applied(&opened.read).await;
            let expected: Vec<_> = (0..changes).map(|n| n < changes - step).collect();
            assert_eq!(left, expected, "the newest goes first");
            migration::up(&opened.write).await.unwrap();
            assert_eq!(things(&opened.write, on_postgres).await, whole, "{step} back");
            let back = u32::try_from(step).unwrap();
            migration::down(&opened.write, Some(back)).await.unwrap();
        }
        migration::up(&opened.write).await.unwrap();
        opened.close().await;
    }

    async fn up_twice_is_nothing(db: &TestDatabase) {
        let opened = db.open().await;
        let before = things(&opened.write, db.is_postgres()).await;
        migration::up(&opened.write).await.unwrap();
        migration::up(&opened.write).await.unwrap();
        assert_eq!(things(&opened.write, db.is_postgres()).await, before);
        let regions = "SELECT COUNT(*) FROM regions";
        assert_eq!(database::number_of(&opened.read, regions).await.unwrap(), 5_295);
        opened.close().await;
    }

    async fn several_processes_migrate_a_new_database_at_once(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        let mut migrating = Vec::new();
        for _ in 0..6 {
            // Pools of its own, as a process has.
            let opened = new.open().await;
            migrating.push(tokio::spawn(async move {
                let done = migration::up(&opened.write).await;
                opened.close().await;
                done
            }));
        }
        for done in migrating {
            done.await.unwrap().unwrap();
        }
        let [made, template] = [new.open().await, db.open().await];
        let same = things(&template.write, db.is_postgres()).await;
        assert_eq!(things(&made.write, db.is_postgres()).await, same);
        let regions = "SELECT COUNT(*) FROM regions";
        assert_eq!(database::number_of(&made.read, regions).await.unwrap(), 5_295);
        made.close().await;
        template.close().await;
        new.finish().await;
    }

    async fn a_migration_that_fails_leaves_nothing_behind(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        let opened = new.open().await;
        // Somebody else's table stands in the way of a later change.
        opened.write.execute_unprepared("CREATE TABLE wallets (id INTEGER)").await.unwrap();
        assert!(migration::up(&opened.write).await.is_err());
        assert!(applied(&opened.read).await.iter().all(|applied| !applied));
        let left = things(&opened.write, db.is_postgres()).await;
        assert!(left.iter().all(|name| name.contains("wallets")), "{left:?}");
        opened.write.execute_unprepared("DROP TABLE wallets").await.unwrap();
        migration::up(&opened.write).await.unwrap();
        opened.close().await;
        new.finish().await;
    }

    async fn all_regions_are_there_with_their_parents_and_full_names(db: &TestDatabase) {
        let opened = db.open().await;
        let rows = region::Entity::find().all(&opened.read).await.unwrap();
        let by_id: HashMap<_, _> = rows.iter().map(|row| (row.id.clone(), row)).collect();
        assert_eq!((rows.len(), by_id.len()), (5_295, 5_295));
        let of_depth = |depth| rows.iter().filter(|row| row.depth == depth).count();
        assert_eq!([1, 2, 3].map(of_depth), [17, 253, 5_025]);
        for row in &rows {
            let digits = [2, 5, 8][usize::try_from(row.depth).unwrap() - 1];
            assert!(row.id.0.len() == digits && row.id.0.bytes().all(|b| b.is_ascii_digit()));
            assert!(!row.name.trim().is_empty());
            let Some(parent) = &row.parent_id else {
                assert_eq!((row.depth, &row.full_name), (1, &row.name));
                continue;
            };
            let parent = by_id[parent];
            assert_eq!(parent.depth, row.depth - 1, "{row:?}");
            assert!(row.id.is_within(&parent.id), "{row:?}");
            assert_eq!(row.full_name, format!("{} {}", parent.full_name, row.name));
        }
        let jongno = by_id[&crate::support::house::region("11110101")];
        assert_eq!(jongno.full_name, "서울특별시 종로구 청운동");
        opened.close().await;
    }

    async fn each_category_follows_the_one_around_it(db: &TestDatabase) {
        let opened = db.open().await;
        let all = category::Entity::find().order_by_asc(category::Column::Position);
        let rows = all.all(&opened.read).await.unwrap();
        assert!(rows.len() > 30, "a sensible tree");
        let mut known: Vec<&category::Model> = Vec::new();
        for row in &rows {
            if let Some(parent) = &row.parent_id {
                let parent = known.iter().find(|known| known.id == *parent);
                let parent = parent.unwrap_or_else(|| panic!("{row:?} before its parent"));
                assert_eq!(parent.parent_id, None, "two depths");
            }
            let hangul = |c: char| ('가'..='힣').contains(&c);
            assert!(row.name_ko.chars().any(hangul), "{row:?}");
            assert!(row.name_en.chars().any(|c| c.is_ascii_alphabetic()), "{row:?}");
            let slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(row.id.0.chars().all(slug), "{row:?}");
            known.push(row);
        }
        assert!(known.iter().filter(|row| row.parent_id.is_none()).count() >= 5);
        opened.close().await;
    }
}
