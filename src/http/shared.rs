//! Once, not a thousand times: watchers of an auction who asked for the same thing share one
//! execution and one serialisation an event; only the client's id is spliced in.
//!
//! Who asked the same: equal document, operation and variables (but for where to begin). A shared
//! answer is executed for nobody, so there is nothing to leak. Where anything in it asked who the
//! viewer is, it is kept for those who are signed out alone: every other watcher's is executed for
//! that watcher and never kept, so that it is never another's, and never stale.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
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
use tokio::sync::OnceCell;

use super::{
    document,
    response::{Answer, answer},
    variables,
};
use crate::{
    engine::{Session, Update, UpdateKind},
    graphql::{Moment, RequestId, Schema, asked_by},
};

/// How many of the newest answers a group keeps, for those who are a little behind.
const KEPT: usize = 64;

/// How long an answer that does not last is kept, for a crowd that comes at once.
const FRESH: Duration = Duration::from_secs(1);

/// The groups of a node.
#[derive(Debug, Default)]
pub struct Shared {
    groups: Mutex<HashMap<Key, Weak<Group>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    query: String,
    operation: Option<String>,
    variables: String,
}

/// Those who asked the same.
#[derive(Debug)]
pub struct Group {
    shared: Arc<Shared>,
    key: Key,
    document: ExecutableDocument,
    variables: Variables,
    /// What the schema refuses the request with, once that was asked.
    refusal: OnceCell<Option<Arc<Answer>>>,
    /// Whether an answer was found to depend on the viewer: then none is tried to be shared.
    reads_viewer: AtomicBool,
    answers: Mutex<VecDeque<Kept>>,
}

/// An answer that is kept.
#[derive(Debug, Clone)]
struct Kept {
    mark: Mark,
    since: Instant,
    /// Filled when it is made.
    made: Arc<OnceCell<Made>>,
}

/// An answer that was made.
#[derive(Debug)]
struct Made {
    answer: Arc<Answer>,
    /// Whether it depends on the viewer.
    reads_viewer: bool,
    has_errors: bool,
}

/// Which update an answer is of.
type Mark = (i64, UpdateKind);

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

impl Shared {
    /// The wish that a subscription states; `None` when it is of another kind, or unusual enough
    /// that the schema should answer it by itself.
    pub fn wish(self: &Arc<Self>, request: &mut Request) -> Option<Wish> {
        let (name, mut variables) = (request.operation_name.clone(), request.variables.clone());
        let document = request.parsed_query().ok()?.clone();
        let operation = document::operation(&document, name.as_deref())?;
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
        if let Some((name, value)) = only_the_beginning(root, &document, operation, after) {
            variables.insert(name, value);
        }
        let key = Key {
            query: request.query.clone(),
            operation: name,
            variables: serde_json::to_string(&variables).ok()?,
        };
        let group = self.group(key, || (document, variables));
        Some(Wish { auction, after, group })
    }

    fn group(
        self: &Arc<Self>,
        key: Key,
        make: impl FnOnce() -> (ExecutableDocument, Variables),
    ) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let (document, variables) = make();
        let group = Arc::new(Group {
            shared: Arc::clone(self),
            key: key.clone(),
            document,
            variables,
            refusal: OnceCell::new(),
            reads_viewer: AtomicBool::new(false),
            answers: Mutex::default(),
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
            refused.map(|response| Arc::new(answer(response, &number)))
        };
        self.refusal.get_or_init(validate).await.clone()
    }

    /// The answer to one update: made once for all, or for this viewer alone where it depends on
    /// who asks.
    pub async fn answer(
        &self,
        schema: &Schema,
        update: &Arc<Update>,
        session: Option<&Arc<Session>>,
    ) -> Arc<Answer> {
        if session.is_some() && self.reads_viewer.load(Ordering::Relaxed) {
            return self.execute(schema, update, session).await.answer;
        }
        let kept = self.kept(update);
        let made = kept.made.get_or_init(|| self.execute(schema, update, None)).await;
        if made.reads_viewer && session.is_some() {
            self.reads_viewer.store(true, Ordering::Relaxed);
            return self.execute(schema, update, session).await.answer;
        }
        Arc::clone(&made.answer)
    }

    /// The place of the answer to one update.
    fn kept(&self, update: &Update) -> Kept {
        let mark = (update.sequence(), update.kind);
        let mut answers = lock(&self.answers);
        if let Some(known) = answers.iter().rev().find(|known| known.mark == mark)
            && (known.lasts() || known.since.elapsed() < FRESH)
        {
            return known.clone();
        }
        if answers.len() >= KEPT {
            answers.pop_front();
        }
        let kept = Kept { mark, since: Instant::now(), made: Arc::default() };
        answers.push_back(kept.clone());
        kept
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
        let request = asked_by(request, session.cloned());
        let response = schema.execute_stream(request).next().await.unwrap_or_default();
        let has_errors = !response.errors.is_empty();
        let answer = Arc::new(answer(response, &number));
        Made { answer, reads_viewer: moment.viewer_was_read(), has_errors }
    }

    fn request(&self, number: &RequestId) -> Request {
        let mut request = Request::new(self.key.query.clone()).variables(self.variables.clone());
        request.set_parsed_query(self.document.clone());
        if let Some(name) = &self.key.operation {
            request = request.operation_name(name.clone());
        }
        request.data(number.clone())
    }
}

impl Kept {
    /// An event's answer lasts, if nothing in it failed. A snapshot's does not: what an auction
    /// shows besides its state (how many watch it, say) changes without an event.
    fn lasts(&self) -> bool {
        let failed = || self.made.get().is_some_and(|made| made.has_errors);
        self.mark.1 != UpdateKind::Snapshot && !failed()
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
