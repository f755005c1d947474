//! GraphiQL, from vendored files: it works offline and under a strict Content-Security-Policy.

use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

/// No script but ours, nothing from elsewhere, no framing. GraphiQL's menus set inline styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../assets/graphiql/", $name)).as_slice()
    };
}

/// The page and its files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files: [(&str, &str, &'static [u8]); 8] = [
        ("/graphiql", HTML, file!("index.html")),
        ("/graphiql/page.css", STYLE, file!("page.css")),
        ("/graphiql/start.js", SCRIPT, file!("start.js")),
        ("/graphiql/tabs.js", SCRIPT, file!("tabs.js")),
        ("/graphiql/graphiql.min.css", STYLE, file!("graphiql.min.css")),
        ("/graphiql/graphiql.min.js", SCRIPT, file!("graphiql.min.js")),
        ("/graphiql/react.production.min.js", SCRIPT, file!("react.production.min.js")),
        ("/graphiql/react-dom.production.min.js", SCRIPT, file!("react-dom.production.min.js")),
    ];
    files.into_iter().fold(Router::new(), |router, (path, kind, bytes)| {
        router.route(path, get(move || async move { serve(kind, bytes) }))
    })
}

fn serve(kind: &'static str, bytes: &'static [u8]) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, bytes)
}
