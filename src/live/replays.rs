//! What replays may cost: so many events a minute for an address and for an account, and so many
//! reads of the event log at once. Who has spent that is given a snapshot: the page is right, and
//! a client that comes back again and again on a bad network still watches.

use std::fmt;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    settings::LiveSettings,
    watcher::{Payer, Watcher},
};

/// So few missed events cost no more than a snapshot does.
const FREE: i64 = 2;

/// So many who spend may be remembered before it is looked who has not of late.
const MANY: usize = 1_000;

/// The budgets of replays.
pub(super) struct Replays {
    events: Option<DefaultKeyedRateLimiter<Payer>>,
    reads: Semaphore,
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replays").field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl Replays {
    pub fn new(settings: &LiveSettings) -> Self {
        let keyed = |events| RateLimiter::keyed(Quota::per_minute(events));
        Self {
            events: settings.replayed_per_minute.map(keyed),
            reads: Semaphore::new(settings.replay_reads.max(1)),
        }
    }

    /// Whether a watcher is replayed so many events; counted, if so.
    pub fn allow(&self, watcher: &Watcher, events: i64) -> bool {
        let Some(limits) = self.events.as_ref().filter(|_| events > FREE) else { return true };
        let Some(events) = u32::try_from(events).ok().and_then(|n| n.try_into().ok()) else {
            return false;
        };
        let allowed = |payer: Payer| matches!(limits.check_key_n(&payer, events), Ok(Ok(())));
        let allowed = watcher.payers().all(allowed);
        if !allowed {
            metrics::counter!("neighborbid_replays_refused_total").increment(1);
        }
        allowed
    }

    /// Waits for a turn to read the log.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.reads.acquire().await.ok()
    }

    /// Forgets who has spent nothing of late.
    pub fn forget_idle(&self) {
        if let Some(limits) = self.events.as_ref().filter(|limits| limits.len() > MANY) {
            limits.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use entity::ids::UserId;

    use super::*;

    #[test]
    fn an_address_and_an_account_are_replayed_so_many_events() {
        let replayed_per_minute = Some(1_000.try_into().unwrap());
        let bounds = LiveSettings { replayed_per_minute, ..LiveSettings::unlimited() };
        let replays = Replays::new(&bounds);
        let at = |address: [u8; 4], account| Watcher::new(Some(IpAddr::from(address)), account);
        let ann = Some(UserId::new());
        assert!(!replays.allow(&at([1; 4], None), 1_001), "more than there can be");
        assert!(replays.allow(&at([1; 4], ann), 600));
        assert!(!replays.allow(&at([1; 4], None), 600), "the address has spent it");
        assert!(replays.allow(&at([1; 4], None), 2), "that is not counted");
        assert!(!replays.allow(&at([2; 4], ann), 600), "the account has spent it");
        assert!(replays.allow(&at([2; 4], None), 600));
        assert!(
            replays.allow(&Watcher::default(), 1_000)
                && Replays::new(&LiveSettings::unlimited()).allow(&at([1; 4], None), 1_000)
        );
    }
}
