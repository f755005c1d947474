//! A bad line between a node and NATS: what others said about auctions and people is dropped,
//! said twice, or comes late and out of order. Everything else passes as it is.
//!
//! It reads the server's side of NATS's text protocol: lines, and after `MSG <subject> <sid>
//! [reply-to] <bytes>` and `HMSG <subject> <sid> [reply-to] <bytes> <bytes in all>` a payload.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::dice::Dice;

/// How long a message that comes late may take at most, in milliseconds.
const LATE: u64 = 400;

/// What happened to how many messages.
#[derive(Debug, Default)]
pub struct Mischief {
    pub passed: AtomicUsize,
    pub dropped: AtomicUsize,
    pub doubled: AtomicUsize,
    pub delayed: AtomicUsize,
}

/// The proxy; it runs until its runtime ends.
#[derive(Debug)]
pub struct BusProxy {
    pub address: SocketAddr,
    pub mischief: Arc<Mischief>,
}

impl BusProxy {
    pub async fn to(nats: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mischief = Arc::<Mischief>::default();
        let shared = Arc::clone(&mischief);
        let dice = Arc::new(Mutex::new(Dice::new(seed)));
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let (mischief, dice) = (Arc::clone(&shared), Arc::clone(&dice));
                tokio::spawn(async move {
                    if let Ok(nats) = TcpStream::connect(nats).await {
                        connection(node, nats, mischief, dice).await;
                    }
                });
            }
        });
        Self { address, mischief }
    }

    /// What the node is given.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }
}

/// Ends when either side does.
async fn connection(
    node: TcpStream,
    nats: TcpStream,
    mischief: Arc<Mischief>,
    dice: Arc<Mutex<Dice>>,
) {
    let (mut from_node, to_node) = node.into_split();
    let (from_nats, mut to_nats) = nats.into_split();
    let (frames, written) = mpsc::unbounded_channel();
    let line = Line { from: BufReader::new(from_nats), frames, mischief, dice };
    tokio::select! {
        _ = copy(&mut from_node, &mut to_nats) => {}
        _ = line.run() => {}
        _ = write(written, to_node) => {}
    }
}

async fn write(mut frames: mpsc::UnboundedReceiver<Vec<u8>>, mut to: OwnedWriteHalf) {
    while let Some(frame) = frames.recv().await {
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

struct Line {
    from: BufReader<OwnedReadHalf>,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    mischief: Arc<Mischief>,
    dice: Arc<Mutex<Dice>>,
}

impl Line {
    async fn run(mut self) -> Option<()> {
        loop {
            let (frame, is_news) = self.frame().await?;
            if !is_news {
                self.frames.send(frame).ok()?;
                continue;
            }
            let (roll, late) = {
                let mut dice = self.dice.lock().unwrap();
                (dice.roll(10), Duration::from_millis(dice.roll(LATE)))
            };
            let Mischief { passed, dropped, doubled, delayed } = &*self.mischief;
            let happened = match roll {
                0..=1 => dropped,
                2..=3 => {
                    self.frames.send(frame.clone()).ok()?;
                    self.send_late(frame, late);
                    doubled
                }
                4..=6 => {
                    self.send_late(frame, late);
                    delayed
                }
                _ => {
                    self.frames.send(frame).ok()?;
                    passed
                }
            };
            happened.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What comes next, as a whole, and whether it is news of an auction or a person.
    async fn frame(&mut self) -> Option<(Vec<u8>, bool)> {
        let mut frame = Vec::new();
        if self.from.read_until(b'\n', &mut frame).await.ok()? == 0 {
            return None;
        }
        let line = String::from_utf8(frame.clone()).unwrap();
        let mut words = line.split_whitespace();
        if !matches!(words.next(), Some("MSG" | "HMSG")) {
            return Some((frame, false));
        }
        let mut kind = words.next().unwrap().split('.').skip(1);
        let is_news = matches!(kind.next(), Some("auction" | "person"));
        let bytes: usize = words.next_back().unwrap().parse().unwrap();
        let payload = frame.len();
        frame.resize(payload + bytes + 2, 0);
        self.from.read_exact(&mut frame[payload..]).await.ok()?;
        assert!(frame.ends_with(b"\r\n"), "the proxy lost its place in {line:?}");
        Some((frame, is_news))
    }

    fn send_late(&self, frame: Vec<u8>, late: Duration) {
        let frames = self.frames.clone();
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            // Fails when the connection is gone: then it is lost.
            let _ = frames.send(frame);
        });
    }
}
