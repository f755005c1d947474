//! NATS as the bus between nodes: one subject an auction, and a node listens only to what its
//! watchers watch. A message is sealed with the secret that the nodes share, and says JSON.
//!
//! Nothing is asked of NATS but to be quick: what it loses, the event log still has. That it is
//! up is known by the end: what this node says comes back to it. And nothing is believed that
//! comes by it unsealed, on another subject, twice or late.

mod ears;
mod fresh;
mod seal;
mod secret;
mod settings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, Message, connection::State};
use chrono::Utc;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bus::{Bus, Health, Listening, News, Report, Subject, Take};
use ears::{Ears, Refused};
use fresh::{Fresh, Verdict, Way};
use seal::{Seal, Sealed};

pub use secret::Secret;
pub use settings::{Given, Settings, SettingsError};

/// How many messages wait to be sent; one more is dropped, for the others to read in the log.
const OUTBOX: usize = 8_192;

/// How many messages of a subject wait to be read, and how long each may be at most: whoever
/// floods a subject takes no more memory than that.
const INBOX: usize = 16_384;
const MOST: usize = 65_536;

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often the server is asked whether it lives; silent three times, it is left.
const PING: Duration = Duration::from_secs(1);

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(2);

/// A connection to NATS.
#[derive(Debug)]
pub struct NatsBus {
    client: Client,
    /// What all subjects of one marketplace begin with.
    house: String,
    outbox: mpsc::Sender<(String, Vec<u8>)>,
    /// How many messages were numbered.
    sent: AtomicU64,
    guard: Arc<Guard>,
}

/// Lets in what the other nodes say, and nothing else.
#[derive(Debug)]
struct Guard {
    node: Uuid,
    seal: Seal,
    fresh: Fresh,
    ears: Arc<Ears>,
}

impl NatsBus {
    /// Connects, and keeps trying: the server starts whether NATS is there or not. `secret` is what
    /// the nodes share, `prefix` is what all subjects begin with.
    ///
    /// # Errors
    /// When the client refuses the settings.
    pub async fn connect(
        settings: &Settings,
        secret: &Secret,
        house: &str,
    ) -> Result<Arc<Self>, SettingsError> {
        let seal = Seal::new(secret).map_err(|_| SettingsError::Client)?;
        let ears = Arc::<Ears>::default();
        let (told, asked) = (Arc::clone(&ears), Arc::clone(&ears));
        let options = settings
            .options()?
            .name("neighborbid")
            .retry_on_initial_connect()
            .connection_timeout(CONNECTING)
            .ping_interval(PING)
            .subscription_capacity(INBOX)
            .reconnect_delay_callback(move |_| asked.wait())
            .event_callback(move |event| {
                told.tell(&event);
                std::future::ready(())
            });
        let servers = settings.servers.clone();
        let client = options.connect(servers).await.map_err(|_| SettingsError::Client)?;
        let (outbox, messages) = mpsc::channel(OUTBOX);
        tokio::spawn(send(client.clone(), messages));
        let (node, house) = (Uuid::now_v7(), house.to_owned());
        let guard = Arc::new(Guard { node, seal, fresh: Fresh::default(), ears });
        Ok(Arc::new(Self { client, house, outbox, sent: AtomicU64::new(0), guard }))
    }

    /// Watches over the way there and back, until the server shuts down.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = interval(LOOK);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = stop.cancelled() => return,
            }
            let is_connected = self.client.connection_state() == State::Connected;
            self.guard.ears.look(is_connected);
        }
    }

    /// Waits, a moment at most, until this node is heard: a node that opens says that it is ready,
    /// and not first that the bus is down.
    pub async fn settle(&self) {
        let mut health = self.guard.ears.health();
        let is_up = health.wait_for(|health| health.is_up);
        if timeout(ears::SILENCE, is_up).await.is_err() {
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
        let said = match serde_json::to_vec(said) {
            Ok(said) => said,
            Err(error) => return tracing::error!(%error, "encoding a message for the bus"),
        };
        let subject = self.subject(subject);
        let message = self.guard.seal.put(
            &subject,
            &Sealed {
                sender: self.guard.node,
                number: self.sent.fetch_add(1, Ordering::Relaxed),
                sent: Utc::now().timestamp_millis(),
                said: &said,
            },
        );
        if self.outbox.try_send((subject, message)).is_err() {
            dropped();
        }
    }
}

impl Guard {
    /// What another node says.
    fn admit<'a>(&self, way: Way, message: &'a Message) -> Option<&'a [u8]> {
        let is_small = message.payload.len() <= MOST;
        let sealed = is_small.then(|| self.seal.open(&message.subject, &message.payload));
        let Some(Sealed { sender, number, sent, said }) = sealed.flatten() else {
            self.ears.refuse(Refused::Forged);
            return None;
        };
        let now = Utc::now().timestamp_millis();
        match self.fresh.judge(way, sender, number, sent, now) {
            Verdict::New if sender == self.node => self.ears.hear(),
            Verdict::New => return Some(said),
            Verdict::Replayed => self.ears.refuse(Refused::Replayed),
            Verdict::Old => self.ears.refuse(Refused::Old),
        }
        None
    }
}

fn way(subject: Subject) -> Way {
    match subject {
        Subject::Auctions => Way::Lists,
        Subject::Nodes => Way::Reports,
        Subject::Sessions => Way::SignOuts,
        Subject::Auction(_) | Subject::Person(_) => Way::Others,
    }
}

impl Bus for NatsBus {
    fn node(&self) -> Uuid {
        self.guard.node
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
        let (way, name) = (way(subject), self.subject(subject));
        let (client, guard) = (self.client.clone(), Arc::clone(&self.guard));
        let task = tokio::spawn(async move {
            let mut messages = match client.subscribe(name).await {
                Ok(messages) => messages,
                Err(error) => return tracing::error!(%error, "listening to the bus"),
            };
            while let Some(message) = messages.next().await {
                guard.admit(way, &message).into_iter().for_each(&take);
            }
        });
        Listening::by(task.abort_handle())
    }

    fn health(&self) -> Option<watch::Receiver<Health>> {
        Some(self.guard.ears.health())
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
