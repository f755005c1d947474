//! What follows a commit: by which row it is known again, and who is told what.

use std::{collections::BTreeMap, sync::Arc};

use entity::ids::UserId;

use super::Work;
use crate::{
    engine::command::Effects,
    live::bus::{AuctionNews, News, PersonNews},
    store::commit_marker::CommitMarker,
};

impl Work<'_> {
    /// What follows once it is committed: by which row it is known again, and who is told what.
    pub fn into_effects(self) -> Effects {
        Effects { marker: self.marker(), news: self.into_news(), moves_deadline: false }
    }

    fn marker(&self) -> Option<CommitMarker> {
        let bid = self.bids.first().map(|bid| CommitMarker::Bid(bid.id));
        let transfer = || self.transfers.first().map(|t| CommitMarker::Transfer(t.id));
        let note = || self.notifications.first().map(|n| CommitMarker::Notification(n.id));
        let event = || {
            let event = self.events.first()?;
            Some(CommitMarker::Event(event.auction, event.sequence(), event.at))
        };
        bid.or_else(transfer).or_else(note).or_else(event)
    }

    /// What to publish once it is committed.
    fn into_news(self) -> Vec<News> {
        let auction = |event| News::Auction(AuctionNews { event: Arc::new(event), listing: None });
        let changed_wallet = |user| {
            let wallet = self.wallets.get(&user);
            wallet.filter(|_| self.changed_wallets.contains(&user)).map(|wallet| wallet.balances)
        };
        let mut people: BTreeMap<UserId, Vec<PersonNews>> = BTreeMap::new();
        for notification in self.notifications {
            let user = notification.user_id;
            let notification = Some(Arc::new(notification));
            let news = PersonNews { user, wallet: changed_wallet(user), notification };
            people.entry(user).or_default().push(news);
        }
        for &user in &self.changed_wallets {
            let wallet = changed_wallet(user);
            let only_money = || vec![PersonNews { user, wallet, notification: None }];
            people.entry(user).or_insert_with(only_money);
        }
        let people = people.into_values().flatten().map(News::Person);
        self.events.into_iter().map(auction).chain(people).collect()
    }
}
