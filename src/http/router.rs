//! The router, and GraphQL over HTTP by the GraphQL-over-HTTP specification: JSON over POST, and
//! queries (never mutations) over GET.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State},
    http::{Extensions, HeaderMap, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use super::{
    body::Params,
    client_address,
    documents::{DocumentLimits, Documents, OperationType},
    execution::{self, Surroundings},
    executor::Executor,
    graphiql, health,
    media::{Accepted, MediaType, is_json},
    origin::Origins,
    request_id,
    response::{Answer, refusal},
    shared::Shared,
    sign_in,
    socket::SocketSettings,
    sockets::Places,
    sse, upgrade,
};
use crate::{
    engine::Engine,
    graphql::{ClientAddress, Code, RequestId, Schema, sdl},
};

/// HTTP's bounds.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// What a document may look like.
    pub document: DocumentLimits,
    /// A socket's bounds.
    pub socket: SocketSettings,
    /// How many sockets an address may hold.
    pub sockets_per_address: usize,
    /// Origins allowed besides our own.
    pub origins: Origins,
    /// Behind a proxy of one's own, the last `X-Forwarded-For` is the client's address.
    pub trust_proxy: bool,
    /// How many requests a client behind a trusted proxy may have under way. Elsewhere its
    /// connections are counted, by the listener.
    pub requests_per_address: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// Whether there is a playground.
    pub has_graphiql: bool,
}

/// What handlers share.
#[derive(Clone)]
#[allow(missing_debug_implementations)] // The schema has none.
pub struct App {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The schema.
    pub schema: Schema,
    /// The bounds.
    pub http: Arc<HttpSettings>,
    /// The numbers.
    pub metrics: PrometheusHandle,
    /// Cancelled when the server shuts down.
    pub stop: CancellationToken,
    /// The sockets' tasks, to be waited for.
    pub tasks: TaskTracker,
    /// How many sockets and event streams each address holds.
    pub(super) sockets: Arc<Places>,
    /// Behind a trusted proxy, how many requests each address has under way.
    pub(super) requests: Arc<Places>,
    /// Documents that were read lately.
    pub(super) documents: Arc<Documents>,
    /// What watchers share.
    pub(super) shared: Arc<Shared>,
}

impl App {
    /// With nobody connected yet.
    ///
    /// # Errors
    /// When documents cannot be checked against the schema.
    pub fn new(
        engine: Arc<Engine>,
        schema: Schema,
        http: HttpSettings,
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        let sockets = Places::new(http.sockets_per_address, Some("neighborbid_sockets"));
        let requests = Places::new(http.requests_per_address, None);
        let documents = Documents::new(&sdl(), http.document)?;
        let shared = Shared::new(&http.document);
        let (http, tasks) = (Arc::new(http), TaskTracker::new());
        Ok(Self {
            engine,
            schema,
            http,
            metrics,
            stop,
            tasks,
            sockets,
            requests,
            documents,
            shared,
        })
    }

    /// What runs the operations of a client at `address` for a stock GraphQL service.
    #[must_use]
    pub fn executor(&self, address: IpAddr) -> Executor {
        Executor::new(self, address)
    }
}

/// What the public address answers.
pub fn router(app: App) -> Router {
    let graphql = routing::post(post).get(upgrade::get).fallback(other);
    let mut router = Router::new()
        .route("/graphql", graphql)
        .layer(middleware::from_fn_with_state(app.clone(), client_address::counted))
        .layer(app.http.origins.cors());
    router = request_id::identified(router, &app);
    if app.http.has_graphiql {
        router = router.merge(graphiql::routes().layer(CompressionLayer::new()));
    }
    router
        .route("/healthz", routing::get(health::healthz))
        .route("/readyz", routing::get(health::readyz))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

/// What the admin address answers: what is for operators alone.
pub fn admin_router(app: App) -> Router {
    Router::new()
        .route("/healthz", routing::get(health::healthz))
        .route("/readyz", routing::get(health::readyz_in_full))
        .route("/metrics", routing::get(health::metrics))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let accepted = Accepted::of(&parts.headers);
    let media = accepted.single.unwrap_or(MediaType::Json);
    if !is_json(&parts.headers) {
        let answer = refusal(Code::BadUserInput, "The body must be application/json in UTF-8.");
        return send(StatusCode::UNSUPPORTED_MEDIA_TYPE, media, answer);
    }
    let all = axum::body::to_bytes(body, app.http.body_bytes);
    let bytes = match timeout(app.http.body_timeout, all).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let answer = refusal(Code::BadUserInput, "The body is too large.");
            return send(StatusCode::PAYLOAD_TOO_LARGE, media, answer);
        }
        Err(_) => {
            let answer = refusal(Code::BadUserInput, "The body took too long to come.");
            let close = [(header::CONNECTION, "close")];
            return (close, send(StatusCode::REQUEST_TIMEOUT, media, answer)).into_response();
        }
    };
    let params = Params::from_body(&bytes);
    let asked = Asked::of(&parts.headers, &parts.extensions, Method::POST);
    respond(&app, address, asked, accepted, params).await
}

/// A query in the URL.
pub async fn get(app: App, address: ClientAddress, request: Request<Body>) -> Response {
    let accepted = Accepted::of(request.headers());
    let media = accepted.single.unwrap_or(MediaType::Json);
    if request.uri().query().map_or(0, str::len) > app.http.body_bytes {
        let answer = refusal(Code::BadUserInput, "The query is too large.");
        return send(StatusCode::URI_TOO_LONG, media, answer);
    }
    let params = match Query::<Vec<(String, String)>>::try_from_uri(request.uri()) {
        Ok(Query(pairs)) => Params::from_url(pairs),
        Err(_) => Err("The URL's query is malformed.".to_owned()),
    };
    let asked = Asked::of(request.headers(), request.extensions(), Method::GET);
    respond(&app, address, asked, accepted, params).await
}

/// What a request is, besides its parameters.
struct Asked<'a> {
    headers: &'a HeaderMap,
    number: RequestId,
    method: Method,
}

impl<'a> Asked<'a> {
    fn of(headers: &'a HeaderMap, extensions: &'a Extensions, method: Method) -> Self {
        Self { headers, number: request_id::of(extensions), method }
    }
}

async fn respond(
    app: &App,
    address: ClientAddress,
    asked: Asked<'_>,
    accepted: Accepted,
    params: Result<Params, String>,
) -> Response {
    let media = match accepted {
        Accepted { single: Some(media), .. } => media,
        Accepted { single: None, events: true } => MediaType::Json,
        Accepted { single: None, events: false } => return not_acceptable(),
    };
    let params = match params {
        Ok(params) => params,
        Err(why) => {
            let answer = refusal(Code::BadUserInput, &why);
            return send(StatusCode::BAD_REQUEST, media, answer);
        }
    };
    let Asked { headers, number, method } = asked;
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
    let session = match sign_in::session(&app.engine, authorization, &number).await {
        Ok(session) => session,
        Err(answer) => return send_unsigned(media, answer),
    };
    let around = Surroundings::of(app, address);
    let parsed = params.into_request(&around).await;
    let kind = parsed.as_ref().ok().map(|parsed| parsed.kind());
    if kind == Some(OperationType::Mutation) && method == Method::GET {
        let answer = refusal(Code::BadUserInput, "Mutations go over POST.");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return ([(header::ALLOW, "POST")], send(status, media, answer)).into_response();
    }
    let is_subscription = kind == Some(OperationType::Subscription);
    if accepted.events && (is_subscription || accepted.single.is_none()) {
        return match sign_in::watch(&app.engine, authorization, &number).await {
            Ok(session) => sse::respond(app, parsed, session, address),
            Err(answer) => send_unsigned(media, answer),
        };
    }
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(answer) => return send_answer(media, answer),
    };
    if is_subscription {
        let why = "Subscriptions go over the WebSocket at this address, or as text/event-stream.";
        return send_answer(media, refusal(Code::BadUserInput, why));
    }
    send_answer(media, execution::single(parsed, session, &number, &around).await)
}

/// Anything but GET and POST.
async fn other() -> Response {
    let answer = refusal(Code::BadUserInput, "GraphQL goes over POST, and queries over GET.");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    ([(header::ALLOW, "GET, POST")], send(status, MediaType::Json, answer)).into_response()
}

fn not_acceptable() -> Response {
    let answer = refusal(Code::BadUserInput, "Accept application/graphql-response+json.");
    send(StatusCode::NOT_ACCEPTABLE, MediaType::Json, answer)
}

/// Whose token is dead, or cannot be looked up.
fn send_unsigned(media: MediaType, answer: Answer) -> Response {
    let status = match answer.code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    send(status, media, answer)
}

/// By the specification, a refused request is 400 in the new media type and 200 in the old one.
fn send_answer(media: MediaType, answer: Answer) -> Response {
    let refused = answer.errors.is_some() && media == MediaType::GraphqlResponse;
    let status = match answer.code {
        _ if !refused => StatusCode::OK,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    send(status, media, answer)
}

pub(super) fn send(status: StatusCode, media: MediaType, answer: Answer) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (status, headers, answer.body).into_response();
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_status_of_its_code_in_the_new_media_type_alone() {
        for (code, status) in [
            (Code::BadUserInput, StatusCode::BAD_REQUEST),
            (Code::RateLimited, StatusCode::TOO_MANY_REQUESTS),
            (Code::Overloaded, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let sent = |media| send_answer(media, refusal(code, "No.")).status();
            assert_eq!(sent(MediaType::GraphqlResponse), status);
            assert_eq!(sent(MediaType::Json), StatusCode::OK);
        }
    }
}
