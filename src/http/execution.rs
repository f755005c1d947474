//! Running one operation, whichever way its answers leave: the same for a WebSocket and for
//! server-sent events.

use std::{pin::Pin, sync::Arc};

use async_graphql::{Request, parser::types::OperationType};
use futures_util::{Stream, StreamExt, stream};
use metrics::Counter;

use super::{
    body::ParsedRequest,
    documents::Documents,
    response::{Answer, answer},
    router::App,
    shared::{Group, Shared, Wish},
};
use crate::{
    engine::{Engine, Feed, Session, Watcher},
    graphql::{ClientAddress, RequestId, Schema, asked_by},
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
}

/// Begins an operation, as the one who is signed in.
pub fn run(parsed: ParsedRequest, session: Option<Arc<Session>>, around: &Surroundings) -> Answers {
    let ParsedRequest { mut request, kind } = parsed;
    if kind != OperationType::Subscription {
        return Box::pin(stream::once(single(request, session, around.clone())));
    }
    match around.shared.wish(&mut request) {
        Some(wish) => shared(wish, request, session, around.clone()),
        None => own(request, session, around),
    }
}

/// A query or a mutation.
async fn single(
    request: Request,
    session: Option<Arc<Session>>,
    around: Surroundings,
) -> Arc<Answer> {
    let (request, number) = with_asker(request, session, &around);
    Arc::new(answer(around.schema.execute(request).await, &number))
}

/// A subscription that the schema answers by itself.
fn own(request: Request, session: Option<Arc<Session>>, around: &Surroundings) -> Answers {
    let (request, number) = with_asker(request, session, around);
    let responses = around.schema.execute_stream(request);
    Box::pin(responses.map(move |response| {
        metrics::counter!("neighborbid_deliveries_total").increment(1);
        Arc::new(answer(response, &number))
    }))
}

/// Where a shared subscription stands.
enum Sharing {
    /// Nothing is read yet. In a box: what is done with once should not weigh on those who watch.
    Wished(Box<(Wish, Request, Option<Arc<Session>>, Surroundings)>),
    Watching(Feed, Arc<Group>, Schema, Option<Arc<Session>>, Counter),
    /// It is not a valid request, or cannot be watched: the schema says why.
    Refused(Answers),
}

/// A subscription that shares its answers with those who asked the same. What cannot be watched
/// is left to the schema to refuse.
fn shared(
    wish: Wish,
    request: Request,
    session: Option<Arc<Session>>,
    around: Surroundings,
) -> Answers {
    let wished = Sharing::Wished(Box::new((wish, request, session, around)));
    Box::pin(stream::unfold(wished, async |mut sharing| {
        if let Sharing::Wished(wished) = sharing {
            let (wish, request, session, around) = *wished;
            sharing = begin(wish, request, session, around).await;
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
    request: Request,
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
        _ => Sharing::Refused(own(request, session, &around)),
    }
}

fn with_asker(
    request: Request,
    session: Option<Arc<Session>>,
    around: &Surroundings,
) -> (Request, RequestId) {
    let number = RequestId::new();
    let request = request.data(number.clone()).data(around.address);
    (asked_by(request, session), number)
}
