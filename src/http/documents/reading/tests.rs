//! Who waits for a check, and for how long its turn is held.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{runtime::Builder, task::spawn_blocking, time::timeout};

use super::super::{Documents, limits::DocumentLimits, tests::LIMITS};
use crate::{
    graphql::Code,
    http::response::{Answer, refusal},
};

fn documents() -> Arc<Documents> {
    // Nothing here waits for as long as a query may.
    let limits = DocumentLimits { timeout: Duration::from_secs(3_600), ..LIMITS };
    Documents::new(&crate::graphql::sdl(), limits).unwrap()
}

/// Too large to be checked where it is asked for.
fn large() -> String {
    format!("{{ {} }}", "__typename ".repeat(400))
}

/// As much as anybody likes.
fn free(_points: u32) -> Result<(), Answer> {
    Ok(())
}

#[test]
fn a_check_is_charged_before_it_and_what_is_kept_costs_none() {
    let documents = documents();
    let points = |text: &str| {
        let mut charged = 0;
        let charge = |points| {
            charged += points;
            Ok(())
        };
        let read = documents.read(text, charge).now_or_never().unwrap();
        (read.is_ok(), charged)
    };
    let unknown = format!("{{ {} }}", "unknown ".repeat(100));
    assert_eq!([points(&unknown), points(&unknown)], [(false, 11), (false, 11)]);
    let known = format!("{{ {} }}", "__typename ".repeat(100));
    assert_eq!([points(&known), points(&known)], [(true, 11), (true, 0)]);
    // Who has spent it all has nothing checked.
    let spent = |_| Err(refusal(Code::RateLimited, "spent"));
    let read = documents.read(&unknown, spent).now_or_never().unwrap();
    assert_eq!(read.unwrap_err().code, Code::RateLimited);
    assert!(documents.read(&known, spent).now_or_never().unwrap().is_ok());
}

#[test]
fn a_check_keeps_its_turn_when_nobody_waits_for_it_any_more() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let documents = documents();
        let (go, stays) = mpsc::channel::<()>();
        let busy = spawn_blocking(move || stays.recv());
        // Its client hangs up while the check has yet to begin.
        assert!(documents.read(&large(), free).now_or_never().is_none());
        assert_eq!(documents.checks.available_permits(), 0);
        drop(go);
        assert!(busy.await.unwrap().is_err());
        drop(documents.checks.acquire().await.unwrap());
    });
}

#[tokio::test]
async fn who_gets_no_turn_soon_is_turned_away() {
    let documents = documents();
    let turn = documents.checks.acquire().await.unwrap();
    let read = timeout(Duration::from_secs(600), documents.read(&large(), free)).await;
    assert_eq!(read.expect("it waits for ever").unwrap_err().code, Code::Overloaded);
    drop(turn);
    assert!(documents.read(&large(), free).await.is_ok());
}
