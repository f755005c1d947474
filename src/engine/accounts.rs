//! Accounts and sessions: signing up, in and out, and who a token belongs to.

use std::{fmt, sync::Arc};

use entity::{
    Time,
    ids::{RegionId, SessionId, UserId},
};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::{
    Engine, Error,
    command::{self, Attempt, Command, Decision, Effects},
    known_sessions::TokenHash,
};
use crate::{
    domain::{
        name::{self, ReservedNames},
        refusal::{Code, Refusal},
        user::User,
    },
    live::bus::News,
    store::{
        DbErr, commit_marker::CommitMarker, connection::Db, reader::Reader, sessions, transaction,
        users,
    },
    telemetry::security::{self, About, Event},
};

/// What a new user gives.
#[derive(Debug)]
pub struct SignUp {
    /// The wanted name and password.
    pub credentials: Credentials,
    /// Where the user lives.
    pub home_region: Option<RegionId>,
}

/// A name and a password. Printing it shows no password.
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A bearer token. Printing it shows nothing.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// What the client sends.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: User,
    /// From then on it is dead.
    pub expires_at: Time,
}

/// What became of a sign-in.
#[derive(Debug)]
pub enum SignIn {
    /// A session was opened.
    Done(Token, Session),
    /// The name and the password do not belong together.
    Wrong {
        /// Whose account was tried, for the log alone: the client is answered the same without one.
        account: Option<UserId>,
        /// What the client is told.
        refusal: Refusal,
    },
}

/// How many random bytes a token holds.
const TOKEN_BYTES: usize = 32;

impl Engine {
    /// Makes an account and signs it in.
    ///
    /// # Errors
    /// A refusal when the name is taken or unfit, the password unfit or soon guessed, or the region
    /// unknown.
    pub async fn sign_up(&self, sign_up: SignUp) -> Result<(Token, Session), Error> {
        let fit = self.check_sign_up(&sign_up)?;
        let hashed = self.passwords.hash_new(fit.password, fit.username.clone()).await?;
        let password_hash = hashed.ok_or_else(|| {
            let message = "This password is among the first that somebody would guess: choose one \
                           that is longer, and not made of your username.";
            Refusal::new(Code::InvalidPassword, message).at(&["password"])
        })?;
        self.join(fit.username, password_hash, sign_up.home_region).await
    }

    /// The same for sample data, whose passwords everybody may know.
    ///
    /// # Errors
    /// As [`Self::sign_up`], but for a password that is soon guessed.
    pub async fn sign_up_sample(&self, sign_up: SignUp) -> Result<(Token, Session), Error> {
        let fit = self.check_sign_up(&sign_up)?;
        let password_hash = self.passwords.hash_known(fit.password).await?;
        self.join(fit.username, password_hash, sign_up.home_region).await
    }

    fn check_sign_up(&self, sign_up: &SignUp) -> Result<Credentials, Refusal> {
        let Credentials { username, password } = &sign_up.credentials;
        let username = check_username(username, &self.core.rules.reserved_names)?;
        let password = check_password(password)?;
        if let Some(region) = &sign_up.home_region {
            self.core.places.region(region).ok_or_else(|| {
                Refusal::new(Code::RegionNotFound, "There is no such region.").at(&["homeRegion"])
            })?;
        }
        Ok(Credentials { username, password })
    }

    async fn join(
        &self,
        username: String,
        password_hash: String,
        home_region: Option<RegionId>,
    ) -> Result<(Token, Session), Error> {
        let joined_at = self.core.clock.now(None);
        let user = User { id: UserId::new(), username, home_region, joined_at };
        let account = users::Account { user: user.clone(), password_hash, is_admin: false };
        let (token, opened) = Opened::new(user.id)?;
        let id = opened.id;
        let expires_at = command::run(&self.core, SignedUp { account, opened }).await?;
        Ok((token, Session { id, user, expires_at }))
    }

    /// Signs in. Takes as long for an unknown name as for a wrong password.
    ///
    /// # Errors
    /// When too many wait already, or the database fails.
    pub async fn sign_in(&self, credentials: Credentials) -> Result<SignIn, Error> {
        let password: String = credentials.password.nfc().collect();
        let account = self.account(&self.core.db.reserved, &credentials.username).await?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.passwords.verify(password, stored).await?;
        match account {
            Some(account) if fits => {
                let (token, session) = self.open_session(account.user).await?;
                Ok(SignIn::Done(token, session))
            }
            tried => {
                let message = "The username and the password do not belong together.";
                let refusal = Refusal::new(Code::WrongCredentials, message);
                Ok(SignIn::Wrong { account: tried.map(|tried| tried.user.id), refusal })
            }
        }
    }

    /// The account of a name, however it is typed: also of one that nobody could take any more.
    pub(super) async fn account(
        &self,
        db: &Reader,
        username: &str,
    ) -> Result<Option<users::Account>, Error> {
        match name::typed(username) {
            Some(username) => Ok(users::by_username(db, &username).await?),
            None => Ok(None),
        }
    }

    async fn open_session(&self, user: User) -> Result<(Token, Session), Error> {
        let (token, opened) = Opened::new(user.id)?;
        let id = opened.id;
        let expires_at = command::run(&self.core, opened).await?;
        Ok((token, Session { id, user, expires_at }))
    }

    /// Ends a session: its token is dead when this returns, and what held it open on this node
    /// knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, session: SessionId) -> Result<(), Error> {
        command::run(&self.core, SignedOut { session }).await
    }

    /// Whether somebody is an admin now: read each time, for what only admins may do is rare.
    pub(super) async fn is_admin(&self, session: &Session) -> Result<bool, Error> {
        Ok(users::is_admin(&self.core.db.reserved, session.user.id).await?)
    }

    /// Whose token it is; `None` when it is dead or was never one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str) -> Result<Option<Arc<Session>>, Error> {
        if token.len() != 2 * TOKEN_BYTES {
            return Ok(None);
        }
        let (token, now) = (hash(token), self.core.clock.now(None));
        if let Some(session) = self.core.sessions.get(&token, now) {
            return Ok(Some(session));
        }
        // Whoever asks would wait for a connection in vain; the monitor knows when one comes back.
        if !self.core.health.is_readable() {
            return Err(Error::Overloaded);
        }
        let reading = self.core.sessions.reading();
        let found = sessions::by_token(&self.core.db.reserved, &token, now).await?;
        let Some((id, expires_at, account)) = found else {
            return Ok(None);
        };
        let session = Arc::new(Session { id, user: account.user, expires_at });
        self.core.sessions.keep(reading, token, Arc::clone(&session));
        Ok(Some(session))
    }
}

/// Makes a user an admin, from the command line; `false` when there is none of that name.
///
/// # Errors
/// When the database refuses.
pub async fn grant_admin(db: &Db, username: &str) -> Result<bool, DbErr> {
    let tx = transaction::begin(db).await?;
    let found = users::grant_admin(&tx, username).await?;
    let account = users::by_username(&tx, username).await?;
    tx.commit().await?;
    if let Some(account) = account.filter(|_| found) {
        let id = account.user.id;
        security::record(Event::AdminGranted, &About { subject: Some(&id), ..About::default() });
    }
    Ok(found)
}

/// A new account, signed in; it answers until when.
struct SignedUp {
    account: users::Account,
    opened: Opened,
}

impl Command for SignedUp {
    type Answer = Time;

    const NAME: &'static str = "sign up";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<Time>, Error> {
        if !users::insert(attempt.tx, &self.account).await? {
            let message = "Somebody has this name, or one like it.";
            let refusal = Refusal::new(Code::UsernameTaken, message);
            return Err(refusal.at(&["username"]).into());
        }
        self.opened.attempt(attempt).await
    }
}

/// A new session; it answers until when.
struct Opened {
    id: SessionId,
    user: UserId,
    token_hash: TokenHash,
}

impl Opened {
    fn new(user: UserId) -> Result<(Token, Self), Error> {
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(|e| Error::Fault(format!("randomness: {e}")))?;
        let token = Token(random.iter().map(|byte| format!("{byte:02x}")).collect());
        let token_hash = hash(&token.0);
        Ok((token, Self { id: SessionId::new(), user, token_hash }))
    }
}

impl Command for Opened {
    type Answer = Time;

    const NAME: &'static str = "sign in";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<Time>, Error> {
        let now = attempt.now().await?;
        let expires_at = now + attempt.core.rules.session_lifetime;
        sessions::delete_expired(attempt.tx, self.user, now).await?;
        let keep = attempt.core.rules.bounds.sessions.saturating_sub(1);
        let ended = sessions::older_than_newest(attempt.tx, self.user, keep.into()).await?;
        for id in &ended {
            sessions::delete(attempt.tx, *id).await?;
        }
        let hash = self.token_hash.to_vec();
        sessions::insert(attempt.tx, self.id, self.user, hash, now, expires_at).await?;
        let marker = Some(CommitMarker::Session(self.id));
        let news = ended.into_iter().map(News::SignedOut).collect();
        Ok(Decision::Commit(expires_at, Effects { marker, news, ..Effects::default() }))
    }
}

/// The end of a session.
struct SignedOut {
    session: SessionId,
}

impl Command for SignedOut {
    type Answer = ();

    const NAME: &'static str = "sign out";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<()>, Error> {
        sessions::delete(attempt.tx, self.session).await?;
        let news = vec![News::SignedOut(self.session)];
        Ok(Decision::Commit((), Effects { news, ..Effects::default() }))
    }
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// A fit name that is not reserved, as it will be shown.
fn check_username(username: &str, reserved: &ReservedNames) -> Result<String, Refusal> {
    let refuse = |code, message: &'static str| Refusal::new(code, message).at(&["username"]);
    let shown = name::shown(username).map_err(|name::Unfit| {
        let message = "A username has 2 to 24 letters or digits of any script, underscores, \
                       hyphens or dots, and nothing invisible.";
        refuse(Code::InvalidUsername, message)
    })?;
    if reserved.hold(&shown) {
        return Err(refuse(Code::UsernameTaken, "This name is reserved."));
    }
    Ok(shown)
}

/// A fit password: 8 to 128 characters, in composed form, so that it is the same from every
/// keyboard.
fn check_password(password: &str) -> Result<String, Refusal> {
    let password: String = password.nfc().collect();
    if !(8..=128).contains(&password.chars().count()) {
        let message = "A password has 8 to 128 characters.";
        return Err(Refusal::new(Code::InvalidPassword, message).at(&["password"]));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let credentials = Credentials { username: "a".into(), password: "hunter42".into() };
        assert!(!format!("{credentials:?}").contains("hunter42"));
        assert!(!format!("{:?}", Token("hunter42".into())).contains("hunter42"));
    }
}
