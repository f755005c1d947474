//! What operators see: the numbers, logs at a bounded rate, and security events.

pub mod security;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// How often the same thing is said at most.
const EVERY: Duration = Duration::from_secs(30);

/// Something that is said now and then, however often it happens: an outage would fill the log.
#[derive(Debug)]
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Whether it is time to say it; if so, how often it was not said since the last time.
    pub fn now(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (said, unsaid) = &mut *state;
        if said.is_some_and(|said| said.elapsed() < EVERY) {
            *unsaid += 1;
            return None;
        }
        *said = Some(Instant::now());
        Some(std::mem::take(unsaid))
    }

    /// It is well again: the next time is news.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (None, 0);
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

/// The process's one recorder of numbers; a second server in a process shares it.
#[must_use]
pub fn recorder() -> PrometheusHandle {
    use metrics_exporter_prometheus::Matcher;
    use std::sync::OnceLock;
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    const SECONDS: [f64; 12] =
        [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
    let build = || {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_bids".to_owned()), &COUNTS))
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of metrics is installed: /metrics stays empty");
        }
        describe();
        begin();
        security::begin();
        handle
    };
    RECORDER.get_or_init(build).clone()
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("neighborbid_bids_total", "Bids judged, by outcome.");
    describe_counter!("neighborbid_batches_split_total", "Batches that failed as a whole.");
    describe_counter!("neighborbid_commands_failed_total", "Writes that failed, by command.");
    describe_counter!("neighborbid_statements_total", "Statements that only read, by pool.");
    describe_counter!("neighborbid_panics_total", "Tasks that ended badly, by task.");
    describe_gauge!("neighborbid_database_writable", "1 while the database takes writes, else 0.");
    describe_counter!("neighborbid_closings_total", "Auctions opened or ended at their time.");
    describe_histogram!("neighborbid_closing_seconds", "One transaction of openings or endings.");
    describe_histogram!("neighborbid_closing_lag_seconds", "How late an auction was ended.");
    describe_counter!("neighborbid_deadline_failures_total", "Failed passes, by kind.");
    describe_gauge!("neighborbid_due_and_held", "Due, but held by somebody else, by kind.");
    describe_counter!("neighborbid_set_aside_total", "Due, but failed and put aside, by kind.");
    describe_gauge!("neighborbid_set_aside", "Put aside now, by kind.");
    describe_counter!("neighborbid_list_news_dropped_total", "List updates left to the sweep.");
    describe_counter!("neighborbid_renderings_total", "Updates executed for their watchers.");
    describe_histogram!("neighborbid_bid_seconds", "From a bid's arrival to its verdict.");
    describe_histogram!("neighborbid_batch_seconds", "One locking transaction, retries included.");
    describe_histogram!("neighborbid_batch_bids", "How many bids one transaction judged.");
    describe_histogram!("neighborbid_lane_queue_bids", "How many bids waited behind a batch.");
    describe_gauge!("neighborbid_sockets", "Open WebSockets.");
    describe_counter!("neighborbid_slow_sockets_total", "Sockets closed: they took nothing.");
    describe_gauge!("neighborbid_connections", "Open connections.");
    describe_counter!("neighborbid_connections_refused_total", "Newcomers to a full house.");
    describe_counter!("neighborbid_connections_timed_out_total", "Slow clients cut off, by wait.");
    describe_gauge!("neighborbid_watchers", "Running auction subscriptions.");
    describe_counter!("neighborbid_deliveries_total", "Updates handed to watchers.");
    describe_counter!("neighborbid_resyncs_total", "Watchers that fell behind and got a snapshot.");
    describe_counter!("neighborbid_snapshots_total", "Auctions read for their first watcher.");
    describe_counter!("neighborbid_log_reads_total", "Holes in the news filled from the log.");
    describe_gauge!("neighborbid_bus_up", "1 while the bus between nodes works, else 0.");
    describe_counter!("neighborbid_bus_dropped_total", "Messages not sent: the bus was down.");
    describe_counter!("neighborbid_bus_refused_total", "Messages not taken: forged, or old.");
    describe_counter!("neighborbid_sweeps_total", "Reads of the log for what the bus lost.");
    describe_counter!("neighborbid_swept_events_total", "Events that only those reads brought.");
}

/// What lives as long as the process.
const TASKS: &[&str] = &[
    "lane", "openings", "endings", "orders", "monitor", "sessions", "sweep", "lists", "presence",
    "publish", "bus",
];

/// What writes; a test holds the engine's commands to it.
pub const COMMANDS: &[&str] = &[
    "bids",
    "deadlines",
    "create auction",
    "update auction",
    "end auction",
    "act on order",
    "move money",
    "sign up",
    "sign in",
    "sign out",
    "block bidder",
    "mark notifications read",
];

/// Every series is there from the start, so that its first change is seen as one.
fn begin() {
    use metrics::{counter, gauge};
    for outcome in ["accepted", "replayed", "refused", "overloaded", "failed"] {
        counter!("neighborbid_bids_total", "outcome" => outcome).absolute(0);
    }
    for task in TASKS.iter().chain(COMMANDS) {
        counter!("neighborbid_panics_total", "task" => *task).absolute(0);
    }
    for command in COMMANDS {
        counter!("neighborbid_commands_failed_total", "command" => *command).absolute(0);
    }
    for kind in ["openings", "endings", "orders"] {
        counter!("neighborbid_deadline_failures_total", "kind" => kind).absolute(0);
        counter!("neighborbid_set_aside_total", "kind" => kind).absolute(0);
        gauge!("neighborbid_set_aside", "kind" => kind).set(0.0);
        gauge!("neighborbid_due_and_held", "kind" => kind).set(0.0);
    }
    for name in [
        "neighborbid_batches_split_total",
        "neighborbid_slow_sockets_total",
        "neighborbid_connections_refused_total",
        "neighborbid_deliveries_total",
        "neighborbid_resyncs_total",
        "neighborbid_snapshots_total",
        "neighborbid_log_reads_total",
        "neighborbid_bus_dropped_total",
        "neighborbid_sweeps_total",
        "neighborbid_swept_events_total",
        "neighborbid_closings_total",
        "neighborbid_list_news_dropped_total",
        "neighborbid_renderings_total",
    ] {
        counter!(name).absolute(0);
    }
    for wait in ["idle", "head", "body", "write"] {
        counter!("neighborbid_connections_timed_out_total", "wait" => wait).absolute(0);
    }
    for name in ["neighborbid_connections", "neighborbid_sockets", "neighborbid_watchers"] {
        gauge!(name).set(0.0);
    }
    gauge!("neighborbid_database_writable").set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_said_and_the_next_ones_are_counted() {
        let seldom = Seldom::new();
        assert_eq!([seldom.now(), seldom.now(), seldom.now()], [Some(0), None, None]);
        seldom.forget();
        assert_eq!([seldom.now(), seldom.now()], [Some(0), None]);
    }
}
