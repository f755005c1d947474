//! The schema behind `async_graphql::Executor`: what runs through it passes the same gate, prices,
//! rates and bounds as over our own endpoints, so that stock services may serve it.
//!
//! It knows nothing of HTTP: the body's size, its content type, the method and the origin are
//! refused before it, by [`super::guard()`] and by whoever mounts the service.

use std::{net::IpAddr, sync::Arc};

use async_graphql::{
    BatchRequest, BatchResponse, Data, ErrorExtensionValues, PathSegment, Pos, Request, Response,
    ServerError, Value,
};
use axum::http::{HeaderValue, header};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    body::{Params, ParsedRequest},
    documents::OperationType,
    execution::{self, Answers, Surroundings},
    response::{Answer, refusal},
    router::App,
    sign_in,
    sockets::{Place, Places},
};
use crate::{
    engine::{Session, SessionWatch},
    graphql::{ClientAddress, Code, RequestId},
};

/// Runs the operations of one client: of a request, or of a socket.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // The schema has none.
pub struct Executor {
    around: Surroundings,
    stop: CancellationToken,
    sockets: Arc<Places>,
    /// How many operations may run at once.
    operations: Arc<Semaphore>,
    authorization: Option<Arc<str>>,
    is_read_only: bool,
}

/// A socket's place among those that its address may hold. Dropping it gives it back.
#[derive(Debug)]
pub struct SocketPlace {
    _place: Place,
}

/// The `authorization` that a socket's client signed in with.
struct Authorization(Option<Arc<str>>);

impl Executor {
    /// For a client at an address, by which it is limited.
    pub(super) fn new(app: &App, address: IpAddr) -> Self {
        Self {
            around: Surroundings::of(app, ClientAddress(address)),
            stop: app.stop.clone(),
            sockets: Arc::clone(&app.sockets),
            operations: Arc::new(Semaphore::new(app.http.socket.operations)),
            authorization: None,
            is_read_only: false,
        }
    }

    /// As whoever an `Authorization` header says: `Bearer TOKEN`. One that cannot be read is no
    /// valid token's.
    #[must_use]
    pub fn authorized_by(self, header: Option<&HeaderValue>) -> Self {
        let authorization = header.map(|value| value.to_str().unwrap_or_default().into());
        Self { authorization, ..self }
    }

    /// Refuses mutations: for GET.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    /// A place for a socket, or none where the address holds as many as it may.
    #[must_use]
    pub fn enter_socket(&self) -> Option<SocketPlace> {
        self.sockets.enter(self.around.address).map(|_place| SocketPlace { _place })
    }

    /// Signs in by the payload of `connection_init`: `{"authorization": "Bearer TOKEN"}`. The
    /// token is looked up again for each operation.
    ///
    /// # Errors
    /// When it is not a living token, or that cannot be told.
    pub async fn sign_in(self, payload: serde_json::Value) -> async_graphql::Result<Data> {
        let authorization = match payload.get("authorization") {
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::String(text)) => Some(Arc::<str>::from(text.as_str())),
            Some(_) => return Err("Forbidden".into()),
        };
        let number = RequestId::new();
        let session = sign_in::session(&self.around.engine, authorization.as_deref(), &number);
        session.await.map_err(|answer| match answer.code {
            Code::Unauthenticated => "Forbidden",
            _ => "Try again later",
        })?;
        let mut data = Data::default();
        data.insert(Authorization(authorization));
        Ok(data)
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Answer> {
        let permit = Arc::clone(&self.operations).try_acquire_owned();
        permit.map_err(|_| refusal(Code::RateLimited, "Too many operations run at once."))
    }

    /// The document is checked, and may be run.
    async fn check(&self, request: Request) -> Result<ParsedRequest, Answer> {
        let wrong = |why| Err(refusal(Code::BadUserInput, why));
        if !request.uploads.is_empty() {
            return wrong("Files are not taken.");
        }
        let Request { query, operation_name, variables, .. } = request;
        let parsed = Params { query, operation_name, variables }.into_request(&self.around).await?;
        match parsed.kind() {
            OperationType::Mutation if self.is_read_only => wrong("Mutations go over POST."),
            _ => Ok(parsed),
        }
    }

    async fn single(&self, request: Request) -> Result<Answer, Answer> {
        let _permit = self.admit()?;
        let number = RequestId::new();
        let authorization = self.authorization.as_deref();
        let session = sign_in::session(&self.around.engine, authorization, &number).await?;
        let parsed = self.check(request).await?;
        if parsed.kind() == OperationType::Subscription {
            return Err(refusal(Code::BadUserInput, "Subscriptions go over the WebSocket."));
        }
        Ok(execution::single(parsed, session, &number, &self.around).await)
    }

    async fn begin(
        &self,
        request: Request,
        authorization: Option<Arc<str>>,
    ) -> Result<Running, Answer> {
        let permit = self.admit()?;
        let number = RequestId::new();
        let authorization = authorization.as_deref();
        let signed_in = sign_in::watch(&self.around.engine, authorization, &number).await?;
        let (session, watch): (Option<Arc<Session>>, _) = signed_in.unzip();
        let parsed = self.check(request).await?;
        let kind = parsed.kind();
        Ok(Running {
            answers: Some(execution::run(parsed, session, &self.around)),
            // A mutation is answered whatever becomes of the session: it may be what ends it.
            session: watch.filter(|_| kind != OperationType::Mutation),
            stop: (kind == OperationType::Subscription).then(|| self.stop.clone()),
            _permit: permit,
        })
    }
}

impl async_graphql::Executor for Executor {
    async fn execute(&self, request: Request) -> Response {
        response(&self.single(request).await.unwrap_or_else(|refused| refused))
    }

    async fn execute_batch(&self, batch: BatchRequest) -> BatchResponse {
        BatchResponse::Single(match batch {
            BatchRequest::Single(request) => self.execute(request).await,
            BatchRequest::Batch(_) => {
                response(&refusal(Code::BadUserInput, "One request at a time: batches are off."))
            }
        })
    }

    fn execute_stream(
        &self,
        request: Request,
        session_data: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        let executor = self.clone();
        let key = std::any::TypeId::of::<Authorization>();
        let signed = session_data.as_ref().and_then(|data| data.get(&key)?.downcast_ref());
        let authorization = match signed {
            Some(Authorization(authorization)) => authorization.clone(),
            None => self.authorization.clone(),
        };
        let begun = async move {
            match executor.begin(request, authorization).await {
                Ok(running) => stream::unfold(running, Running::next).boxed(),
                Err(refused) => stream::iter([response(&refused)]).boxed(),
            }
        };
        stream::once(begun).flatten().boxed()
    }
}

/// An operation that runs.
struct Running {
    /// None once it is over.
    answers: Option<Answers>,
    /// Ends it with the session; None where it is not to, or nobody is signed in.
    session: Option<SessionWatch>,
    /// Ends a subscription when the server closes.
    stop: Option<CancellationToken>,
    _permit: OwnedSemaphorePermit,
}

impl Running {
    async fn next(mut self) -> Option<(Response, Self)> {
        let answers = self.answers.as_mut()?;
        let stop = self.stop.as_ref();
        let stopped = async {
            match stop {
                Some(stop) => stop.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let next = tokio::select! {
            biased;
            () = sign_in::ended(self.session.as_ref()) => None,
            () = stopped => return None,
            answer = answers.next() => Some(answer?),
        };
        // Told before it was made, perhaps.
        let is_over = self.session.as_ref().is_some_and(SessionWatch::is_over);
        match next.filter(|_| !is_over) {
            Some(answer) => Some((response(&answer), self)),
            None => {
                self.answers = None;
                Some((response(&sign_in::dead()), self))
            }
        }
    }
}

/// An answer's body, read back.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    message: String,
    #[serde(default)]
    locations: Vec<Pos>,
    #[serde(default)]
    path: Vec<PathSegment>,
    extensions: Option<ErrorExtensionValues>,
}

/// An answer as the stock services want it. It was written within its bound and is read back,
/// because those who watch share its bytes.
fn response(answer: &Answer) -> Response {
    let body = serde_json::from_slice::<Body>(&answer.body);
    let Ok(Body { data, errors }) = body.inspect_err(|error| {
        tracing::error!(%error, "an answer cannot be read back");
    }) else {
        let error = ServerError::new("Something went wrong on our side.", None);
        return Response::from_errors(vec![error]);
    };
    let mut response = Response::new(data);
    response.http_headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = answer.retry_after {
        response.http_headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response.errors = errors.into_iter().map(Told::error).collect();
    response
}

impl Told {
    fn error(self) -> ServerError {
        let Self { message, locations, path, extensions } = self;
        ServerError { message, source: None, locations, path, extensions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back_as_it_was_written() {
        for body in [
            r#"{"data":{"b":[1,null,"1000000000000000"],"a":{"c":true}}}"#,
            concat!(
                r#"{"data":null,"errors":[{"message":"한","locations":[{"line":1,"column":2}],"#,
                r#""path":["a",0],"extensions":{"code":"INTERNAL","requestId":"1"}}]}"#
            ),
        ] {
            let answer = Answer {
                body: body.into(),
                errors: None,
                code: Code::Internal,
                retry_after: Some(7),
            };
            let response = response(&answer);
            assert_eq!(serde_json::to_string(&response).unwrap(), body);
            assert_eq!(response.http_headers["retry-after"], "7");
        }
    }
}
