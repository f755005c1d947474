//! Where a client is: its connection's address, or the one that a trusted proxy gives. The one
//! function that every limit by address goes by.
//!
//! A proxy's header that is not there means that no proxy is between: the connection's address
//! counts. One that cannot be read is refused: to count the proxy's own address instead would let
//! one client use up the limits of all.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use client_ip::Error;

use super::{
    listener::Peer,
    media::MediaType,
    response::{refusal, refusal_to_retry},
    router::{App, send},
    sockets::Place,
};
use crate::{
    graphql::{ClientAddress, Code},
    telemetry::security::{About, Event, record},
};

/// The header of a trusted proxy cannot be read.
#[derive(Debug)]
pub struct Unreadable;

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let why = "The proxy's X-Forwarded-For does not end with an IP address.";
        send(StatusCode::BAD_REQUEST, MediaType::Json, refusal(Code::BadUserInput, why))
    }
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Unreadable;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unreadable> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        let forwarded = match app.http.trust_proxy {
            true => forwarded(&parts.headers).inspect_err(|_| {
                let about = About { address: peer, ..About::default() };
                record(Event::ForwardedForUnreadable, &about);
            })?,
            false => None,
        };
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        Ok(Self(forwarded.or(peer).unwrap_or(nowhere)))
    }
}

/// The last address of the last `X-Forwarded-For`, which the proxy nearest to us wrote; None
/// without the header.
fn forwarded(headers: &HeaderMap) -> Result<Option<IpAddr>, Unreadable> {
    match client_ip::rightmost_x_forwarded_for(headers) {
        Ok(address) => Ok(Some(address)),
        Err(Error::AbsentHeader { .. }) => Ok(None),
        // Some proxies add the port, and then brackets around IPv6.
        Err(Error::MalformedHeaderValue { header_value, .. }) => {
            let last = header_value.rsplit(',').next().unwrap_or_default().trim();
            let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let with_port = last.parse::<SocketAddr>().ok().map(|address| address.ip());
            with_port.or_else(|| bare?.parse().ok()).map(Some).ok_or(Unreadable)
        }
        Err(_) => Err(Unreadable),
    }
}

/// When a client whose address holds too much may come again.
const AGAIN_SECONDS: u64 = 5;

/// What a client is answered whose address holds as much as it may.
pub fn too_many(why: &str) -> Response {
    let answer = refusal_to_retry(Code::RateLimited, why, Some(AGAIN_SECONDS));
    send(StatusCode::TOO_MANY_REQUESTS, MediaType::Json, answer)
}

/// Behind a trusted proxy, bounds the requests that an address has under way. Elsewhere the
/// listener has counted the connection.
pub async fn counted(
    State(app): State<App>,
    address: Result<ClientAddress, Unreadable>,
    request: Request,
    next: Next,
) -> Response {
    if !app.http.trust_proxy {
        return next.run(request).await;
    }
    let address = match address {
        Ok(address) => address,
        Err(unreadable) => return unreadable.into_response(),
    };
    let Some(place) = app.requests.enter(address) else {
        record(Event::ConnectionsOfAddress, &About::of(address.network().address()));
        return too_many("Too many requests from this address at once.");
    };
    next.run(request).await.map(|body| Body::new(Counted { body, _place: place }))
}

/// An answer's body that holds its request's place until it is sent.
struct Counted {
    body: Body,
    _place: Place,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_address_is_read_with_or_without_port_and_brackets() {
        for (lines, address) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["10.9.9.9, 203.0.113.9"], "203.0.113.9"),
            (&["evil, 203.0.113.9:80 "], "203.0.113.9"),
            (&["10.9.9.9", "203.0.113.9"], "203.0.113.9"),
        ] {
            let read = forwarded(&headers(lines)).unwrap().unwrap();
            assert_eq!(read.to_string(), address, "{lines:?}");
        }
        assert!(forwarded(&headers(&[])).unwrap().is_none());
    }

    #[test]
    fn what_is_no_address_is_nobodys() {
        for text in
            ["", "unknown", "203.0.113.9,", "203.0.113.9:", "203.0.113.9:99999", "[::1", "a:1"]
        {
            assert!(forwarded(&headers(&[text])).is_err(), "{text}");
        }
        let mut bytes = HeaderMap::new();
        bytes.insert("x-forwarded-for", HeaderValue::from_bytes(&[0xe9]).unwrap());
        assert!(forwarded(&bytes).is_err());
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let name = axum::http::HeaderName::from_static("x-forwarded-for");
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }
}
