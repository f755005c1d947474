//! Who waits for a check, and for how long its turn is held.

use std::sync::{Arc, mpsc};

use futures_util::FutureExt;
use tokio::{runtime::Builder, task::spawn_blocking};

use super::{Documents, tests::LIMITS};

fn documents() -> Arc<Documents> {
    Documents::new(&crate::graphql::sdl(), LIMITS).unwrap()
}

/// Too large to be checked where it is asked for.
fn large() -> String {
    format!("{{ {} }}", "__typename ".repeat(400))
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
        assert!(documents.read(&large()).now_or_never().is_none());
        assert_eq!(documents.checks.available_permits(), 0);
        drop(go);
        assert!(busy.await.unwrap().is_err());
        drop(documents.checks.acquire().await.unwrap());
    });
}
