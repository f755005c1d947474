//! What a request brings along, and how resolvers get at it.

use std::{net::IpAddr, sync::Arc};

use async_graphql::{Context, Error, dataloader::DataLoader};

use super::{
    error::{Code, coded, fault},
    loaders::{Failure, Loader},
    rate::RateLimits,
};
use crate::engine::{Engine, Session, Update};

/// The number under which a request is found in the log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Whom rate limits for the signed-out count.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The one update that a subscription is to answer, in place of a stream: how watchers who asked
/// the same share an execution.
#[derive(Debug, Clone)]
pub struct Moment(pub Arc<Update>);

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
        self.data_opt::<Arc<Session>>().map(Arc::as_ref)
    }

    fn signed_in(&self) -> Result<&Session, Error> {
        self.session().ok_or_else(|| coded(Code::Unauthenticated, "Sign in first."))
    }

    fn fault(&self, error: crate::engine::Error) -> Error {
        fault(error, self.data_opt::<RequestId>())
    }

    fn loaded<T>(&self, loaded: Result<T, Failure>) -> Result<T, Error> {
        loaded.map_err(|shared| self.fault(crate::engine::Error::Fault(shared.to_string())))
    }
}
