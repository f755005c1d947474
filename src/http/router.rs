//! The router, and GraphQL over HTTP by the GraphQL-over-HTTP specification: JSON over POST, and
//! queries (never mutations) over GET.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use async_graphql::parser::types::OperationType;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, FromRequestParts, Query, Request, State},
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts,
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use super::{
    body::{Params, ParsedRequest},
    document::DocumentLimits,
    graphiql, health,
    origin::Origins,
    response::{Answer, answer, refusal},
    shared::Shared,
    sign_in,
    socket::SocketSettings,
    sockets::Sockets,
    upgrade,
};
use crate::{
    engine::Engine,
    graphql::{ClientAddress, Code, RequestId, Schema},
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
    /// Cancelled when the house closes.
    pub stop: CancellationToken,
    /// The sockets' tasks, to be waited for.
    pub tasks: TaskTracker,
    /// How many sockets each address holds.
    pub(super) sockets: Arc<Sockets>,
    /// What watchers share.
    pub(super) shared: Arc<Shared>,
}

impl App {
    /// With nobody connected yet.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        schema: Schema,
        http: HttpSettings,
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Self {
        let sockets = Sockets::new(http.sockets_per_address);
        let (http, tasks) = (Arc::new(http), TaskTracker::new());
        Self { engine, schema, http, metrics, stop, tasks, sockets, shared: Arc::default() }
    }
}

/// The whole of HTTP.
pub fn router(app: App) -> Router {
    let graphql = routing::post(post).get(upgrade::get).fallback(other);
    Router::new()
        .route("/graphql", graphql)
        .layer(app.http.origins.cors())
        .layer(middleware::from_fn(numbered))
        .merge(graphiql::routes().layer(CompressionLayer::new()))
        .route("/healthz", routing::get(health::healthz))
        .route("/readyz", routing::get(health::readyz))
        .route("/metrics", routing::get(health::metrics))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let forwarded = || {
            let list = parts.headers.get_all("x-forwarded-for").iter().next_back()?;
            list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let address = app.http.trust_proxy.then(forwarded).flatten().or(peer);
        Ok(Self(address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into())))
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaType {
    Json,
    GraphqlResponse,
}

impl MediaType {
    /// The best of what `Accept` allows; `None` when it allows neither.
    fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
        if accepted.peek().is_none() {
            return Some(Self::Json);
        }
        let list = accepted.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
        let (mut json, mut graphql) = (0, 0);
        for range in list.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, weight);
            match name.as_str() {
                "application/graphql-response+json" => graphql = graphql.max(weight),
                "application/json" | "application/*" | "*/*" | "" => json = json.max(weight),
                _ => {}
            }
        }
        match (graphql, json) {
            (0, 0) => None,
            (graphql, json) if graphql >= json => Some(Self::GraphqlResponse),
            _ => Some(Self::Json),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// A quality value, in thousandths: `0.8` is 800.
fn weight(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let thousandths = digits.parse().unwrap_or(0);
    whole.parse::<u32>().map_or(0, |whole| (whole.min(1) * 1_000 + thousandths).min(1_000))
}

/// Whether a body is said to be JSON in UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = text.unwrap_or_default().split(';').map(|part| part.trim().to_lowercase());
    let is_json = parts.next().as_deref() == Some("application/json");
    let is_utf8 = parts
        .filter_map(|part| part.strip_prefix("charset=").map(|c| c.trim_matches('"').to_owned()))
        .all(|charset| charset == "utf-8");
    is_json && is_utf8
}

async fn post(State(app): State<App>, address: ClientAddress, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(media) = MediaType::negotiate(&parts.headers) else {
        return not_acceptable();
    };
    if !is_json(&parts.headers) {
        let answer = refusal(Code::BadUserInput, "The body must be application/json in UTF-8.");
        return send(StatusCode::UNSUPPORTED_MEDIA_TYPE, media, answer);
    }
    let bytes = match axum::body::to_bytes(body, app.http.body_bytes).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let answer = refusal(Code::BadUserInput, "The body is too large.");
            return send(StatusCode::PAYLOAD_TOO_LARGE, media, answer);
        }
    };
    let params = match serde_json::from_slice(&bytes) {
        Ok(json) => Params::from_json(json),
        Err(_) => Err("The body is not JSON.".to_owned()),
    };
    let asked = Asked::of(&parts.headers, &parts.extensions, Method::POST);
    respond(&app, address, asked, media, params).await
}

/// A query in the URL.
pub async fn get(app: App, address: ClientAddress, request: Request<Body>) -> Response {
    let Some(media) = MediaType::negotiate(request.headers()) else {
        return not_acceptable();
    };
    if request.uri().query().map_or(0, str::len) > app.http.body_bytes {
        let answer = refusal(Code::BadUserInput, "The query is too large.");
        return send(StatusCode::URI_TOO_LONG, media, answer);
    }
    let params = match Query::<Vec<(String, String)>>::try_from_uri(request.uri()) {
        Ok(Query(pairs)) => Params::from_url(pairs),
        Err(_) => Err("The URL's query is malformed.".to_owned()),
    };
    let asked = Asked::of(request.headers(), request.extensions(), Method::GET);
    respond(&app, address, asked, media, params).await
}

/// What a request is, besides its parameters.
struct Asked<'a> {
    headers: &'a HeaderMap,
    number: &'a RequestId,
    method: Method,
}

impl<'a> Asked<'a> {
    fn of(headers: &'a HeaderMap, extensions: &'a Extensions, method: Method) -> Self {
        static NONE: RequestId = RequestId(String::new());
        Self { headers, number: extensions.get().unwrap_or(&NONE), method }
    }
}

async fn respond(
    app: &App,
    address: ClientAddress,
    asked: Asked<'_>,
    media: MediaType,
    params: Result<Params, String>,
) -> Response {
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
    let session = match sign_in::session(&app.engine, authorization, number).await {
        Ok(session) => session,
        Err(answer) => {
            let status = match answer.code {
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            return send(status, media, answer);
        }
    };
    let ParsedRequest { request, kind } = match params.into_request(app.http.document) {
        Ok(parsed) => parsed,
        Err(why) => return send_answer(media, refusal(Code::BadUserInput, &why)),
    };
    if kind == OperationType::Subscription {
        let why = "Subscriptions go over the WebSocket at this address.";
        return send_answer(media, refusal(Code::BadUserInput, why));
    }
    if kind == OperationType::Mutation && method == Method::GET {
        let answer = refusal(Code::BadUserInput, "Mutations go over POST.");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return ([(header::ALLOW, "POST")], send(status, media, answer)).into_response();
    }
    let mut request = request.data(number.clone()).data(address);
    if let Some(session) = session {
        request = request.data(session);
    }
    let response = app.schema.execute(request).await;
    send_answer(media, answer(response, number))
}

/// Gives every request a number, which its answer and the log carry.
async fn numbered(mut request: Request, next: Next) -> Response {
    let number = RequestId(uuid::Uuid::now_v7().simple().to_string());
    request.extensions_mut().insert(number.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&number.0) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
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

/// By the specification, a refused request is 400 in the new media type and 200 in the old one.
fn send_answer(media: MediaType, answer: Answer) -> Response {
    let refused = answer.errors.is_some() && media == MediaType::GraphqlResponse;
    send(if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK }, media, answer)
}

fn send(status: StatusCode, media: MediaType, answer: Answer) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, answer.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_the_best_that_is_accepted() {
        use MediaType::{GraphqlResponse as Graphql, Json};
        for (accept, media) in [
            (None, Some(Json)),
            (Some(""), Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("application/graphql-response+json"), Some(Graphql)),
            (Some("application/graphql-response+json, application/json"), Some(Graphql)),
            (Some("application/json, application/graphql-response+json;q=0.9"), Some(Json)),
            (Some("application/graphql-response+json,application/json;q=0.9"), Some(Graphql)),
            (Some("Application/GraphQL-Response+JSON; q=1"), Some(Graphql)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(MediaType::negotiate(&headers), media, "{accept:?}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_a_body() {
        for (kind, fits) in [
            ("application/json", true),
            ("application/json; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("text/plain", false),
            ("application/json; charset=iso-8859-1", false),
            ("", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_json(&headers), fits, "{kind}");
        }
    }
}
