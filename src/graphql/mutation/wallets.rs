//! Money in and out.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::{enums::TransferKind, ids::UserId};

use super::answer;
use crate::{
    domain::{
        ledger::Balances,
        refusal::{Code, Refusal},
        request::IdempotencyKey,
    },
    engine::{Error, Session, WalletMove},
    graphql::{
        context::ContextExt,
        rate::{Kind, acting},
        scalar::Decimal,
        types::{user_error::UserError, wallet::Wallet},
    },
};

#[derive(Debug, Default)]
pub struct Wallets;

/// A deposit or withdrawal.
#[derive(Debug, InputObject)]
pub struct WalletAmountInput {
    /// The amount, in the marketplace's currency.
    amount: Decimal,
    /// A key of 1 to 200 bytes. A request repeated with the same key moves the money once. Keys
    /// never expire.
    idempotency_key: String,
    /// The owner of the wallet; by default the viewer. Only an admin may name somebody else.
    user: Option<ID>,
}

/// The result of a deposit or withdrawal.
#[derive(Debug, SimpleObject)]
pub struct WalletPayload {
    /// The wallet afterwards. Null if it was refused.
    wallet: Option<Wallet>,
    /// The reasons for a refusal; empty on success.
    user_errors: Vec<UserError>,
}

async fn move_money(
    ctx: &Context<'_>,
    kind: TransferKind,
    input: WalletAmountInput,
) -> Result<WalletPayload> {
    let asker = acting(ctx, Kind::Money)?;
    let done = try_move(ctx, asker, kind, input).await;
    Ok(match answer(ctx, done)? {
        Ok((owner, balances)) => {
            WalletPayload { wallet: Some(Wallet { owner, balances }), user_errors: Vec::new() }
        }
        Err(user_errors) => WalletPayload { wallet: None, user_errors },
    })
}

async fn try_move(
    ctx: &Context<'_>,
    asker: &Session,
    kind: TransferKind,
    input: WalletAmountInput,
) -> Result<(UserId, Balances), Error> {
    let engine = ctx.engine().map_err(|error| Error::Fault(error.message))?;
    let amount = input.amount.amount(&engine.rules().currency, &["amount"])?;
    let Ok(user) = input.user.map(|id| id.parse()).transpose() else {
        return Err(Refusal::new(Code::UserNotFound, "There is no such user.")
            .at(&["user"])
            .into());
    };
    let idempotency_key = IdempotencyKey::parse(input.idempotency_key)?;
    engine.move_money(asker, WalletMove { kind, amount, idempotency_key, user }).await
}

#[Object]
impl Wallets {
    /// Deposits money into a wallet. Where payments are simulated, users may deposit into their own
    /// wallets; otherwise only an admin may, and the mutation fails with FORBIDDEN for others.
    async fn deposit_to_wallet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The amount and the wallet.")] input: WalletAmountInput,
    ) -> Result<WalletPayload> {
        move_money(ctx, TransferKind::Deposit, input).await
    }

    /// Withdraws available money from a wallet. Allowed to the same users as a deposit.
    async fn withdraw_from_wallet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The amount and the wallet.")] input: WalletAmountInput,
    ) -> Result<WalletPayload> {
        move_money(ctx, TransferKind::Withdrawal, input).await
    }
}
