//! Security events: one line each in the log, under the target `security`, and one metric.
//!
//! A line names the account by its id, never by what somebody typed: a password is typed into the
//! username's field now and then. It carries no token, no password and no header.

use std::{
    fmt::Display,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // `name` describes those whose name does not.
pub enum Event {
    SignUp,
    SignIn,
    SignInFailed,
    SignOut,
    RateLimited,
    Forbidden,
    OriginRefused,
    ForwardedForUnreadable,
    ConnectionsOfAddress,
    ConnectionsInAll,
    SocketsOfAddress,
    AdminMovedMoney,
    AdminDecidedDispute,
    AdminGranted,
}

/// Every event, in the order of the enum.
const ALL: [Event; 14] = [
    Event::SignUp,
    Event::SignIn,
    Event::SignInFailed,
    Event::SignOut,
    Event::RateLimited,
    Event::Forbidden,
    Event::OriginRefused,
    Event::ForwardedForUnreadable,
    Event::ConnectionsOfAddress,
    Event::ConnectionsInAll,
    Event::SocketsOfAddress,
    Event::AdminMovedMoney,
    Event::AdminDecidedDispute,
    Event::AdminGranted,
];

/// How many lines a minute an event that strangers can cause at will may fill.
const LINES_A_MINUTE: u32 = 6;

/// How the lines of each event were spent.
static SPENT: [Spent; ALL.len()] = [const { Spent::new() }; ALL.len()];

impl Event {
    /// As the log's `event` field and the metric's label have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            // With the account's id where the account exists.
            Self::SignInFailed => "sign_in_failed",
            Self::SignOut => "sign_out",
            Self::RateLimited => "rate_limited",
            // Signed in, but not allowed to.
            Self::Forbidden => "forbidden",
            // A page of another site asked for a WebSocket.
            Self::OriginRefused => "origin_refused",
            // Behind a trusted proxy.
            Self::ForwardedForUnreadable => "forwarded_for_unreadable",
            Self::ConnectionsOfAddress => "connections_of_address",
            Self::ConnectionsInAll => "connections_in_all",
            Self::SocketsOfAddress => "sockets_of_address",
            Self::AdminMovedMoney => "admin_moved_money",
            Self::AdminDecidedDispute => "admin_decided_dispute",
            Self::AdminGranted => "admin_granted",
        }
    }

    /// Whether anybody can cause it as often as they like: then only some are told, and how many
    /// were not.
    const fn is_bounded(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Forbidden
                | Self::OriginRefused
                | Self::ForwardedForUnreadable
                | Self::ConnectionsOfAddress
                | Self::ConnectionsInAll
                | Self::SocketsOfAddress
        )
    }

    /// Whether somebody was kept from something.
    const fn is_refusal(self) -> bool {
        self.is_bounded() || matches!(self, Self::SignInFailed)
    }
}

/// Whom and what an event concerns, as far as it is known.
#[derive(Clone, Copy, Default)]
#[allow(missing_debug_implementations)] // `Display` alone has none.
pub struct About<'a> {
    /// The id of the account that acted, or that was tried.
    pub account: Option<&'a dyn Display>,
    /// Where from: an address, or the network that a limit counts by.
    pub address: Option<IpAddr>,
    /// What was acted on: an id or the name of a limit. Never what a client sent.
    pub subject: Option<&'a dyn Display>,
}

impl About<'_> {
    /// Only where from.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }
}

/// Counts an event and tells it in one line.
pub fn record(event: Event, about: &About<'_>) {
    let name = event.name();
    metrics::counter!("neighborbid_security_events_total", "event" => name).increment(1);
    let unsaid = match event.is_bounded() {
        true => match SPENT[event as usize].spend(Instant::now()) {
            Some(unsaid) => unsaid,
            None => return,
        },
        false => 0,
    };
    let account = about.account.map(tracing::field::display);
    let address = about.address.map(tracing::field::display);
    let subject = about.subject.map(tracing::field::display);
    let unsaid = (unsaid > 0).then_some(unsaid);
    if event.is_refusal() {
        tracing::warn!(
            target: "security", event = name, account, address, subject, unsaid, "security"
        );
    } else {
        tracing::info!(target: "security", event = name, account, address, subject, "security");
    }
}

/// Every series of the metric is there from the start.
pub(super) fn begin() {
    metrics::describe_counter!("neighborbid_security_events_total", "Security events, by event.");
    for event in ALL {
        let name = event.name();
        metrics::counter!("neighborbid_security_events_total", "event" => name).absolute(0);
    }
}

/// The lines of one event in the minute that runs, and how many were not told.
struct Spent(Mutex<(Option<Instant>, u32, u64)>);

impl Spent {
    const fn new() -> Self {
        Self(Mutex::new((None, 0, 0)))
    }

    /// How many were not told since the last line; None when this one is not told either.
    fn spend(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, lines, unsaid) = &mut *state;
        if began.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(60)) {
            (*began, *lines) = (Some(now), 0);
        }
        if *lines >= LINES_A_MINUTE {
            *unsaid += 1;
            return None;
        }
        *lines += 1;
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_a_place_and_a_name_of_its_own() {
        for (place, event) in ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
            assert_eq!(ALL.iter().filter(|other| other.name() == event.name()).count(), 1);
        }
    }

    #[test]
    fn a_flood_fills_a_few_lines_a_minute_and_says_how_many_it_left_out() {
        let (spent, now) = (Spent::new(), Instant::now());
        let told = (0..100).filter(|_| spent.spend(now).is_some()).count();
        assert_eq!(told, 6);
        assert_eq!(spent.spend(now + Duration::from_secs(60)), Some(94));
    }
}
