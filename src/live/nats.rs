//! NATS as the bus between nodes: one subject an auction, and a node listens only to what its
//! watchers watch. A message is the sender's id and the JSON of what it says.
//!
//! Nothing is asked of NATS but to be quick: what it loses, the event log still has. That it is
//! up is known by the end: what this node says comes back to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{Client, ConnectOptions, Event, ServerAddr, connection::State};
use futures_util::StreamExt;
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bus::{Bus, Health, Listening, News, Report, Subject, Take};

/// How many messages wait to be sent; one more is dropped, for the others to read in the log.
const OUTBOX: usize = 8_192;

/// How long nothing may come back before the bus counts as down.
const SILENCE: Duration = Duration::from_millis(1_500);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often the server is asked whether it lives; silent three times, it is left.
const PING: Duration = Duration::from_secs(1);

/// How long connecting may take, and how long to wait before it is tried again.
const CONNECTING: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(250);

/// The length of the sender's id.
const NODE: usize = 16;

/// The addresses of the servers are malformed.
#[derive(Debug, thiserror::Error)]
#[error("a NATS address must look like nats://HOST:PORT")]
pub struct MalformedAddress;

/// A connection to NATS.
#[derive(Debug)]
pub struct NatsBus {
    node: Uuid,
    client: Client,
    /// What all subjects of one house begin with.
    house: String,
    outbox: mpsc::Sender<(String, Vec<u8>)>,
    ears: Arc<Ears>,
}

/// What is known of the way there and back.
#[derive(Debug)]
struct Ears {
    began: Instant,
    /// When one of our own messages last came back, in milliseconds since `began`.
    heard: AtomicU64,
    health: watch::Sender<Health>,
}

impl Ears {
    fn new() -> Arc<Self> {
        let health = watch::Sender::new(Health { is_up: false, losses: 0 });
        Arc::new(Self { began: Instant::now(), heard: AtomicU64::new(u64::MAX), health })
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One of our own messages came back.
    fn hear(&self) {
        self.heard.store(self.millis(), Ordering::Relaxed);
    }

    fn is_heard(&self) -> bool {
        match self.heard.load(Ordering::Relaxed) {
            u64::MAX => false,
            heard => u128::from(self.millis().saturating_sub(heard)) < SILENCE.as_millis(),
        }
    }

    /// Something may have been lost.
    fn lose(&self) {
        self.health.send_modify(|health| health.losses += 1);
    }
}

impl NatsBus {
    /// Connects, and keeps trying: the house opens whether NATS is there or not. `house` is what
    /// all subjects begin with.
    ///
    /// # Errors
    /// When an address is malformed.
    pub async fn connect(urls: &str, house: &str) -> Result<Arc<Self>, MalformedAddress> {
        let servers = urls.split(',').map(|url| url.trim().parse::<ServerAddr>());
        let servers = servers.collect::<Result<Vec<_>, _>>().map_err(|_| MalformedAddress)?;
        let ears = Ears::new();
        let told = Arc::clone(&ears);
        let options = ConnectOptions::new()
            .name("neighborbid")
            .retry_on_initial_connect()
            .connection_timeout(CONNECTING)
            .ping_interval(PING)
            .reconnect_delay_callback(|_| AGAIN)
            .event_callback(move |event| {
                tell(&told, &event);
                std::future::ready(())
            });
        let client = options.connect(servers).await.map_err(|_| MalformedAddress)?;
        let (outbox, messages) = mpsc::channel(OUTBOX);
        tokio::spawn(send(client.clone(), messages));
        let (node, house) = (Uuid::now_v7(), house.to_owned());
        Ok(Arc::new(Self { node, client, house, outbox, ears }))
    }

    /// Watches over the way there and back, until the house closes.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = interval(LOOK);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = stop.cancelled() => return,
            }
            let is_connected = self.client.connection_state() == State::Connected;
            let is_up = is_connected && self.ears.is_heard();
            metrics::gauge!("neighborbid_bus_up").set(f64::from(u8::from(is_up)));
            self.ears.health.send_if_modified(|health| {
                let changed = std::mem::replace(&mut health.is_up, is_up) != is_up;
                match (changed, is_up) {
                    (true, true) => tracing::info!("the bus is up"),
                    (true, false) => tracing::warn!("the bus is down: the event log is read"),
                    (false, _) => {}
                }
                changed
            });
        }
    }

    /// Waits, a moment at most, until this node is heard: a node that opens says that it is ready,
    /// and not first that the bus is down.
    pub async fn settle(&self) {
        let mut health = self.ears.health.subscribe();
        let is_up = health.wait_for(|health| health.is_up);
        if timeout(SILENCE, is_up).await.is_err() {
            tracing::warn!("the bus does not answer yet: the event log is read");
        }
    }

    /// Waits, a moment at most, until what was published has left.
    pub async fn drain(&self) {
        let left = async {
            while self.outbox.capacity() < OUTBOX {
                sleep(Duration::from_millis(5)).await;
            }
            self.client.flush().await
        };
        match timeout(Duration::from_secs(1), left).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leaving the bus"),
            Err(_) => tracing::warn!("the bus took too long: the other nodes read the log"),
        }
    }

    fn subject(&self, subject: Subject) -> String {
        let house = &self.house;
        match subject {
            Subject::Auction(auction) => format!("{house}.auction.{auction}"),
            Subject::Auctions => format!("{house}.auction.*"),
            Subject::Person(user) => format!("{house}.person.{user}"),
            Subject::Sessions => format!("{house}.sessions"),
            Subject::Nodes => format!("{house}.nodes"),
        }
    }

    fn send(&self, subject: Subject, said: &impl Serialize) {
        let mut message = self.node.as_bytes().to_vec();
        if let Err(error) = serde_json::to_writer(&mut message, said) {
            tracing::error!(%error, "encoding a message for the bus");
        } else if self.outbox.try_send((self.subject(subject), message)).is_err() {
            dropped();
        }
    }
}

impl Bus for NatsBus {
    fn node(&self) -> Uuid {
        self.node
    }

    fn publish(&self, news: &[News]) {
        for news in news {
            match news {
                News::Auction(news) => self.send(Subject::Auction(news.event.auction), news),
                News::Person(news) => self.send(Subject::Person(news.user), news),
                News::SignedOut(session) => self.send(Subject::Sessions, session),
            }
        }
    }

    fn report(&self, report: &Report) {
        self.send(Subject::Nodes, report);
    }

    fn listen(&self, subject: Subject, take: Take) -> Listening {
        let (client, subject) = (self.client.clone(), self.subject(subject));
        let (node, ears) = (self.node, Arc::clone(&self.ears));
        let task = tokio::spawn(async move {
            let mut messages = match client.subscribe(subject).await {
                Ok(messages) => messages,
                Err(error) => return tracing::error!(%error, "listening to the bus"),
            };
            while let Some(message) = messages.next().await {
                match message.payload.split_at_checked(NODE) {
                    Some((sender, _)) if sender == node.as_bytes() => ears.hear(),
                    Some((_, said)) => take(said),
                    None => tracing::warn!("a message on the bus that is none of ours"),
                }
            }
        });
        Listening::by(task.abort_handle())
    }

    fn health(&self) -> Option<watch::Receiver<Health>> {
        Some(self.ears.health.subscribe())
    }
}

/// Sends what waits. Without a connection nothing is kept: the log has it.
async fn send(client: Client, mut messages: mpsc::Receiver<(String, Vec<u8>)>) {
    while let Some((subject, message)) = messages.recv().await {
        if client.connection_state() != State::Connected {
            dropped();
        } else if let Err(error) = client.publish(subject, message.into()).await {
            tracing::warn!(%error, "publishing on the bus");
            dropped();
        }
    }
}

fn dropped() {
    metrics::counter!("neighborbid_bus_dropped_total").increment(1);
}

fn tell(ears: &Ears, event: &Event) {
    match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            ears.lose();
        }
        Event::Disconnected => tracing::warn!("the connection to NATS is lost"),
        Event::SlowConsumer(_) => {
            tracing::warn!("messages of the bus came too fast, and were dropped");
            ears.lose();
        }
        Event::Draining | Event::Closed => {}
        event => tracing::warn!(%event, "NATS"),
    }
}
