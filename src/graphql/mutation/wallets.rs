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

/// An amount to move in or out.
#[derive(Debug, InputObject)]
pub struct WalletAmountInput {
    /// How much.
    amount: Decimal,
    /// 1 to 200 bytes: repeated under the same key, the money moves once. Keys never expire.
    idempotency_key: String,
    /// On whose behalf; only an admin may name somebody else.
    user: Option<ID>,
}

/// The wallet after the movement, or why there was none.
#[derive(Debug, SimpleObject)]
pub struct WalletPayload {
    /// The wallet; null when refused.
    wallet: Option<Wallet>,
    /// Why it was refused; empty when it was not.
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
    /// Puts money into a wallet: one's own where payments are simulated, or anybody's by an admin.
    /// FORBIDDEN otherwise.
    async fn deposit_to_wallet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much.")] input: WalletAmountInput,
    ) -> Result<WalletPayload> {
        move_money(ctx, TransferKind::Deposit, input).await
    }

    /// Takes available money out of a wallet; allowed to the same as a deposit.
    async fn withdraw_from_wallet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much.")] input: WalletAmountInput,
    ) -> Result<WalletPayload> {
        move_money(ctx, TransferKind::Withdrawal, input).await
    }
}
