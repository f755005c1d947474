//! A proxy between the engine and Postgres that cuts a connection at a chosen message of the
//! engine's next transaction: before the server sees it, after the server has done it, or with
//! the message still on its way.
//!
//! It reads the client's side of the protocol: each message is a letter, a length and a body
//! (only the first ones of a connection have no letter). `BEGIN` and `COMMIT` are simple queries.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// Where to cut a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At its n-th message; 0 is BEGIN.
    Message(usize),
    /// At its n-th message that the server answers; 0 is BEGIN.
    Request(usize),
    Commit,
}

/// How to cut it.
#[derive(Debug)]
pub enum How {
    /// The server never gets the message.
    Before,
    /// The server does what it says, and its answer is lost.
    After,
    /// The server gets the message once this is sent; dropped instead, never.
    Late(oneshot::Receiver<()>),
}

#[derive(Debug, Default)]
struct Plans {
    next: Option<(At, How)>,
    /// Cuts every n-th COMMIT, before and after in turn.
    every: Option<usize>,
    commits: usize,
    cuts: usize,
    /// After a cut, nobody gets through until then.
    away_for: Option<Duration>,
    away_until: Option<Instant>,
}

/// The proxy; it runs until its runtime ends.
#[derive(Debug)]
pub struct Proxy {
    /// The database, through the proxy.
    pub url: String,
    plans: Arc<Mutex<Plans>>,
}

impl Proxy {
    pub async fn to(url: &str) -> Self {
        let (scheme, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}@{}/{name}", listener.local_addr().unwrap());
        let plans = Arc::new(Mutex::new(Plans::default()));
        let shared = Arc::clone(&plans);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.lock().unwrap().away_until.is_some_and(|until| Instant::now() < until) {
                    continue;
                }
                let connection = Connection {
                    client,
                    server: TcpStream::connect(server).await.unwrap(),
                    plans: Arc::clone(&shared),
                    has_started: false,
                    transaction: None,
                };
                tokio::spawn(connection.run());
            }
        });
        Self { url, plans }
    }

    /// Cuts the next transaction, once.
    pub fn cut(&self, at: At, how: How) {
        self.plans.lock().unwrap().next = Some((at, how));
    }

    /// Cuts the next transaction, once, and with it every connection, and lets nobody through
    /// for a while.
    pub fn cut_and_stay_away(&self, at: At, how: How, away_for: Duration) {
        let mut plans = self.plans.lock().unwrap();
        (plans.next, plans.away_for) = (Some((at, how)), Some(away_for));
    }

    /// Cuts every `n`-th COMMIT, before and after in turn; `None` ends it.
    pub fn cut_every(&self, n: Option<usize>) {
        self.plans.lock().unwrap().every = n;
    }

    /// How often it has cut.
    pub fn cuts(&self) -> usize {
        self.plans.lock().unwrap().cuts
    }
}

/// A transaction that runs through a connection.
struct Transaction {
    plan: Option<(At, How)>,
    messages: usize,
    requests: usize,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    plans: Arc<Mutex<Plans>>,
    has_started: bool,
    transaction: Option<Transaction>,
}

impl Connection {
    async fn run(mut self) {
        let _ = self.client.set_nodelay(true);
        let _ = self.server.set_nodelay(true);
        let (mut asked, mut answered) = (Vec::new(), [0; 16 * 1024]);
        loop {
            tokio::select! {
                read = self.client.read_buf(&mut asked) => {
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    let away = self.plans.lock().unwrap().away_until;
                    if away.is_some_and(|until| Instant::now() < until) {
                        return;
                    }
                    while let Some(message) = self.message(&mut asked) {
                        if let Some(how) = self.how_to_cut(&message) {
                            return self.cut(message, how).await;
                        }
                        if self.server.write_all(&message).await.is_err() {
                            return;
                        }
                    }
                }
                read = self.server.read(&mut answered) => {
                    let Ok(length @ 1..) = read else { return };
                    if self.client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The client's next message, once it is there as a whole.
    fn message(&mut self, asked: &mut Vec<u8>) -> Option<Vec<u8>> {
        let letter = usize::from(self.has_started);
        let length = asked.get(letter..letter + 4)?.try_into().unwrap();
        let end = letter + usize::try_from(u32::from_be_bytes(length)).unwrap();
        let rest = asked.get(end..)?.to_vec();
        let message = std::mem::replace(asked, rest);
        let message = message[..end].to_vec();
        // Protocol 3.0; what came before it only asked for encryption.
        self.has_started |= message.get(4..8) == Some(&[0, 3, 0, 0][..]);
        Some(message)
    }

    fn how_to_cut(&mut self, message: &[u8]) -> Option<How> {
        let mut plans = self.plans.lock().unwrap();
        let query = message.starts_with(b"Q").then(|| &message[5..]);
        if query == Some(b"BEGIN\0") {
            self.transaction =
                Some(Transaction { plan: plans.next.take(), messages: 0, requests: 0 });
        }
        let is_commit = query == Some(b"COMMIT\0");
        let transaction = self.transaction.as_mut()?;
        let is_request = matches!(message[0], b'Q' | b'S');
        let is_here = match transaction.plan {
            Some((At::Message(n), _)) => n == transaction.messages,
            Some((At::Request(n), _)) => is_request && n == transaction.requests,
            Some((At::Commit, _)) => is_commit,
            None => false,
        };
        transaction.messages += 1;
        transaction.requests += usize::from(is_request);
        plans.commits += usize::from(is_commit);
        let is_turn = |n| is_commit && plans.commits.is_multiple_of(n);
        let how = if is_here {
            transaction.plan.take().map(|(_, how)| how)
        } else if plans.every.is_some_and(is_turn) {
            let before = plans.cuts.is_multiple_of(2);
            Some(if before { How::Before } else { How::After })
        } else {
            None
        };
        if is_commit || query == Some(b"ROLLBACK\0") {
            self.transaction = None;
        }
        plans.cuts += usize::from(how.is_some());
        if how.is_some()
            && let Some(away_for) = plans.away_for.take()
        {
            plans.away_until = Some(Instant::now() + away_for);
        }
        how
    }

    /// The client is cut off at once; what reaches the server depends.
    async fn cut(self, message: Vec<u8>, how: How) {
        let Self { client, server, .. } = self;
        drop(client);
        let go: Pin<Box<dyn Future<Output = bool> + Send>> = match how {
            How::Before => Box::pin(async { false }),
            How::After => Box::pin(async { true }),
            How::Late(word) => Box::pin(async { word.await.is_ok() }),
        };
        if go.await {
            finish(server, &message).await;
        }
    }
}

/// Has the server do what the message says, to its end.
async fn finish(mut server: TcpStream, message: &[u8]) {
    server.write_all(message).await.unwrap();
    if !matches!(message[0], b'Q' | b'S') {
        return;
    }
    let mut answer = Vec::new();
    loop {
        // "Ready for query", and of what kind the transaction is now.
        if let [.., b'Z', 0, 0, 0, 5, _] = answer[..] {
            return;
        }
        if !matches!(server.read_buf(&mut answer).await, Ok(1..)) {
            return;
        }
    }
}
