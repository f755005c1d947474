//! A line now and then about what happens, calm enough to read.

use std::time::{Duration, Instant};

use chrono::{Local, TimeDelta};
use entity::{Time, enums::AuctionStatus};

use super::{
    say,
    text::{left, right, won},
};
use crate::domain::listing::AuctionView;

/// What is told; of what happens between two lines, the last is the most worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Somebody took the lead.
    Leads,
    /// Somebody listed something.
    Listed,
    /// A listed auction opened.
    Opens,
    /// An auction ended.
    Ends,
    /// A newcomer leads.
    GuestLeads,
}

/// The least time between two lines.
const CALM: Duration = Duration::from_millis(2_500);

/// This close to its end, a line tells when it is.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// Tells the most notable of what happened since its last line.
#[derive(Debug)]
pub struct Ticker {
    is_quiet: bool,
    pending: Option<(News, String)>,
    told_at: Instant,
}

impl Ticker {
    /// One that tells, or never does.
    pub fn new(is_quiet: bool) -> Self {
        Self { is_quiet, pending: None, told_at: Instant::now() }
    }

    /// Something happened.
    pub fn tell(&mut self, news: News, view: &AuctionView, now: Time) {
        let is_less = |(pending, _): &(News, String)| *pending > news;
        if !self.is_quiet && !self.pending.as_ref().is_some_and(is_less) {
            self.pending = Some((news, line(news, view, now)));
        }
    }

    /// Prints a line if it is time for one. When nobody reads any more, it is the last.
    pub fn turn(&mut self) {
        if self.told_at.elapsed() < CALM {
            return;
        }
        if let Some((_, line)) = self.pending.take() {
            self.told_at = Instant::now();
            self.is_quiet = !say(&line);
        }
    }
}

fn line(news: News, view: &AuctionView, now: Time) -> String {
    let clock = |at: Time| at.with_timezone(&Local).format("%H:%M:%S").to_string();
    let AuctionView { listing, state } = view;
    let title = &listing.title;
    let leader = state.leader.as_ref().map(|user| user.username.as_str());
    let bids = match state.bid_count {
        0 => "no bid".to_owned(),
        1 => "1 bid".to_owned(),
        bids => format!("{bids} bids"),
    };
    let sentence = match (news, leader) {
        (News::Listed, _) => format!("{} lists {title}", listing.seller.username),
        (News::Opens, _) => format!("{title} opens"),
        (News::Ends, Some(leader)) if state.status == AuctionStatus::Sold => {
            format!("{leader} wins {title} ({bids})")
        }
        (News::Ends, _) if state.status == AuctionStatus::Cancelled => {
            format!("{} withdraws {title}", listing.seller.username)
        }
        (News::Ends, _) => format!("{title} ends unsold ({bids})"),
        (News::Leads | News::GuestLeads, leader) => {
            let leader = leader.unwrap_or("nobody");
            let is_late = state.ends_at - now <= LATE;
            let end = is_late.then(|| format!(", ends {}", clock(state.ends_at)));
            let end = end.unwrap_or_default();
            format!("{leader} leads {title} ({bids}{end})")
        }
    };
    let price = right(&won(state.price), 11);
    format!("{}{price}  {sentence}\n", left(&clock(now), 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newcomer_does_is_told_first() {
        assert!(News::GuestLeads > News::Ends && News::Ends > News::Leads);
    }
}
