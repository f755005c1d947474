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

/// An order, by its id.
#[derive(Debug, InputObject)]
pub struct OrderIdInput {
    /// The id of the order.
    id: ID,
}

/// The order to dispute, and why.
#[derive(Debug, InputObject)]
pub struct OpenDisputeInput {
    /// The id of the order.
    id: ID,
    /// What is wrong: 1 to 500 characters.
    reason: String,
}

/// An admin's decision of a dispute.
#[derive(Debug, InputObject)]
pub struct ResolveDisputeInput {
    /// The id of the order.
    id: ID,
    /// The decision.
    outcome: DisputeOutcome,
    /// The explanation, shown to both sides: 1 to 500 characters.
    note: String,
}

/// The result of a mutation of an order.
#[derive(Debug, SimpleObject)]
pub struct OrderPayload {
    /// The order after the mutation. Null if it was refused.
    order: Option<Order>,
    /// The reasons for a refusal; empty on success.
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
    /// Records, by the seller, that the item was handed over to the buyer.
    async fn mark_handed_over(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::HandOver, None).await
    }

    /// Confirms, by the buyer, that the item was received. The seller is paid the price minus the
    /// fee.
    async fn confirm_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::ConfirmReceipt, None).await
    }

    /// Opens a dispute about an order, by either side and before or after the handover. An admin
    /// decides it.
    async fn open_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order, and what is wrong.")] input: OpenDisputeInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::Dispute, Some(Reason::parse(&input.reason))).await
    }

    /// Cancels an order, by the buyer, if the item was not handed over within 72 hours of the sale.
    /// The buyer is refunded.
    async fn cancel_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order to cancel.")] input: OrderIdInput,
    ) -> Result<OrderPayload> {
        act(ctx, &input.id, Action::Cancel, None).await
    }

    /// Decides a dispute. Only for admins who are not a side of the order; fails with FORBIDDEN for
    /// others.
    async fn resolve_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order and the decision.")] input: ResolveDisputeInput,
    ) -> Result<OrderPayload> {
        let action = match input.outcome {
            DisputeOutcome::PaySeller => Action::PaySeller,
            DisputeOutcome::RefundBuyer => Action::RefundBuyer,
        };
        let note = Reason::parse(&input.note).map_err(|refusal| refusal.at(&["note"]));
        act(ctx, &input.id, action, Some(note)).await
    }
}
