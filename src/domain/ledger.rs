//! Movements of money and the balances that they make.

use entity::{
    enums::{Account, TransferKind},
    ids::{BidId, UserId},
};

use serde::{Deserialize, Serialize};

use super::money::{Money, OutOfRange};

/// A user's two balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    /// Free to spend.
    pub available: Money,
    /// Held for the open auctions that the user leads.
    pub locked: Money,
}

/// One movement of a user's money, before it is a row of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Whose money.
    pub user: UserId,
    /// Why it moves.
    pub kind: TransferKind,
    /// How much; above zero.
    pub amount: Money,
    /// The bid whose hold it is, if it is a hold's.
    pub bid: Option<BidId>,
}

/// From which account to which a kind of transfer moves money.
#[must_use]
pub const fn accounts(kind: TransferKind) -> (Account, Account) {
    match kind {
        TransferKind::Deposit => (Account::External, Account::Available),
        TransferKind::Withdrawal => (Account::Available, Account::External),
        TransferKind::Hold => (Account::Available, Account::Locked),
        TransferKind::Release => (Account::Locked, Account::Available),
        TransferKind::Capture => (Account::Locked, Account::Escrow),
        TransferKind::Payout | TransferKind::Refund => (Account::Escrow, Account::Available),
        TransferKind::Fee => (Account::Escrow, Account::Fees),
    }
}

impl Balances {
    /// The balances after a transfer of `amount`.
    ///
    /// # Errors
    /// When a balance would leave its range: the caller has checked that it does not.
    pub fn after(self, kind: TransferKind, amount: Money) -> Result<Self, OutOfRange> {
        let (from, to) = accounts(kind);
        let mut after = self;
        if let Some(balance) = after.of(from) {
            *balance = balance.minus(amount)?;
        }
        if let Some(balance) = after.of(to) {
            *balance = balance.plus(amount)?;
        }
        Ok(after)
    }

    fn of(&mut self, account: Account) -> Option<&mut Money> {
        match account {
            Account::Available => Some(&mut self.available),
            Account::Locked => Some(&mut self.locked),
            Account::Escrow | Account::Fees | Account::External => None,
        }
    }
}
