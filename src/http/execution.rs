//! Running one operation, whichever way its answers leave: the same for a WebSocket and for
//! server-sent events.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt, stream};
use metrics::Counter;
use tokio::time::timeout;

use super::{
    body::ParsedRequest,
    documents::{Documents, OperationType},
    response::{Answer, answer, failure, limited, refusal},
    router::App,
    shared::{Group, Shared, Wish},
};
use crate::{
    engine::{Engine, Feed, Session, Watcher},
    graphql::{ClientAddress, Code, RateLimits, RequestId, Schema, Underway, asked_by},
};

/// The answers of an operation: one, or those of a subscription. One with `errors` of a request
/// that was refused is the last.
pub type Answers = Pin<Box<dyn Stream<Item = Arc<Answer>> + Send>>;

/// What every operation of a client is run with.
#[derive(Clone)]
pub struct Surroundings {
    pub schema: Schema,
    pub engine: Arc<Engine>,
    pub shared: Arc<Shared>,
    pub documents: Arc<Documents>,
    pub address: ClientAddress,
}

impl Surroundings {
    /// Those of a client at `address`.
    pub fn of(app: &App, address: ClientAddress) -> Self {
        Self {
            schema: app.schema.clone(),
            engine: Arc::clone(&app.engine),
            shared: Arc::clone(&app.shared),
            documents: Arc::clone(&app.documents),
            address,
        }
    }

    /// Counts the check of a document, for where it comes from.
    ///
    /// # Errors
    /// With the answer for a client who asks too often.
    pub fn charge_check(&self, points: u32) -> Result<(), Answer> {
        let Some(rates) = self.schema.data::<Arc<RateLimits>>() else {
            return Ok(());
        };
        rates.operation(None, self.address, points).map_err(|limit| limited(&limit))
    }

    /// Counts an operation for who asks it, and from where.
    ///
    /// # Errors
    /// With the answer for a client who asks too often.
    fn charge(&self, parsed: &ParsedRequest, session: Option<&Session>) -> Result<(), Answer> {
        let Some(rates) = self.schema.data::<Arc<RateLimits>>() else {
            return Ok(());
        };
        let account = session.map(|session| session.user.id);
        let counted = match parsed.kind() {
            OperationType::Subscription => rates.subscribe(account, self.address),
            _ => Ok(()),
        };
        let points = u32::try_from(parsed.cost).unwrap_or(u32::MAX);
        let counted = counted.and_then(|()| rates.operation(account, self.address, points));
        counted.map_err(|limit| limited(&limit))
    }
}

/// Begins an operation, as the one who is signed in.
pub fn run(parsed: ParsedRequest, session: Option<Arc<Session>>, around: &Surroundings) -> Answers {
    if parsed.kind() != OperationType::Subscription {
        let around = around.clone();
        return Box::pin(stream::once(async move {
            Arc::new(single(parsed, session, &RequestId::new(), &around).await)
        }));
    }
    if let Err(limited) = around.charge(&parsed, session.as_deref()) {
        return Box::pin(stream::once(async move { Arc::new(limited) }));
    }
    match around.shared.wish(&parsed) {
        Some(wish) => shared(wish, parsed, session, around.clone()),
        None => own(parsed, session, around),
    }
}

/// A query or a mutation. A query has its time; a mutation is let finish, for it may have
/// happened.
pub async fn single(
    parsed: ParsedRequest,
    session: Option<Arc<Session>>,
    number: &RequestId,
    around: &Surroundings,
) -> Answer {
    if let Err(limited) = around.charge(&parsed, session.as_deref()) {
        return limited;
    }
    let limits = around.documents.limits();
    let is_mutation = parsed.kind() == OperationType::Mutation;
    let request = parsed.into_request().data(number.clone()).data(around.address);
    let running = around.schema.execute(asked_by(request, session));
    let response = if is_mutation {
        running.await
    } else {
        let Ok(response) = timeout(limits.timeout, running).await else {
            return failure(
                Code::Overloaded,
                "The query took too long: try again, or ask for less.",
            );
        };
        response
    };
    answer(response, number, limits.answer_bytes)
}

/// A subscription that the schema answers by itself. Where an update takes too long to read, it
/// ends, and the client begins it again: what is read for it cannot be left otherwise.
fn own(parsed: ParsedRequest, session: Option<Arc<Session>>, around: &Surroundings) -> Answers {
    let (number, limits) = (RequestId::new(), *around.documents.limits());
    let underway = Arc::new(Underway::default());
    let request = parsed.into_request().data(number.clone()).data(around.address);
    let request = request.data(Arc::clone(&underway));
    let responses = around.schema.execute_stream(asked_by(request, session));
    let running = Some((responses, underway, number, limits));
    Box::pin(stream::unfold(running, async |running| {
        let (mut responses, underway, number, limits) = running?;
        let response = tokio::select! {
            biased;
            response = responses.next() => response?,
            () = underway.outlasts(limits.timeout) => {
                let why = "The update took too long to read.";
                return Some((Arc::new(refusal(Code::Overloaded, why)), None));
            }
        };
        metrics::counter!("neighborbid_deliveries_total").increment(1);
        let answer = Arc::new(answer(response, &number, limits.answer_bytes));
        Some((answer, Some((responses, underway, number, limits))))
    }))
}

/// Where a shared subscription stands.
enum Sharing {
    /// Nothing is read yet. In a box: what is done with once should not weigh on those who watch.
    Wished(Box<(Wish, ParsedRequest, Option<Arc<Session>>, Surroundings)>),
    Watching(Feed, Arc<Group>, Schema, Option<Arc<Session>>, Counter),
    /// It is not a valid request, or cannot be watched: the schema says why.
    Refused(Answers),
}

/// A subscription that shares its answers with those who asked the same. What cannot be watched
/// is left to the schema to refuse.
fn shared(
    wish: Wish,
    parsed: ParsedRequest,
    session: Option<Arc<Session>>,
    around: Surroundings,
) -> Answers {
    let wished = Sharing::Wished(Box::new((wish, parsed, session, around)));
    Box::pin(stream::unfold(wished, async |mut sharing| {
        if let Sharing::Wished(wished) = sharing {
            let (wish, parsed, session, around) = *wished;
            sharing = begin(wish, parsed, session, around).await;
        }
        let answer = match &mut sharing {
            Sharing::Watching(feed, group, schema, session, deliveries) => {
                let update = feed.next().await?;
                deliveries.increment(1);
                group.answer(schema, &update, session.as_ref()).await
            }
            Sharing::Refused(answers) => answers.next().await?,
            Sharing::Wished(..) => return None,
        };
        Some((answer, sharing))
    }))
}

async fn begin(
    wish: Wish,
    parsed: ParsedRequest,
    session: Option<Arc<Session>>,
    around: Surroundings,
) -> Sharing {
    let Wish { auction, after, group } = wish;
    // Before anything is waited for: the next event may be hours away.
    if let Some(refusal) = group.refusal(&around.schema).await {
        return Sharing::Refused(Box::pin(stream::once(async move { refusal })));
    }
    let account = session.as_ref().map(|session| session.user.id);
    let watcher = Watcher::new(Some(around.address.0), account);
    match around.engine.watch_as(&watcher, auction, after).await {
        Ok(Some(feed)) => {
            let deliveries = metrics::counter!("neighborbid_deliveries_total");
            Sharing::Watching(feed, group, around.schema, session, deliveries)
        }
        _ => Sharing::Refused(own(parsed, session, &around)),
    }
}
