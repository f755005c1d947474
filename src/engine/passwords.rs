//! Passwords: argon2id, off the async threads, a bounded number at once (each takes 19 MiB), and
//! as long for a name that nobody has as for a wrong password.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::Error;

/// Makes and checks password hashes.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of no user's password: what an unknown name is checked against.
    nobodys: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::Fault(format!("randomness: {e}")))?;
        Ok(Self { turns: Arc::new(Semaphore::new(cores)), nobodys: hash(&random)?.into() })
    }

    /// A hash in PHC form, with a salt of its own.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.in_turn(move || hash(password.as_bytes())).await?
    }

    /// Whether `password` is the one that `stored` was made of; with no `stored` it takes as long
    /// and is `false`.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Error> {
        let nobodys = Arc::clone(&self.nobodys);
        self.in_turn(move || {
            let against = stored.as_deref().unwrap_or(&nobodys);
            let parsed = PasswordHash::new(against)
                .map_err(|error| Error::Fault(format!("a stored password hash: {error}")))?;
            let fits = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(fits && stored.is_some())
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| Error::Fault(error.to_string()))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        task.await.map_err(|error| Error::Fault(error.to_string()))
    }
}

fn hash(password: &[u8]) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Fault(format!("hashing a password: {error}")))
}
