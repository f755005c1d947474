//! The doors: as many connections as the system has file descriptors for. Beyond that, newcomers
//! are told so, and those inside live on.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutWriter;

/// File descriptors that are not for clients: the database's, the bus's, files.
const RESERVED: u64 = 256;

/// How many newcomers are turned away with words at once; more are just let go.
const TURNED_AWAY: usize = 64;

/// What a newcomer is told when the house is full.
const FULL: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\n",
    "content-type: application/json; charset=utf-8\r\n",
    "retry-after: 5\r\nconnection: close\r\ncontent-length: 102\r\n\r\n",
    r#"{"errors":[{"message":"The house is full: come back in a while.","#,
    r#""extensions":{"code":"OVERLOADED"}}]}"#,
);

/// Accepts connections, up to a bound.
#[derive(Debug)]
pub struct Doors {
    listener: TcpListener,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    write_timeout: Duration,
}

/// A connection, and its place in the house.
#[derive(Debug)]
pub struct Guest {
    stream: Pin<Box<TimeoutWriter<TcpStream>>>,
    _place: OwnedSemaphorePermit,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Doors>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doors>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Doors {
    /// Doors for `most` connections; without a number, for as many as the system allows. A peer
    /// that takes nothing for `write_timeout` is let go.
    #[must_use]
    pub fn new(listener: TcpListener, most: Option<usize>, write_timeout: Duration) -> Self {
        let most = most.unwrap_or_else(allowed).clamp(1, Semaphore::MAX_PERMITS);
        let (places, turned_away) = (Semaphore::new(most), Semaphore::new(TURNED_AWAY));
        let (places, turned_away) = (Arc::new(places), Arc::new(turned_away));
        Self { listener, places, turned_away, write_timeout }
    }

    fn turn_away(&self, mut stream: TcpStream) {
        metrics::counter!("neighborbid_connections_refused_total").increment(1);
        let Ok(turn) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        tokio::spawn(async move {
            // What was asked is read first: else the system takes the answer back with a reset.
            let told = async {
                let mut asked = [0; 4_096];
                let _ = stream.read(&mut asked).await?;
                stream.write_all(FULL.as_bytes()).await?;
                stream.shutdown().await?;
                stream.read(&mut asked).await
            };
            let _ = timeout(Duration::from_secs(2), told).await;
            drop(turn);
        });
    }
}

/// How many connections the system's limit of file descriptors leaves room for.
fn allowed() -> usize {
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024);
    let clients = descriptors.saturating_sub(RESERVED).max(descriptors / 2);
    usize::try_from(clients).unwrap_or(usize::MAX)
}

impl Listener for Doors {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_the_peers(&error) => continue,
                Err(error) => {
                    // Out of file descriptors, most likely: somebody will leave.
                    tracing::error!(%error, "accepting a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY");
            }
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => {
                    let mut stream = TimeoutWriter::new(stream);
                    stream.set_timeout(Some(self.write_timeout));
                    return (Guest { stream: Box::pin(stream), _place: place }, address);
                }
                Err(_) => self.turn_away(stream),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (head, body) = FULL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
}
