//! Documents: each text is checked once by the gate, and kept while it is used, if it is valid.
//! Clients send the same few again and again; running one of those checks its variables alone.

mod convert;
mod count;
mod document;
pub(super) mod gate;
mod input;
mod limits;
mod price;
#[cfg(test)]
mod reading {
    mod tests;
}
mod rules;
mod scan;
mod suggest;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_graphql::Variables;
use quick_cache::{Weighter, sync::Cache};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

pub use document::{Document, Operation, OperationType};
pub use limits::DocumentLimits;

use super::response::{Answer, faults, refusal};
use crate::graphql::Code;
use gate::{Fault, Gate};

/// Up to so many tokens, a document is checked where it is asked for: that takes less than to
/// hand it over.
const SMALL: usize = 250;

/// How long to wait for a turn to be checked: a socket's loop waits too, and with it the updates
/// that the socket is to get.
const TURN: Duration = Duration::from_secs(1);

/// For so many tokens, a check costs a point.
const TOKENS_A_POINT: usize = 10;

/// What a kept document weighs on average, in bytes.
const USUAL: u64 = 16_384;

/// Checks documents, and keeps them.
pub struct Documents {
    gate: Arc<Gate>,
    kept: Cache<Box<str>, Arc<Document>, Weight>,
    /// Of large documents only so many are checked at once, and none on the threads that answer.
    checks: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Document>> for Weight {
    fn weight(&self, _text: &Box<str>, document: &Arc<Document>) -> u64 {
        document.weight
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Documents {
    /// Of a schema, in the schema definition language.
    ///
    /// # Errors
    /// When that is no schema.
    pub fn new(sdl: &str, limits: DocumentLimits) -> Result<Arc<Self>, String> {
        let gate = Arc::new(Gate::new(sdl, limits)?);
        let usually = usize::try_from(limits.cache_bytes / USUAL).unwrap_or_default().max(1);
        let kept = Cache::with_weighter(usually, limits.cache_bytes, Weight);
        Ok(Arc::new(Self { gate, kept, checks: Arc::new(Semaphore::new(limits.checks)) }))
    }

    /// The bounds.
    pub fn limits(&self) -> &DocumentLimits {
        &self.gate.limits
    }

    /// A document that is valid. What its check costs, in points, is charged before it: most of
    /// what is checked is refused, and runs nothing that is charged.
    ///
    /// # Errors
    /// With the answer for the client, when it is not, or cannot be checked now.
    pub async fn read(
        &self,
        text: &str,
        charge: impl FnOnce(u32) -> Result<(), Answer>,
    ) -> Result<Arc<Document>, Answer> {
        if let Some(document) = self.kept.get(text) {
            return Ok(document);
        }
        let scan = self.gate.look(text).map_err(|fault| refused(&[fault]))?;
        charge(u32::try_from(scan.tokens / TOKENS_A_POINT + 1).unwrap_or(u32::MAX))?;
        let checked = if scan.tokens <= SMALL {
            self.gate.check(text, scan)
        } else {
            let busy = || refusal(Code::Overloaded, "Too much waits already: try again soon.");
            let turn = Arc::clone(&self.checks).acquire_owned();
            let turn = timeout(TURN.min(self.limits().timeout), turn).await;
            let turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
            let (gate, text) = (Arc::clone(&self.gate), text.to_owned());
            let check = move || {
                // Until the check ends, even where nobody waits for it any more.
                let _turn = turn;
                gate.check(&text, scan)
            };
            spawn_blocking(check).await.map_err(|_| busy())?
        };
        let document = Arc::new(checked.map_err(|faults| refused(&faults))?);
        self.kept.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    /// Checks what differs from run to run: the variables, and what they make an operation cost at
    /// most, which it answers with.
    ///
    /// # Errors
    /// With a sentence for the client.
    pub fn check_run(&self, operation: &Operation, variables: &Variables) -> Result<u64, String> {
        self.gate.check_run(operation, variables)
    }
}

fn refused(found: &[Fault]) -> Answer {
    faults(Code::BadUserInput, found.iter().map(|fault| (fault.message.as_str(), fault.location)))
}
