//! Once, not a thousand times: watchers of an auction who asked for the same thing share one
//! execution and one serialisation an event; only the client's id is spliced in.
//!
//! Who asked the same: equal document, operation and variables (but for where to begin). A shared
//! answer is executed for nobody, so there is nothing to leak. Where anything in it asked who the
//! viewer is, it is kept for those who are signed out alone: every other watcher's is executed for
//! that watcher and never kept, so that it is never another's, and never stale.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_graphql::{
    Name, Request, Value as ConstValue, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, Selection},
};
use async_graphql_value::Value;
use entity::ids::AuctionId;
use futures_util::StreamExt;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::{sync::OnceCell, time::timeout};

use super::{
    body::ParsedRequest,
    documents::{DocumentLimits, Operation},
    response::{Answer, answer, failure},
    variables,
};
use crate::{
    engine::{Session, Update, UpdateKind},
    graphql::{Code, Moment, RequestId, Schema, asked_by},
};

/// How long an answer that does not last is kept, for a crowd that comes at once.
const FRESH: Duration = Duration::from_secs(1);

/// What an answer weighs on average, in bytes.
const USUAL: u64 = 1_024;

/// How many parts the kept answers lie in: each must have room for the largest.
const PARTS: usize = 4;

/// The groups of a node, and the newest answers of all of them.
pub struct Shared {
    groups: Mutex<HashMap<Key, Weak<Group>>>,
    answers: Cache<(u64, Mark), Made, Weight>,
    /// The number of the next group.
    next: AtomicU64,
    answer_bytes: usize,
    timeout: Duration,
}

/// What a subscription means, and its variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    meaning: Arc<str>,
    variables: String,
}

/// Those who asked the same.
#[derive(Debug)]
pub struct Group {
    shared: Arc<Shared>,
    number: u64,
    key: Key,
    operation: Arc<Operation>,
    variables: Variables,
    /// What the schema refuses the request with, once that was asked.
    refusal: OnceCell<Option<Arc<Answer>>>,
    /// Whether an answer was found to depend on the viewer: then none is tried to be shared.
    reads_viewer: AtomicBool,
}

/// An answer that was made.
#[derive(Debug, Clone)]
struct Made {
    answer: Arc<Answer>,
    since: Instant,
    /// Whether it depends on the viewer.
    reads_viewer: bool,
    /// An event's answer lasts, if nothing in it failed. A snapshot's does not: what an auction
    /// shows besides its state (how many watch it, say) changes without an event.
    lasts: bool,
}

impl Made {
    fn is_fresh(&self) -> bool {
        self.lasts || self.since.elapsed() < FRESH
    }
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<(u64, Mark), Made> for Weight {
    fn weight(&self, _: &(u64, Mark), made: &Made) -> u64 {
        (made.answer.body.len() + 256) as u64
    }
}

/// Which update an answer is of: the sequence, and whether it is a snapshot.
type Mark = (i64, bool);

/// A wish to watch an auction.
#[derive(Debug)]
pub struct Wish {
    pub auction: AuctionId,
    pub after: Option<i64>,
    pub group: Arc<Group>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Without groups. The answers of all that come are kept within these limits.
    pub fn new(limits: &DocumentLimits) -> Arc<Self> {
        let usually = usize::try_from(limits.shared_bytes / USUAL).unwrap_or(usize::MAX).max(1);
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(usually).weight_capacity(limits.shared_bytes);
        let answers = match options.shards(PARTS).build() {
            Ok(options) => {
                let (hashes, life) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
                Cache::with_options(options, Weight, hashes, life)
            }
            Err(_) => Cache::with_weighter(usually, limits.shared_bytes, Weight),
        };
        Arc::new(Self {
            groups: Mutex::default(),
            answers,
            next: AtomicU64::new(0),
            answer_bytes: limits.answer_bytes,
            timeout: limits.timeout,
        })
    }

    /// The wish that a subscription states; `None` when it is of another kind, or unusual enough
    /// that the schema should answer it by itself.
    pub fn wish(self: &Arc<Self>, parsed: &ParsedRequest) -> Option<Wish> {
        let mut variables = parsed.variables.clone();
        let document = parsed.operation.document();
        let operation = parsed.operation.definition()?;
        let [root] = operation.selection_set.node.items.as_slice() else { return None };
        let Selection::Field(root) = &root.node else { return None };
        let root = &root.node;
        if root.name.node != "auctionUpdated" || !root.directives.is_empty() {
            return None;
        }
        let auction = match argument(root, "auctionId", &variables)? {
            ConstValue::String(id) => id.parse().ok()?,
            _ => return None,
        };
        let after = match argument(root, "after", &variables) {
            None | Some(ConstValue::Null) => None,
            Some(ConstValue::Number(after)) => {
                Some(i64::from(i32::try_from(after.as_i64()?).ok()?))
            }
            Some(_) => return None,
        };
        if let Some((name, value)) = only_the_beginning(root, document, operation, after) {
            variables.insert(name, value);
        }
        let meaning = Arc::clone(&parsed.operation.meaning);
        let key = Key { meaning, variables: serde_json::to_string(&variables).ok()? };
        let group = self.group(key, &parsed.operation, variables);
        Some(Wish { auction, after, group })
    }

    fn group(
        self: &Arc<Self>,
        key: Key,
        operation: &Arc<Operation>,
        variables: Variables,
    ) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group {
            shared: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            key: key.clone(),
            operation: Arc::clone(operation),
            variables,
            refusal: OnceCell::new(),
            reads_viewer: AtomicBool::new(false),
        });
        groups.insert(key, Arc::downgrade(&group));
        group
    }
}

/// An argument's value, whether it stands there or in a variable.
fn argument(field: &Field, name: &str, variables: &Variables) -> Option<ConstValue> {
    match &field.get_argument(name)?.node {
        Value::Variable(variable) => variables.get(variable).cloned(),
        value => value.clone().into_const(),
    }
}

/// The variable that says where to begin, when it says nothing else, and a value for it that is
/// the same for all who watch: where each begins shows in no answer.
fn only_the_beginning(
    root: &Field,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    after: Option<i64>,
) -> Option<(Name, ConstValue)> {
    let Value::Variable(name) = &root.get_argument("after")?.node else { return None };
    let mut definitions = operation.variable_definitions.iter();
    let definition = definitions.find(|definition| definition.node.name.node == *name)?;
    let value = match after {
        _ if definition.node.var_type.node.nullable => ConstValue::Null,
        Some(_) => ConstValue::from(0),
        // It must not be null, and the schema says so.
        None => return None,
    };
    (variables::uses(document, operation, name) == 1).then(|| (name.clone(), value))
}

impl Group {
    /// What the schema refuses this request with, if it is not valid; asked once for all.
    pub async fn refusal(&self, schema: &Schema) -> Option<Arc<Answer>> {
        let validate = async || {
            let number = RequestId::new();
            let request = self.request(&number).data(Moment::never());
            let refused = schema.execute_stream(request).next().await;
            refused.map(|response| Arc::new(answer(response, &number, self.shared.answer_bytes)))
        };
        self.refusal.get_or_init(validate).await.clone()
    }

    /// The answer to one update: made once for all, or for this viewer alone where it depends on
    /// who asks.
    pub async fn answer(
        self: &Arc<Self>,
        schema: &Schema,
        update: &Arc<Update>,
        session: Option<&Arc<Session>>,
    ) -> Arc<Answer> {
        if session.is_some() && self.reads_viewer.load(Ordering::Relaxed) {
            return self.execute(schema, update, session).await.answer;
        }
        let Some(made) = self.shared_answer(schema, update).await else {
            return self.execute(schema, update, session).await.answer;
        };
        if made.reads_viewer && session.is_some() {
            self.reads_viewer.store(true, Ordering::Relaxed);
            return self.execute(schema, update, session).await.answer;
        }
        made.answer
    }

    /// The answer to one update for whoever is signed out. What is not kept is made by a task of
    /// its own: others wait for it, and the watcher who needed it first may be one whose socket
    /// takes nothing, and who is not polled until it does. None if that task broke.
    async fn shared_answer(
        self: &Arc<Self>,
        schema: &Schema,
        update: &Arc<Update>,
    ) -> Option<Made> {
        let kept = self.shared.answers.get(&self.place_of(update));
        if let Some(made) = kept.filter(Made::is_fresh) {
            return Some(made);
        }
        let (group, schema, update) = (Arc::clone(self), schema.clone(), Arc::clone(update));
        tokio::spawn(async move { group.made(&schema, &update).await }).await.ok()
    }

    fn place_of(&self, update: &Update) -> (u64, Mark) {
        (self.number, (update.sequence(), update.kind == UpdateKind::Snapshot))
    }

    /// Kept, or made now and kept.
    async fn made(&self, schema: &Schema, update: &Arc<Update>) -> Made {
        let (answers, key) = (&self.shared.answers, self.place_of(update));
        loop {
            match answers.get_value_or_guard_async(&key).await {
                Ok(made) if made.is_fresh() => return made,
                Ok(stale) => {
                    answers.remove_if(&key, |made| made.since == stale.since);
                }
                Err(place) => {
                    let made = self.execute(schema, update, None).await;
                    let _ = place.insert(made.clone());
                    return made;
                }
            }
        }
    }

    async fn execute(
        &self,
        schema: &Schema,
        update: &Arc<Update>,
        session: Option<&Arc<Session>>,
    ) -> Made {
        metrics::counter!("neighborbid_renderings_total").increment(1);
        let (number, moment) = (RequestId::new(), Moment::of(Arc::clone(update)));
        let request = self.request(&number).data(Arc::clone(&moment));
        let mut responses = schema.execute_stream(asked_by(request, session.cloned()));
        let (answer, failed) = match timeout(self.shared.timeout, responses.next()).await {
            Ok(response) => {
                let response = response.unwrap_or_default();
                let failed = !response.errors.is_empty();
                (answer(response, &number, self.shared.answer_bytes), failed)
            }
            Err(_) => (failure(Code::Overloaded, "The update took too long to read."), true),
        };
        let lasts = update.kind != UpdateKind::Snapshot && !failed;
        let reads_viewer = moment.viewer_was_read();
        Made { answer: Arc::new(answer), since: Instant::now(), reads_viewer, lasts }
    }

    fn request(&self, number: &RequestId) -> Request {
        self.operation.request(self.variables.clone()).data(number.clone())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut groups = lock(&self.shared.groups);
        // Another group may have taken the place meanwhile.
        if groups.get(&self.key).is_some_and(|group| group.strong_count() == 0) {
            groups.remove(&self.key);
        }
    }
}
