//! The listener: accepts connections within their bounds, and serves HTTP/1 on each by hyper.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{Request, Response, StatusCode},
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::Service,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection_limits::ConnectionLimits,
    connections::{Connection, Connections, Phase, Refused},
    stream::Stream,
};

/// How many newcomers are turned away with words at once; more are just let go.
const TURNED_AWAY: usize = 64;

/// How often overdue connections are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// The number of header fields that hyper reads without allocating.
const USUAL_FIELDS: usize = 100;

/// The least that hyper's buffer can be.
const LEAST_BUFFER: usize = 64 * 1_024;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Accepts connections and serves them.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    connections: Arc<Connections>,
    turned_away: Arc<Semaphore>,
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, limits: ConnectionLimits) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
        Ok(Self { tcp, connections: Connections::new(limits), turned_away })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Its connections.
    #[must_use]
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Serves until `stop`; then accepts nothing more, and returns when every connection has
    /// ended.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let (http, tasks) = (http(&self.connections.limits), TaskTracker::new());
        let router = TowerToHyperService::new(router);
        let mut looks = interval(LOOK);
        let mut stopped = pin!(stop.cancelled());
        loop {
            let (tcp, peer) = tokio::select! {
                accepted = self.accept() => accepted,
                _ = looks.tick() => {
                    self.connections.close_overdue(Instant::now());
                    continue;
                }
                () = &mut stopped => break,
            };
            match self.connections.admit(peer) {
                Ok(connection) => {
                    let stream = Stream::new(tcp, Arc::clone(&connection));
                    tasks.spawn(serve(http.clone(), stream, connection, router.clone()));
                }
                Err(refused) => self.turn_away(tcp, refused),
            }
        }
        let Self { tcp, connections, .. } = self;
        drop(tcp);
        connections.stop();
        tasks.close();
        let mut ended = pin!(tasks.wait());
        loop {
            tokio::select! {
                () = &mut ended => return,
                _ = looks.tick() => connections.close_overdue(Instant::now()),
            }
        }
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.tcp.accept().await {
                Ok((tcp, peer)) => {
                    if let Err(error) = tcp.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
                    }
                    return (tcp, peer);
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    // Out of file descriptors, most likely: somebody will leave.
                    tracing::error!(%error, "accepting a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn turn_away(&self, mut tcp: TcpStream, refused: Refused) {
        metrics::counter!("neighborbid_connections_refused_total").increment(1);
        let Ok(turn) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        tokio::spawn(async move {
            // What was asked is read first: else the system takes the answer back with a reset.
            let told = async {
                let mut asked = [0; 4_096];
                let _ = tcp.read(&mut asked).await?;
                tcp.write_all(refusal(refused).as_bytes()).await?;
                tcp.shutdown().await?;
                tcp.read(&mut asked).await
            };
            let _ = timeout(Duration::from_secs(2), told).await;
            drop(turn);
        });
    }
}

fn http(limits: &ConnectionLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // hyper's time for a head runs while there is no request, too: ours tells the two apart.
    http.header_read_timeout(None);
    http.max_header_size(limits.head_bytes);
    http.max_buf_size(limits.head_bytes.max(LEAST_BUFFER));
    if limits.head_fields != USUAL_FIELDS {
        http.max_headers(limits.head_fields);
    }
    http
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What a newcomer without a place is told.
fn refusal(refused: Refused) -> String {
    let (status, code, message) = match refused {
        Refused::Full => {
            ("503 Service Unavailable", "OVERLOADED", "The server is full: come back in a while.")
        }
        Refused::FullForAddress => {
            ("429 Too Many Requests", "RATE_LIMITED", "Too many connections from this address.")
        }
    };
    let extensions = format!(r#"{{"code":"{code}","retryAfterSeconds":5}}"#);
    let body = format!(r#"{{"errors":[{{"message":"{message}","extensions":{extensions}}}]}}"#);
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
         retry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    )
}

/// Serves a connection to its end.
async fn serve(
    http: http1::Builder,
    stream: Stream,
    connection: Arc<Connection>,
    router: TowerToHyperService<Router>,
) {
    let requests = Requests { router, connection: Arc::clone(&connection) };
    let served = http.serve_connection(TokioIo::new(stream), requests).with_upgrades();
    let mut served = pin!(served);
    loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            in_time = connection.told_to_end() => match in_time {
                true => served.as_mut().graceful_shutdown(),
                false => return,
            },
        }
    }
}

/// A connection's requests, one after the other.
struct Requests {
    router: TowerToHyperService<Router>,
    connection: Arc<Connection>,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Sent>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<Sent>>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (router, connection) = (self.router.clone(), Arc::clone(&self.connection));
        Box::pin(async move {
            if !connection.enter(Phase::Busy) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let has_body = !request.body().is_end_stream();
            let mut request = request.map(|body| match has_body {
                true => Body::new(Received::new(body, Arc::clone(&connection))),
                false => Body::empty(),
            });
            request.extensions_mut().insert(Peer(connection.peer));
            let response = router.call(request).await;
            let response = response.unwrap_or_else(|never: Infallible| match never {});
            // A socket never waits for a request again.
            let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if is_socket {
                connection.enter(Phase::Socket);
            }
            Ok(response.map(|body| Sent { body, connection: (!is_socket).then_some(connection) }))
        })
    }
}

/// A request's body as it comes. While its next part is waited for, the connection may have to make
/// room; nothing runs before all of it is here.
struct Received {
    body: Incoming,
    connection: Arc<Connection>,
    is_late: bool,
}

impl Received {
    fn new(body: Incoming, connection: Arc<Connection>) -> Self {
        Self { body, connection, is_late: false }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.is_late {
            self.connection.enter(Phase::Busy);
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match polled {
            // The first time only: a byte now and then begins no new wait.
            Poll::Pending if !self.is_late => {
                self.is_late = true;
                self.connection.enter(Phase::Body);
            }
            Poll::Ready(None) if self.is_late => {
                self.is_late = false;
                if !self.connection.enter(Phase::Busy) {
                    let closed = io::Error::from(io::ErrorKind::ConnectionAborted);
                    return Poll::Ready(Some(Err(axum::Error::new(closed))));
                }
            }
            _ => {}
        }
        polled.map_err(axum::Error::new)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body; the connection waits for its next request when it is sent.
struct Sent {
    body: Body,
    connection: Option<Arc<Connection>>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.enter(Phase::Idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_as_long_as_it_says() {
        for refused in [Refused::Full, Refused::FullForAddress] {
            let told = refusal(refused);
            let (head, body) = told.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("content-length: {}", body.len())));
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    }
}
