//! Orders: handover, receipt, disputes.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::ids::OrderId;

use super::answer;
use crate::{
    domain::{
        order::Action,
        refusal::{Code, Refusal},
        text::Reason,
    },
    graphql::{
        context::ContextExt,
        rate::{Kind, acting},
        types::{enums::DisputeOutcome, order::Order, user_error::UserError},
    },
};

#[derive(Debug, Default)]
pub struct Orders;

/// An order.
#[derive(Debug, InputObject)]
pub struct OrderIdInput {
    /// Which.
    id: ID,
}

/// An order to disagree about.
#[derive(Debug, InputObject)]
pub struct OpenDisputeInput {
    /// Which.
    id: ID,
    /// What is wrong: 1 to 500 characters.
    reason: String,
}

/// A dispute to decide.
#[derive(Debug, InputObject)]
pub struct ResolveDisputeInput {
    /// Which order.
    id: ID,
    /// For whom.
    outcome: DisputeOutcome,
    /// Why: 1 to 500 characters.
    note: String,
}

/// The order, or why nothing was done.
#[derive(Debug, SimpleObject)]
pub struct OrderPayload {
    /// The order; null when refused.
    order: Option<Order>,
    /// Why it was refused; empty when it was not.
    user_errors: Vec<UserError>,
}

fn parse(
    id: &ID,
    words: Option<Result<Reason, Refusal>>,
) -> Result<(OrderId, Option<Reason>), Refusal> {
    let unknown = || Refusal::new(Code::OrderNotFound, "There is no such order.").at(&["id"]);
    Ok((id.parse().map_err(|_| unknown())?, words.transpose()?))
}

async fn act(
    ctx: &Context<'_>,
    id: &ID,
    action: Action,
    words: Option<Result<Reason, Refusal>>,
) -> Result<OrderPayload> {
    let asker = acting(ctx, Kind::Order)?;
    let done = match parse(id, words) {
        Ok((id, words)) => ctx.engine()?.act_on_order(asker, id, action, words).await,
        Err(refusal) => Err(refusal.into()),
    };
    Ok(match answer(ctx, done)? {
        Ok(order) => OrderPayload { order: Some(Order(order)), user_errors: Vec::new() },
        Err(user_errors) => OrderPayload { order: None, user_errors },
    })
}

#[Object]
impl Orders {
    /// The seller says that the buyer has the goods.
    async fn mark_handed_over(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::HandOver, None).await
    }

    /// The buyer has the goods: the seller is paid, but for the fee.
    async fn confirm_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::ConfirmReceipt, None).await
    }

    /// Either side disagrees, before or after the handover: an admin decides.
    async fn open_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order, and why.")] input: OpenDisputeInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::Dispute, Some(Reason::parse(&input.reason))).await
    }

    /// The buyer gives up waiting, 72 hours after the sale without a handover: the money comes
    /// back.
    async fn cancel_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::Cancel, None).await
    }

    /// An admin decides a dispute. FORBIDDEN to others.
    async fn resolve_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order, for whom, and why.")] input: ResolveDisputeInput,
    ) -> Result<OrderPayload> {
        let action = match input.outcome {
            DisputeOutcome::PaySeller => Action::PaySeller,
            DisputeOutcome::RefundBuyer => Action::RefundBuyer,
        };
        let note = Reason::parse(&input.note).map_err(|refusal| refusal.at(&["note"]));
        act(ctx, &input.id, action, Some(note)).await
    }
}
