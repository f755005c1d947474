//! A node whose clock differs from the database's tells the same as any other.

use sea_orm::{ConnectionTrait, Database};

use super::neighbours::Scene;
use crate::support::database;

/// Everything happens on a Postgres whose clock is so many seconds ahead of the nodes'.
async fn goes_on(seconds: i32) {
    let db = database::postgres().await;
    let name = db.url.rsplit('/').next().unwrap();
    let connection = Database::connect(&db.url).await.unwrap();
    let sql = format!(
        "CREATE SCHEMA skewed;
         CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
           'SELECT pg_catalog.clock_timestamp() + {seconds} * interval ''1 second''';
         ALTER DATABASE {name} SET search_path = skewed, pg_catalog, public"
    );
    connection.execute_unprepared(&sql).await.unwrap();
    connection.close().await.unwrap();
    let mut scene = Scene::set(&db).await;
    let sweeps = scene.there.sweeps();
    for _ in 0..2 {
        scene.round().await;
    }
    // And clients count down by the clock that judges.
    let said = scene.there.engine.server_time().await.unwrap();
    let ahead = (said - chrono::Utc::now()).num_seconds();
    assert!((ahead - i64::from(seconds)).abs() < 15, "{ahead} s ahead");
    drop(sweeps);
    db.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_behind_tells_everything_and_nothing_old() {
    goes_on(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_ahead_tells_everything_and_nothing_old() {
    goes_on(-20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_hours_ahead_tells_everything_and_nothing_old() {
    goes_on(-7_200).await;
}
