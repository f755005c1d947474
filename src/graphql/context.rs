//! What a request brings along, and how resolvers get at it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_graphql::{Context, Error, Request, dataloader::DataLoader};

use super::{
    error::{Code, coded, fault},
    loaders::{Failure, Loader},
    rate::RateLimits,
};
use crate::engine::{Engine, Session, Update, Watcher};

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

/// Whom rate limits for the signed-out count.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

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

/// Shorthands for what every resolver needs.
pub(super) trait ContextExt {
    /// The engine.
    fn engine(&self) -> Result<&Arc<Engine>, Error>;
    /// The loaders.
    fn loader(&self) -> Result<&DataLoader<Loader>, Error>;
    /// The rate limits.
    fn rates(&self) -> Result<&RateLimits, Error>;
    /// Who is signed in, if anybody.
    fn session(&self) -> Option<&Session>;
    /// Who is signed in; an error when nobody is.
    fn signed_in(&self) -> Result<&Session, Error>;
    /// Whose watching is counted.
    fn watcher(&self) -> Watcher;
    /// The error for a failure of the engine; internal ones are logged and told by number only.
    fn fault(&self, error: crate::engine::Error) -> Error;
    /// What a loader answered; its failures are told as those of the engine are.
    fn loaded<T>(&self, loaded: Result<T, Failure>) -> Result<T, Error>;
}

impl ContextExt for Context<'_> {
    fn engine(&self) -> Result<&Arc<Engine>, Error> {
        self.data()
    }

    fn loader(&self) -> Result<&DataLoader<Loader>, Error> {
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

    fn signed_in(&self) -> Result<&Session, Error> {
        self.session().ok_or_else(|| coded(Code::Unauthenticated, "Sign in first."))
    }

    fn watcher(&self) -> Watcher {
        let address = self.data_opt::<ClientAddress>().map(|address| address.0);
        Watcher::new(address, self.session().map(|session| session.user.id))
    }

    fn fault(&self, error: crate::engine::Error) -> Error {
        fault(error, self.data_opt::<RequestId>())
    }

    fn loaded<T>(&self, loaded: Result<T, Failure>) -> Result<T, Error> {
        loaded.map_err(|shared| self.fault(crate::engine::Error::Fault(shared.to_string())))
    }
}
