//! Deposits and withdrawals.

use entity::{
    enums::TransferKind,
    idempotency_key,
    ids::{TransferId, UserId},
    transfer,
};

use super::{
    Engine, Error, Session,
    command::{self, Attempt, Command, Decision, Effects},
};
use crate::{
    domain::{
        ledger::{Balances, Movement},
        money::{MAX_BALANCE, Money},
        refusal::{Code, Refusal},
        request::IdempotencyKey,
    },
    live::bus::{News, PersonNews},
    store::{
        bulk,
        commit_marker::CommitMarker,
        idempotency,
        page::Page,
        transfers, users,
        wallets::{self, Locked},
    },
    telemetry::security::{self, About, Event},
};

/// A deposit or a withdrawal, as it is asked for.
#[derive(Debug, Clone)]
pub struct WalletMove {
    /// DEPOSIT or WITHDRAWAL.
    pub kind: TransferKind,
    /// How much.
    pub amount: Money,
    /// Under this key it happens once.
    pub idempotency_key: IdempotencyKey,
    /// Whose wallet; by default the viewer's own.
    pub user: Option<UserId>,
}

impl Engine {
    /// Moves money in or out, once a key; answers with whose wallet and its balances.
    ///
    /// # Errors
    /// Forbidden when payments are not simulated and the viewer is no admin; a refusal when the
    /// money is not there or the key was used for something else.
    pub async fn move_money(
        &self,
        asker: &Session,
        wanted: WalletMove,
    ) -> Result<(UserId, Balances), Error> {
        let owner = wanted.user.unwrap_or(asker.user.id);
        let may = self.core.rules.payments_are_simulated && owner == asker.user.id;
        if !may && !self.is_admin(asker).await? {
            return Err(Error::Forbidden("Only an admin moves money in and out here."));
        }
        if users::by_ids(&self.core.db.reserved, &[owner]).await?.is_empty() {
            let refusal = Refusal::new(Code::UserNotFound, "There is no such user.");
            return Err(refusal.at(&["user"]).into());
        }
        let asker = asker.user.id;
        let moved = Moved { asker, owner, wanted, id: TransferId::new() };
        let balances = command::run(&self.core, moved).await?;
        if !may {
            let about = About { account: Some(&asker), subject: Some(&owner), ..About::default() };
            security::record(Event::AdminMovedMoney, &about);
        }
        Ok((owner, balances))
    }

    /// A user's balances.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn balances(&self, user: UserId) -> Result<Balances, Error> {
        Ok(wallets::of(&self.core.db.read, user).await?)
    }

    /// A page of a user's transfers, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfers(
        &self,
        user: UserId,
        page: &Page<TransferId>,
    ) -> Result<Vec<transfer::Model>, Error> {
        Ok(transfers::of_user(&self.core.db.read, user, page).await?)
    }

    /// A user's own transfers among those of these ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_transfers(
        &self,
        user: UserId,
        ids: &[TransferId],
    ) -> Result<Vec<transfer::Model>, Error> {
        let mut found = transfers::by_ids(&self.core.db.read, ids).await?;
        found.retain(|transfer| transfer.user_id == user);
        Ok(found)
    }
}

/// A deposit or a withdrawal.
struct Moved {
    asker: UserId,
    owner: UserId,
    wanted: WalletMove,
    id: TransferId,
}

impl Command for Moved {
    type Answer = Balances;

    const NAME: &'static str = "move money";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<Balances>, Error> {
        let Self { asker, owner, ref wanted, id } = *self;
        let WalletMove { kind, amount, idempotency_key: ref key, .. } = *wanted;
        let request = format!("{} {owner} {}", kind.as_str(), amount.minor());
        let tx = attempt.tx;
        // The viewer's wallet too: its lock guards the viewer's keys.
        let people = std::collections::BTreeSet::from([asker, owner]);
        let Locked { wallets: locked, now, .. } = wallets::lock(tx, people, []).await?;
        attempt.settle().await?;
        let before = locked
            .iter()
            .find(|wallet| wallet.user.id == owner)
            .map(|wallet| wallet.balances)
            .ok_or_else(|| Error::Fault(format!("{owner} has no wallet")))?;
        if let Some(known) = idempotency::find(tx, &[(asker, &**key)]).await?.first() {
            if known.request == request {
                return Ok(Decision::Nothing(before));
            }
            let message = "This idempotency key was used for another request.";
            let refusal = Refusal::new(Code::IdempotencyMismatch, message);
            return Err(refusal.at(&["idempotencyKey"]).into());
        }
        check_balance(before, wanted)?;
        let after = before.after(kind, amount)?;
        let now = attempt.core.clock.now(now);
        let movement = Movement { user: owner, kind, amount, bid: None };
        let moved = transfer::Model { id, ..transfers::row(&movement, None, now) };
        let remembered = idempotency_key::Model {
            user_id: asker,
            key: key.to_string(),
            request,
            auction_id: None,
            sequence: None,
            bid_id: None,
            transfer_id: Some(id),
            created_at: now,
        };
        let writes =
            [bulk::insert(&[moved]), wallets::save([(owner, after)]), bulk::insert(&[remembered])];
        bulk::write(tx, writes).await?;
        let news = PersonNews { user: owner, wallet: Some(after), notification: None };
        let marker = Some(CommitMarker::Transfer(id));
        let effects = Effects { marker, news: vec![News::Person(news)], moves_deadline: false };
        Ok(Decision::Commit(after, effects))
    }
}

fn check_balance(before: Balances, wanted: &WalletMove) -> Result<(), Refusal> {
    if wanted.kind == TransferKind::Withdrawal && before.available < wanted.amount {
        let message = "The available balance does not cover the amount.";
        return Err(Refusal::new(Code::InsufficientFunds, message).at(&["amount"]));
    }
    let whole = before.available.minor().saturating_add(before.locked.minor());
    let most = MAX_BALANCE.saturating_sub(whole);
    if wanted.kind == TransferKind::Deposit && wanted.amount.minor() > most {
        let message = "The balance would grow beyond what a wallet may hold.";
        return Err(Refusal::new(Code::InvalidAmount, message).at(&["amount"]));
    }
    Ok(())
}
