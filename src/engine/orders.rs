//! Orders: handover, receipt, disputes, and the money that follows. An order changes only while
//! its auction's row is locked.

use entity::{
    ids::{OrderId, UserId},
    order,
};

use super::{
    Engine, Error, Session,
    command::{self, Attempt, Command, Decision, Effects},
    work::Work,
};
use crate::{
    domain::{
        order::{Action, Actor, Denied, OrderState, Settlement, Step, act},
        refusal::{Code, Refusal},
        text::Reason,
    },
    store::orders,
    telemetry::security::{self, About, Event},
};

/// Who asks for an action on an order.
#[derive(Debug, Clone, Copy)]
enum Asker {
    User { id: UserId, is_admin: bool },
    House,
}

impl Asker {
    /// As whom the viewer acts; `None` for a stranger, who is told of no order. A side is a side,
    /// admin or not: nobody judges their own order.
    fn actor(self, order: &order::Model) -> Option<Actor> {
        match self {
            Self::House => Some(Actor::House),
            Self::User { id, .. } if id == order.buyer_id => Some(Actor::Buyer),
            Self::User { id, .. } if id == order.seller_id => Some(Actor::Seller),
            Self::User { is_admin: true, .. } => Some(Actor::Admin),
            Self::User { .. } => None,
        }
    }
}

impl Engine {
    /// Does an action on an order; `words` is the reason of a dispute or the note of its decision.
    ///
    /// # Errors
    /// Forbidden when it is not the viewer's to do; a refusal when it is not possible now, or there
    /// is no such order for the viewer.
    pub async fn act_on_order(
        &self,
        asker: &Session,
        id: OrderId,
        action: Action,
        words: Option<Reason>,
    ) -> Result<order::Model, Error> {
        let user = asker.user.id;
        let asker = Asker::User { id: user, is_admin: self.is_admin(asker).await? };
        let order = self.act(asker, id, action, words).await?;
        if matches!(action, Action::PaySeller | Action::RefundBuyer) {
            let about = About { account: Some(&user), subject: Some(&id), ..About::default() };
            security::record(Event::AdminDecidedDispute, &about);
        }
        Ok(order)
    }

    async fn act(
        &self,
        asker: Asker,
        id: OrderId,
        action: Action,
        words: Option<Reason>,
    ) -> Result<order::Model, Error> {
        command::run(&self.core, Acted { asker, id, action, words }).await
    }
}

/// An action on an order.
pub(super) struct Acted {
    asker: Asker,
    id: OrderId,
    action: Action,
    words: Option<Reason>,
}

impl Acted {
    /// What happens to an order by itself.
    pub fn by_itself(id: OrderId, action: Action) -> Self {
        Self { asker: Asker::House, id, action, words: None }
    }
}

impl Command for Acted {
    type Answer = order::Model;

    const NAME: &'static str = "act on order";

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Decision<order::Model>, Error> {
        let Self { asker, id, action, ref words } = *self;
        let (tx, rules) = (attempt.tx, &attempt.core.rules);
        let unknown = || Refusal::new(Code::OrderNotFound, "There is no such order.").at(&["id"]);
        let seen = orders::by_id(tx, id).await?.ok_or_else(unknown)?;
        let actor = asker.actor(&seen).ok_or_else(unknown)?;
        let sides = [seen.buyer_id, seen.seller_id];
        let mut work = attempt.lock(&[seen.auction_id], sides).await?;
        // Again, under the lock of its auction.
        let mut order = orders::by_id(tx, id).await?.ok_or_else(unknown)?;
        let state = OrderState {
            status: order.status,
            created_at: order.created_at,
            completes_at: order.completes_at,
        };
        let step = act(&state, action, actor, &rules.orders, work.now);
        let step = step.map_err(|denied| match denied {
            Denied::Forbidden(why) => Error::Forbidden(why),
            Denied::Refused(refusal) => Error::Refused(refusal),
        })?;
        apply(&mut work, &mut order, &step, action, words.as_ref())?;
        if let (Actor::Admin, Asker::User { id, .. }) = (actor, asker) {
            order.decided_by = Some(id);
        }
        tell(&mut work, &order, &step, actor);
        orders::save(tx, &order).await?;
        work.save(tx).await?;
        let effects = Effects { moves_deadline: true, ..work.into_effects() };
        Ok(Decision::Commit(order, effects))
    }
}

fn apply(
    work: &mut Work<'_>,
    order: &mut order::Model,
    step: &Step,
    action: Action,
    words: Option<&Reason>,
) -> Result<(), Error> {
    match step.settlement {
        Settlement::None => {}
        Settlement::Pay => work.pay_out(order)?,
        Settlement::Refund => work.refund(order)?,
    }
    order.status = step.status;
    order.updated_at = work.now;
    order.completes_at = step.completes_at;
    let words = words.map(|words| words.as_str().to_owned());
    match action {
        Action::Dispute => order.dispute_reason = words,
        Action::PaySeller | Action::RefundBuyer => order.resolution_note = words,
        _ => {}
    }
    Ok(())
}

/// Both sides are told, but for the one who acted.
fn tell(work: &mut Work<'_>, order: &order::Model, step: &Step, actor: Actor) {
    for (side, user) in [(Actor::Buyer, order.buyer_id), (Actor::Seller, order.seller_id)] {
        if side != actor {
            work.notify(user, step.tells, order.auction_id);
        }
    }
}
