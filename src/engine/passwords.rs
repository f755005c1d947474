//! Passwords: argon2id, off the async threads, a bounded number at once (each takes 19 MiB) and a
//! bounded number in line, and as long for a name that nobody has as for a wrong password. A new
//! one must not be among the first that somebody would guess.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::Error;
use crate::domain::name;

/// How passwords are judged and hashed.
#[derive(Debug, Clone, Copy)]
pub struct PasswordSettings {
    /// How many are hashed at once.
    pub workers: usize,
    /// How many wait to be hashed; one more is answered OVERLOADED.
    pub queue: usize,
    /// A new password is refused that is guessed within so many tries.
    pub guesses: u64,
}

/// Makes and checks password hashes.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    line: Arc<Semaphore>,
    guesses: u64,
    /// The hash of no user's password: what an unknown name is checked against.
    nobodys: Arc<str>,
}

impl Passwords {
    pub fn new(settings: PasswordSettings) -> Result<Self, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::Fault(format!("randomness: {e}")))?;
        Ok(Self {
            turns: Arc::new(Semaphore::new(settings.workers)),
            line: Arc::new(Semaphore::new(settings.workers.saturating_add(settings.queue))),
            guesses: settings.guesses,
            nobodys: hash(&random)?.into(),
        })
    }

    /// A hash in PHC form, with a salt of its own; None for a password that is soon guessed of
    /// somebody with this name.
    pub async fn hash_new(&self, password: String, of: String) -> Result<Option<String>, Error> {
        let guesses = self.guesses;
        self.in_turn(move || match is_soon_guessed(&password, &of, guesses) {
            true => Ok(None),
            false => hash(password.as_bytes()).map(Some),
        })
        .await?
    }

    /// The same of a password that everybody may know.
    pub async fn hash_known(&self, password: String) -> Result<String, Error> {
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
        let place = Arc::clone(&self.line).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| Error::Fault(error.to_string()))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
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

/// The estimate takes longer than the text is long, and of a longer password nothing more is asked.
const ESTIMATED: usize = 64;

/// How many characters a password has besides its owner's name.
const BESIDES_THE_NAME: usize = 8;

/// Whether a password is one of the first that somebody would guess who knows the name.
fn is_soon_guessed(password: &str, name: &str, guesses: u64) -> bool {
    if holds_little_else(password, name) {
        return true;
    }
    let key = name::key(name);
    let looked_at: String = password.chars().take(ESTIMATED).collect();
    let estimate = zxcvbn::zxcvbn(&looked_at, &[name, &key]);
    // A single word, date or pattern is on lists of its own, however long these are.
    let is_single = estimate.sequence().len() <= 1;
    let least = if is_single { guesses.saturating_mul(10) } else { guesses };
    estimate.guesses() < least
}

fn holds_little_else(password: &str, name: &str) -> bool {
    let (password, name) = (name::key(password), name::key(name));
    // A short name of an alphabet stands in many words.
    let tells = name.chars().count() > 2 || !name.is_ascii();
    let rest = || password.replace(&name, "").chars().count();
    tells && password.contains(&name) && rest() < BESIDES_THE_NAME
}

#[cfg(test)]
mod tests {
    use super::{Error, PasswordSettings, Passwords, is_soon_guessed};

    #[tokio::test]
    async fn one_more_than_may_wait_is_turned_away_at_once() {
        let settings = PasswordSettings { workers: 1, queue: 1, guesses: 10_000 };
        let passwords = Passwords::new(settings).unwrap();
        let verify = || passwords.verify("correct horse".to_owned(), None);
        let (first, second, third) = tokio::join!(verify(), verify(), verify());
        assert!(matches!((first, second), (Ok(false), Ok(false))));
        assert!(matches!(third, Err(Error::Overloaded)));
        assert!(matches!(verify().await, Ok(false)), "there is room again");
    }

    #[test]
    fn what_everybody_would_guess_is_refused() {
        for (password, name) in [
            ("password", "bob"),
            ("Password", "bob"),
            ("p@ssw0rd", "bob"),
            ("drowssap", "bob"),
            ("12345678", "bob"),
            ("11111111", "bob"),
            ("abcdefgh", "bob"),
            ("qwertyuiop", "bob"),
            ("1q2w3e4r", "bob"),
            ("iloveyou", "bob"),
            ("trustno1", "bob"),
            ("sunshine", "bob"),
            ("welcome123", "bob"),
            ("19900101", "bob"),
            ("aaaaaaaaaaaaaaaa", "bob"),
            ("emmawatson", "emmawatson"),
            ("EmmaWatson", "emmawatson"),
            ("ｅｍｍａｗａｔｓｏｎ", "emmawatson"),
            ("emma1234", "emma"),
            ("demo-emma", "emma"),
            ("emma-emma-emma", "Emma"),
            ("민수민수민수민수", "민수"),
            ("1234민수567", "민수"),
        ] {
            assert!(is_soon_guessed(password, name, 10_000), "{password} of {name}");
        }
        for (password, name) in [
            ("correct horse", "bob"),
            ("correct horse battery", "bob"),
            ("a load of bids", "bob"),
            ("x7Kq9mZp", "bob"),
            ("비밀번호ä1234", "mina"),
            ("emma likes correct horses", "emma"),
            ("enjoyable-jo-batteries", "jo"),
            ("secret-password-of-mine", "bob"),
        ] {
            assert!(!is_soon_guessed(password, name, 10_000), "{password} of {name}");
        }
    }
}
