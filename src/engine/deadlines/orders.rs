//! Orders that complete by themselves, each in a transaction of its own.

use std::{sync::Arc, time::Duration};

use entity::ids::OrderId;

use super::{BATCH, Keeper, aside::Aside, until};
use crate::{
    domain::order::Action,
    engine::{Core, Error, command, orders::Acted},
    store::orders,
};

/// The orders that complete by themselves.
#[derive(Debug)]
pub(super) struct Orders {
    aside: Aside<OrderId>,
}

impl Orders {
    pub fn new() -> Self {
        Self { aside: Aside::new("orders") }
    }

    /// Completes what is due; says how many.
    pub async fn pass(&mut self, core: &Arc<Core>) -> Result<usize, Error> {
        let now = core.now(&core.db.reserved).await?;
        let due = orders::due(&core.db.reserved, now, BATCH, &self.aside.now()).await?;
        let mut completed = 0;
        for id in due {
            match command::run_on_time(core, Acted::by_itself(id, Action::Complete)).await {
                Ok(_) => {
                    completed += 1;
                    self.aside.done(&id);
                }
                // Somebody was faster: a confirmation, a dispute, another process.
                Err(Error::Refused(_)) => self.aside.done(&id),
                Err(error) if !core.takes_writes() => return Err(error),
                Err(error) => self.aside.put(id, &error),
            }
        }
        Ok(completed)
    }
}

impl Keeper for Orders {
    async fn turn(&mut self, core: &Arc<Core>) -> Result<Duration, Error> {
        if self.pass(core).await? > 0 {
            return Ok(Duration::ZERO);
        }
        let db = &core.db.reserved;
        let next = orders::next_completion(db, &self.aside.now()).await?;
        let wait = until(next, core.now(db).await?);
        Ok(if self.aside.is_empty() { wait } else { wait.min(Duration::from_millis(250)) })
    }
}
