//! Once, not a thousand times: watchers of an auction who asked for the same thing share one
//! execution and one serialisation an event; only the client's id is spliced in.
//!
//! Who asked the same: equal document, operation, variables (but for where to begin) and viewer
//! class. A document that mentions nothing of the viewer's is executed for nobody, so there is
//! nothing to leak; one that does is shared by one viewer's sockets alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use async_graphql::{
    Name, Request, Value as ConstValue, Variables,
    parser::types::{ExecutableDocument, Field, Selection},
};
use async_graphql_value::Value;
use entity::ids::{AuctionId, UserId};
use futures_util::StreamExt;
use tokio::sync::OnceCell;

use super::{
    document,
    response::{Answer, answer},
};
use crate::{
    engine::{Session, Update, UpdateKind},
    graphql::{Moment, RequestId, Schema},
};

/// The fields whose answer depends on who asks.
const VIEWERS_OWN: [&str; 2] = ["viewerPosition", "viewerUpdated"];

/// How many of the newest answers a group keeps, for those who are a little behind.
const KEPT: usize = 64;

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
    viewer: Option<UserId>,
}

/// Those who asked the same.
#[derive(Debug)]
pub struct Group {
    shared: Arc<Shared>,
    key: Key,
    document: ExecutableDocument,
    variables: Variables,
    /// Of a viewer's own group only.
    session: Option<Arc<Session>>,
    answers: Mutex<VecDeque<Made>>,
}

/// An answer that is made, or being made.
type Made = (Mark, Arc<OnceCell<Arc<Answer>>>);

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
    pub fn wish(
        self: &Arc<Self>,
        request: &mut Request,
        session: Option<&Arc<Session>>,
    ) -> Option<Wish> {
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
        if let Some(name) = only_the_beginning(root, &request.query) {
            variables.insert(name, ConstValue::Null);
        }
        let is_own = VIEWERS_OWN.iter().any(|field| request.query.contains(field));
        let session = session.filter(|_| is_own).cloned();
        let key = Key {
            query: request.query.clone(),
            operation: name,
            variables: serde_json::to_string(&variables).ok()?,
            viewer: session.as_ref().map(|session| session.user.id),
        };
        let group = self.group(key, || (document, variables, session));
        Some(Wish { auction, after, group })
    }

    fn group(
        self: &Arc<Self>,
        key: Key,
        make: impl FnOnce() -> (ExecutableDocument, Variables, Option<Arc<Session>>),
    ) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let (document, variables, session) = make();
        let group = Arc::new(Group {
            shared: Arc::clone(self),
            key: key.clone(),
            document,
            variables,
            session,
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

/// The variable that says where to begin, when it says nothing else: it stands in the document
/// where it is declared and where it is given, and nowhere besides.
fn only_the_beginning(root: &Field, query: &str) -> Option<Name> {
    let Value::Variable(name) = &root.get_argument("after")?.node else { return None };
    let is_whole = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let marked = format!("${name}");
    let uses = query.match_indices(&marked);
    let uses = uses.filter(|(at, _)| query.get(at + marked.len()..).is_some_and(is_whole));
    (uses.count() == 2).then(|| name.clone())
}

impl Group {
    /// The answer to one update, made once for all.
    pub async fn answer(&self, schema: &Schema, update: &Arc<Update>) -> Arc<Answer> {
        let mark = (update.sequence(), update.kind);
        let cell = {
            let mut answers = lock(&self.answers);
            match answers.iter().rev().find(|(known, _)| *known == mark) {
                Some((_, cell)) => Arc::clone(cell),
                None => {
                    let cell = Arc::new(OnceCell::new());
                    if answers.len() >= KEPT {
                        answers.pop_front();
                    }
                    answers.push_back((mark, Arc::clone(&cell)));
                    cell
                }
            }
        };
        Arc::clone(cell.get_or_init(|| self.execute(schema, update)).await)
    }

    async fn execute(&self, schema: &Schema, update: &Arc<Update>) -> Arc<Answer> {
        metrics::counter!("neighborbid_renderings_total").increment(1);
        let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
        let mut request = Request::new(self.key.query.clone()).variables(self.variables.clone());
        request.set_parsed_query(self.document.clone());
        if let Some(name) = &self.key.operation {
            request = request.operation_name(name.clone());
        }
        if let Some(session) = &self.session {
            request = request.data(session.clone());
        }
        let request = request.data(number.clone()).data(Moment(Arc::clone(update)));
        let response = schema.execute_stream(request).next().await;
        Arc::new(answer(response.unwrap_or_default(), &number))
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
