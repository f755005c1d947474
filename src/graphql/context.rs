//! What a request brings along, and how resolvers get at it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, Error, Request};
use tokio::{sync::Notify, time::sleep};

use super::{
    error::{Code, coded, fault},
    loaders::{Batches, Key, Load, Loader, Value},
    rate::RateLimits,
};
use crate::{
    engine::{Engine, Session, Update, Watcher},
    telemetry::security::{self, About, Event},
};

/// The number under which a request is found in the log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// A new one.
    #[must_use]
    #[allow(clippy::new_without_default)] // Every one differs.
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
}

/// Where a client is: its own address, or the one that a trusted proxy gives.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// Whom every limit by address counts as one: an IPv4 address, or a /64 network of IPv6, of which
/// a single customer has all addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl ClientAddress {
    /// The network of the address. IPv4 written as IPv6 is IPv4.
    #[must_use]
    pub fn network(self) -> Network {
        Network(match self.0.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let mask = u128::MAX << 64;
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        })
    }
}

impl Network {
    /// Its first address, for the log.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }
}

/// Who asks. Resolvers get at it through [`ContextExt`] alone, so that a shared execution knows
/// whether its answer depends on the viewer.
struct Viewer(Arc<Session>);

/// A request as asked by the one who is signed in, if anybody is.
#[must_use]
pub fn asked_by(request: Request, session: Option<Arc<Session>>) -> Request {
    match session {
        Some(session) => request.data(Viewer(session)),
        None => request,
    }
}

/// The one update that a subscription is to answer, in place of a stream: how watchers who asked
/// the same share an execution. It notes whether the answer depends on who asks.
#[derive(Debug)]
pub struct Moment {
    /// None where the request is only to be validated.
    update: Option<Arc<Update>>,
    viewer_was_read: AtomicBool,
}

impl Moment {
    /// Of this update.
    #[must_use]
    pub fn of(update: Arc<Update>) -> Arc<Self> {
        Arc::new(Self { update: Some(update), viewer_was_read: AtomicBool::new(false) })
    }

    /// Of no update: the request is validated, and nothing is executed.
    #[must_use]
    pub fn never() -> Arc<Self> {
        Arc::new(Self { update: None, viewer_was_read: AtomicBool::new(false) })
    }

    pub(super) fn update(&self) -> Option<Arc<Update>> {
        self.update.clone()
    }

    /// Whether anything in the answer asked who the viewer is.
    #[must_use]
    pub fn viewer_was_read(&self) -> bool {
        self.viewer_was_read.load(Ordering::Relaxed)
    }
}

/// Whether a subscription's update is being answered, or awaited: only an answer has its time.
#[derive(Debug, Default)]
pub struct Underway(Notify);

impl Underway {
    pub(super) fn begin(&self) {
        self.0.notify_waiters();
    }

    /// Returns when an update that begins from now on has been under way for so long.
    pub fn outlasts(&self, time: Duration) -> impl Future<Output = ()> + Send + '_ {
        // Here and not when it is polled: the update may begin before that.
        let begins = self.0.notified();
        async move {
            begins.await;
            sleep(time).await;
        }
    }
}

/// Shorthands for what every resolver needs.
pub(super) trait ContextExt {
    /// The engine.
    fn engine(&self) -> Result<&Arc<Engine>, Error>;
    /// The rate limits.
    fn rates(&self) -> Result<&RateLimits, Error>;
    /// Who is signed in, if anybody.
    fn session(&self) -> Option<&Session>;
    /// Who is signed in; an error when nobody is.
    fn signed_in(&self) -> Result<&Session, Error>;
    /// Where the client is, if that is known.
    fn address(&self) -> Option<ClientAddress>;
    /// Whose watching is counted.
    fn watcher(&self) -> Watcher;
    /// The error for a failure of the engine; internal ones are logged and told by number only.
    fn fault(&self, error: crate::engine::Error) -> Error;
    /// What a request's loader finds for a key; its failures are told as those of the engine are.
    fn load<K: Key>(&self, key: K) -> impl Future<Output = Result<Option<Value<K>>, Error>> + Send
    where
        Loader: Load<K>;
    /// What it finds for these keys.
    fn load_many<K: Key>(
        &self,
        keys: Vec<K>,
    ) -> impl Future<Output = Result<HashMap<K, Value<K>>, Error>> + Send
    where
        Loader: Load<K>;
    /// What there always is of a key: a page, be it empty.
    fn page<K: Key>(&self, key: K) -> impl Future<Output = Result<Value<K>, Error>> + Send
    where
        Loader: Load<K>;
}

impl ContextExt for Context<'_> {
    fn engine(&self) -> Result<&Arc<Engine>, Error> {
        self.data()
    }

    fn rates(&self) -> Result<&RateLimits, Error> {
        self.data::<Arc<RateLimits>>().map(Arc::as_ref)
    }

    fn session(&self) -> Option<&Session> {
        if let Some(moment) = self.data_opt::<Arc<Moment>>() {
            moment.viewer_was_read.store(true, Ordering::Relaxed);
        }
        self.data_opt::<Viewer>().map(|viewer| viewer.0.as_ref())
    }

    fn address(&self) -> Option<ClientAddress> {
        self.data_opt::<ClientAddress>().copied()
    }

    fn signed_in(&self) -> Result<&Session, Error> {
        self.session().ok_or_else(|| coded(Code::Unauthenticated, "Sign in first."))
    }

    fn watcher(&self) -> Watcher {
        let address = self.data_opt::<ClientAddress>().map(|address| address.0);
        Watcher::new(address, self.session().map(|session| session.user.id))
    }

    fn fault(&self, error: crate::engine::Error) -> Error {
        if matches!(error, crate::engine::Error::Forbidden(_)) {
            let viewer = self.data_opt::<Viewer>().map(|viewer| &viewer.0.user.id);
            let account = viewer.map(|id| id as &dyn std::fmt::Display);
            let address = self.address().map(|address| address.0);
            security::record(Event::Forbidden, &About { account, address, subject: None });
        }
        fault(&error, self.data_opt::<RequestId>())
    }

    async fn load<K: Key>(&self, key: K) -> Result<Option<Value<K>>, Error>
    where
        Loader: Load<K>,
    {
        let mut found = self.load_many(vec![key.clone()]).await?;
        Ok(found.remove(&key))
    }

    async fn load_many<K: Key>(&self, keys: Vec<K>) -> Result<HashMap<K, Value<K>>, Error>
    where
        Loader: Load<K>,
    {
        let found = self.data::<Arc<Batches>>()?.load(self.engine()?, keys).await;
        found.map_err(|shared| fault(&shared, self.data_opt::<RequestId>()))
    }

    async fn page<K: Key>(&self, key: K) -> Result<Value<K>, Error>
    where
        Loader: Load<K>,
    {
        self.load(key).await?.ok_or_else(|| Error::new("nothing was loaded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_by_address_of_ipv4_and_by_network_of_ipv6() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network();
        for (one, other, is_same) in [
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.10", false),
            ("203.0.113.9", "::ffff:203.0.113.9", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(network(one) == network(other), is_same, "{one} {other}");
        }
    }
}
