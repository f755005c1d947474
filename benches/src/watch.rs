//! Watchers: WebSockets read by hand, so that thousands of them cost little. What they hear is
//! counted, and where events have a time, how long each took to arrive.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::{AbortHandle, JoinSet},
};

use crate::Result;

/// How many sockets are opened at a time.
const AT_ONCE: usize = 64;

/// What a watcher asks for: about 200 bytes a frame.
const SELECTED: &str =
    "sequence kind auction { currentPrice minimumBid bidCount leader { username } }";

/// What all watchers of a room heard.
#[derive(Debug)]
pub struct Heard {
    pub frames: AtomicU64,
    /// Of the frames' payloads.
    pub bytes: AtomicU64,
    /// Sockets that the server closed.
    pub lost: AtomicU64,
    /// Whether latencies count now.
    counting: AtomicBool,
    begun: Instant,
    /// When each event was asked for, by sequence, in microseconds since `begun`; 0 for never.
    asked: Vec<AtomicU64>,
    latency: Mutex<Histogram<u64>>,
}

impl Heard {
    pub fn new() -> Result<Arc<Self>> {
        let mut asked = Vec::new();
        asked.resize_with(100_000, AtomicU64::default);
        Ok(Arc::new(Self {
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            counting: AtomicBool::new(false),
            begun: Instant::now(),
            asked,
            latency: Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3)?),
        }))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The event of that number is asked for now.
    pub fn ask(&self, sequence: usize) {
        if let Some(asked) = self.asked.get(sequence) {
            asked.store(self.micros(), Relaxed);
        }
    }

    /// From now on latencies count.
    pub fn count(&self) {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).reset();
        self.counting.store(true, Relaxed);
    }

    /// From now on they do not; those that were counted, in microseconds.
    pub fn counted(&self) -> Histogram<u64> {
        self.counting.store(false, Relaxed);
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, payload: &[u8]) {
        self.frames.fetch_add(1, Relaxed);
        self.bytes.fetch_add(payload.len() as u64, Relaxed);
        if !self.counting.load(Relaxed) {
            return;
        }
        let asked = sequence(payload).and_then(|sequence| self.asked.get(sequence));
        let asked = asked.map_or(0, |asked| asked.load(Relaxed));
        if asked > 0 {
            let micros = self.micros().saturating_sub(asked);
            self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
        }
    }
}

fn sequence(payload: &[u8]) -> Option<usize> {
    const MARK: &[u8] = b"\"sequence\":";
    let from = payload.windows(MARK.len()).position(|part| part == MARK)? + MARK.len();
    let digits = payload[from..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// What a watcher asks for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub auction: &'a str,
    pub selected: &'a str,
    /// A smaller one than the kernel gives.
    pub receive_buffer: Option<u32>,
}

impl<'a> Asked<'a> {
    /// As nearly everybody does.
    pub fn of(auction: &'a str) -> Self {
        Self { auction, selected: SELECTED, receive_buffer: None }
    }
}

/// A watcher's socket, not yet read.
#[derive(Debug)]
pub struct Watcher {
    stream: TcpStream,
    /// A frame whose end has not come.
    partial: Vec<u8>,
}

impl Watcher {
    /// A socket that nothing is said on: the bare server speaks at once.
    pub async fn silent(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: TcpStream::connect(address).await?, partial: Vec::new() })
    }

    /// Subscribes to an auction over graphql-transport-ws.
    pub async fn subscribe(address: SocketAddr, asked: &Asked<'_>) -> Result<Self> {
        let Asked { auction, selected, receive_buffer } = asked;
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(*bytes)?;
        }
        let mut stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let upgrade = format!(
            "GET /graphql HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&head)).into());
        }
        let query = format!(
            "subscription {{ auctionUpdated(auctionId: \\\"{auction}\\\") {{ {selected} }} }}"
        );
        let subscribe = format!(
            "{{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{{\"query\":\"{query}\"}}}}"
        );
        let mut messages = frame(1, br#"{"type":"connection_init"}"#)?;
        messages.extend(frame(1, subscribe.as_bytes())?);
        stream.write_all(&messages).await?;
        Ok(Self { stream, partial: Vec::new() })
    }

    /// The port at this end.
    pub fn port(&self) -> Result<u16> {
        Ok(self.stream.local_addr()?.port())
    }

    /// Listens until the server closes.
    async fn listen(mut self, heard: Arc<Heard>) {
        if self.read_all(&heard).await.is_err() {
            heard.lost.fetch_add(1, Relaxed);
        }
    }

    async fn read_all(&mut self, heard: &Heard) -> Result<()> {
        loop {
            self.stream.readable().await?;
            if let Some(pong) = self.read_some(heard)? {
                self.stream.write_all(&pong).await?;
            }
        }
    }

    /// Reads what is there; the pong that it asks for.
    fn read_some(&mut self, heard: &Heard) -> Result<Option<Vec<u8>>> {
        let mut chunk = [0; 4096];
        let length = match self.stream.try_read(&mut chunk) {
            Ok(0) => return Err("closed".into()),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if self.partial.is_empty() {
            let (used, pong) = hear_frames(&chunk[..length], heard)?;
            self.partial.extend_from_slice(&chunk[used..length]);
            return Ok(pong);
        }
        self.partial.extend_from_slice(&chunk[..length]);
        let (used, pong) = hear_frames(&self.partial, heard)?;
        self.partial.drain(..used);
        Ok(pong)
    }
}

/// A client's frame, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len())?.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    Ok(frame)
}

/// Hears every whole frame; how many bytes they were, and the pong that they ask for.
fn hear_frames(bytes: &[u8], heard: &Heard) -> Result<(usize, Option<Vec<u8>>)> {
    let (mut used, mut pong) = (0, None);
    while let [first, second, rest @ ..] = &bytes[used..] {
        let (header, length) = match (second & 0x7f, rest) {
            (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (10, usize::try_from(length)?)
            }
            (126 | 127, _) => break,
            (short, _) => (2, usize::from(short)),
        };
        let Some(payload) = bytes.get(used + header..used + header + length) else {
            break;
        };
        match first & 0x0f {
            1 if payload.starts_with(br#"{"type":"next""#) => heard.hear(payload),
            1 if payload.starts_with(br#"{"type":"error""#) => {
                return Err(String::from_utf8_lossy(payload).into());
            }
            8 => return Err("closed".into()),
            9 => pong = Some(frame(10, payload)?),
            _ => {}
        }
        used += header + length;
    }
    Ok((used, pong))
}

/// Many watchers who listen until they are dropped.
#[derive(Debug)]
pub struct Room {
    pub heard: Arc<Heard>,
    pub watchers: usize,
    tasks: Vec<AbortHandle>,
}

impl Room {
    /// Watchers of an auction; or of nothing, where none is named: of the bare server.
    pub async fn open(address: SocketAddr, auction: Option<&str>, watchers: usize) -> Result<Self> {
        let heard = Heard::new()?;
        let mut tasks = Vec::with_capacity(watchers);
        let mut opening = JoinSet::new();
        for number in 0..watchers {
            if number >= AT_ONCE
                && let Some(opened) = opening.join_next().await
            {
                tasks.push(start(opened??, &heard));
            }
            let auction = auction.map(str::to_owned);
            opening.spawn(async move {
                match auction {
                    Some(auction) => Watcher::subscribe(address, &Asked::of(&auction)).await,
                    None => Watcher::silent(address).await,
                }
            });
        }
        while let Some(opened) = opening.join_next().await {
            tasks.push(start(opened??, &heard));
        }
        let room = Self { heard, watchers, tasks };
        if auction.is_some() {
            room.all_have_heard().await?;
        }
        Ok(room)
    }

    /// Everybody has the snapshot that a subscription begins with.
    async fn all_have_heard(&self) -> Result<()> {
        for _ in 0..600 {
            if self.heard.frames.load(Relaxed) >= self.watchers as u64 {
                return self.whole();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let frames = self.heard.frames.load(Relaxed);
        Err(format!("only {frames} of {} watchers heard anything", self.watchers).into())
    }

    /// Fails when the server closed a socket.
    pub fn whole(&self) -> Result<()> {
        match self.heard.lost.load(Relaxed) {
            0 => Ok(()),
            lost => Err(format!("the server closed {lost} watchers' sockets").into()),
        }
    }

    /// How long the frames are on average, without their headers.
    pub fn mean_payload(&self) -> usize {
        let frames = self.heard.frames.load(Relaxed).max(1);
        usize::try_from(self.heard.bytes.load(Relaxed) / frames).unwrap_or(0)
    }
}

fn start(watcher: Watcher, heard: &Arc<Heard>) -> AbortHandle {
    tokio::spawn(watcher.listen(Arc::clone(heard))).abort_handle()
}

impl Drop for Room {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
