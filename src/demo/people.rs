//! Who is there: three people that a newcomer may be, and the others, who bid by themselves.

use entity::{
    enums::TransferKind,
    ids::{RegionId, UserId},
};
use futures_util::future::try_join_all;

use crate::{
    domain::{money::Money, request::IdempotencyKey},
    engine::{Credentials, Engine, Error, Session, SignUp, Token, WalletMove},
};

/// A person before the server opens.
#[derive(Debug)]
pub struct Character {
    /// The name.
    pub username: &'static str,
    /// A region's code, of any depth.
    pub home: &'static str,
    /// Known to the newcomer; who has none bids by herself.
    pub password: Option<&'static str>,
}

const fn shown(username: &'static str, home: &'static str, password: &'static str) -> Character {
    Character { username, home, password: Some(password) }
}

const fn bidder(username: &'static str, home: &'static str) -> Character {
    Character { username, home, password: None }
}

/// Everybody; those shown first.
pub const CAST: [Character; 16] = [
    shown("민수", "11440123", "demo-minsu"),
    shown("지우", "26350", "demo-jiwoo"),
    shown("emma", "11", "demo-emma"),
    bidder("서연", "11680101"),
    bidder("준호", "11200114"),
    bidder("망원동고양이", "11440123"),
    bidder("noah_k", "11440"),
    bidder("olivia", "11170130"),
    bidder("mia.park", "11"),
    bidder("하은", "26500104"),
    bidder("daniel", "26"),
    bidder("수빈", "26350105"),
    bidder("도윤", "41135109"),
    bidder("지훈", "41135"),
    bidder("lucas", "41465"),
    bidder("유진", "50110253"),
];

/// What everybody comes with, in won.
const PURSE: i64 = 5_000_000;

/// A person with an account.
#[derive(Debug)]
pub struct Person {
    /// As whom the engine knows them.
    pub session: Session,
    /// What a client would send.
    pub token: Token,
    /// Known to the newcomer.
    pub password: Option<&'static str>,
}

impl Person {
    /// Whether they bid by themselves.
    pub fn is_bidder(&self) -> bool {
        self.password.is_none()
    }

    /// Their id.
    pub fn id(&self) -> UserId {
        self.session.user.id
    }

    /// Whether they may bid on what is open to `region` alone; everybody may on the rest.
    pub fn lives_in(&self, region: Option<&RegionId>) -> bool {
        let home = self.session.user.home_region.as_ref();
        region.is_none_or(|region| home.is_some_and(|home| home.is_within(region)))
    }
}

/// Signs everybody up, all at once, each with money.
///
/// # Errors
/// When the engine fails.
pub async fn arrive(engine: &Engine) -> Result<Vec<Person>, Error> {
    try_join_all(CAST.iter().map(|character| welcome(engine, character))).await
}

async fn welcome(engine: &Engine, character: &Character) -> Result<Person, Error> {
    let password = match character.password {
        Some(password) => password.to_owned(),
        None => nobodys_password()?,
    };
    let credentials = Credentials { username: character.username.to_owned(), password };
    let home_region = Some(RegionId(character.home.to_owned()));
    let (token, session) = engine.sign_up_sample(SignUp { credentials, home_region }).await?;
    fill_purse(engine, &session).await?;
    Ok(Person { session, token, password: character.password })
}

/// One that nobody knows.
fn nobodys_password() -> Result<String, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Error::Fault(format!("randomness: {e}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Deposits what everybody comes with, once more.
///
/// # Errors
/// When the engine fails.
pub async fn fill_purse(engine: &Engine, session: &Session) -> Result<(), Error> {
    let deposit = WalletMove {
        kind: TransferKind::Deposit,
        amount: Money::from_minor(PURSE).unwrap_or_default(),
        idempotency_key: IdempotencyKey::parse(format!("demo-{}", uuid::Uuid::now_v7()))?,
        user: None,
    };
    engine.move_money(session, deposit).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn three_are_shown_and_everybody_lives_somewhere_real() {
        let regions = include_str!("../../data/regions.csv");
        let codes: HashSet<&str> =
            regions.lines().filter_map(|line| line.split(',').next()).collect();
        for character in &CAST {
            assert!(codes.contains(character.home), "{character:?}");
        }
        let names: HashSet<_> = CAST.iter().map(|c| c.username).collect();
        assert_eq!(names.len(), CAST.len());
        let shown = |c: &Character| c.password.is_some();
        assert!(CAST[..3].iter().all(shown) && !CAST[3..].iter().any(shown));
        let depths: HashSet<_> = CAST.iter().map(|c| c.home.len()).collect();
        assert_eq!(depths.len(), 3);
    }
}
