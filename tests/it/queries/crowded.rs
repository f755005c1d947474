//! A machine that has no time: what a page costs is counted while every core is taken several times
//! over, so that tasks stop in the middle of whatever they do.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Counted, PAGES};
use crate::support::on_both;

/// Takes as much of every core as it gets until it is dropped.
struct Crowd(std::sync::Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

impl Crowd {
    fn gather() -> Self {
        let is_over = std::sync::Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().unwrap().get();
        let spin = || {
            let is_over = std::sync::Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    // Stops and starts, so that nobody can tell when it runs.
                    let until = Instant::now() + Duration::from_micros(700);
                    while Instant::now() < until {
                        spin_loop();
                    }
                    thread::yield_now();
                }
            })
        };
        let threads = (0..cores * 6).map(|_| spin()).collect();
        Self(is_over, threads)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            let _ = thread.join();
        }
    }
}

on_both! {
    async fn a_busy_machine_splits_no_page(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        let mut calm = Vec::new();
        for (name, document, _) in PAGES {
            calm.push((name, document, counted.cost(document, 20).await));
        }
        let _crowd = Crowd::gather();
        for _ in 0..5 {
            for (name, document, cost) in &calm {
                assert_eq!(counted.cost(document, 20).await, *cost, "{name}");
            }
        }
    }
}
