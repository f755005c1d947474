//! A connection's bytes: it notices when a request begins to arrive, and lets a peer go that takes
//! next to nothing of what it is sent.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::connections::{Connection, Phase};

/// How much a peer that is behind must take within the time for writing, in bytes: somebody who
/// takes a byte now and then holds an answer for ever.
const LEAST: usize = 16 * 1_024;

/// The stream of a connection; the connection's place is given back with it.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    connection: Arc<Connection>,
    behind: Option<Behind>,
}

/// The peer has yet to take what was sent.
#[derive(Debug)]
struct Behind {
    taken: usize,
    until: Pin<Box<Sleep>>,
}

impl Stream {
    /// Of a connection that was let in.
    pub fn new(tcp: TcpStream, connection: Arc<Connection>) -> Self {
        Self { tcp, connection, behind: None }
    }

    fn caught_up(&mut self) {
        if self.behind.take().is_some() {
            self.connection.is_behind.store(false, Relaxed);
        }
    }

    /// Notes what became of a write.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match (&written, &mut self.behind) {
            (Poll::Ready(Ok(bytes)), Some(behind)) => {
                behind.taken += bytes;
                if behind.taken >= LEAST {
                    self.caught_up();
                }
            }
            (Poll::Ready(_), _) => {}
            (Poll::Pending, behind) => {
                let behind = behind.get_or_insert_with(|| {
                    self.connection.is_behind.store(true, Relaxed);
                    let until = Instant::now() + self.connection.write_timeout();
                    Behind { taken: 0, until: Box::pin(sleep_until(until)) }
                });
                ready!(behind.until.as_mut().poll(cx));
                metrics::counter!("neighborbid_connections_timed_out_total", "wait" => "write")
                    .increment(1);
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        written
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.leave();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if self.connection.is(Phase::Idle) && buf.filled().len() > before {
            self.connection.begin_head();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever writes flushes when the system has taken all of it.
        self.caught_up();
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
