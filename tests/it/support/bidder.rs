//! People who bid in a storm: over HTTP or a WebSocket, up to a maximum, too low, beyond their
//! money, twice at once, once more later, or gone before the answer comes. All of it is noted.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use entity::ids::{AuctionId, BidId, UserId};

use super::{
    books::Books,
    client::{Answer, Api, Lost, Offer, Person, Placed, Seen, Socket},
    dice::Dice,
};

/// The step of every auction in a storm.
pub const UNIT: i64 = 100;

/// The auctions of a storm.
#[derive(Debug)]
pub struct Board {
    pub auctions: Vec<(AuctionId, Mutex<Known>)>,
    /// What each person has in all.
    pub money: i64,
}

/// What the bidders of a storm tell each other about an auction.
#[derive(Debug)]
pub struct Known {
    /// As anybody saw it last.
    seen: Seen,
    /// The highest amount that anybody set out to bid.
    reach: i64,
}

impl Board {
    /// Of auctions that start at 10,000 and have no bid yet.
    pub fn new(auctions: impl IntoIterator<Item = AuctionId>, money: i64) -> Arc<Self> {
        let fresh = Seen { sequence: 1, price: 10_000, minimum: 10_000, bids: 0, leader: None };
        let known = || Known { seen: fresh.clone(), reach: 10_000 };
        let auctions = auctions.into_iter().map(|id| (id, Mutex::new(known())));
        Arc::new(Self { auctions: auctions.collect(), money })
    }

    fn saw(&self, offer: &Offer, answer: &Answer) {
        let seen = match answer {
            Answer::Accepted(placed) => Some(&placed.after),
            Answer::Refused { seen, .. } => seen.as_ref(),
        };
        let known = self.auctions.iter().find(|(id, _)| *id == offer.auction);
        if let (Some((_, known)), Some(seen)) = (known, seen) {
            let mut known = known.lock().unwrap();
            if seen.sequence > known.seen.sequence {
                known.seen = seen.clone();
            }
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    Answered(Answer),
    /// The bidder went away before the answer came.
    Left,
    /// The house went away.
    Lost,
}

/// A request, and what became of it.
#[derive(Debug, Clone)]
pub struct Note {
    pub bidder: UserId,
    pub offer: Offer,
    pub outcome: Outcome,
}

/// One of a storm's tasks: a person's phone, say.
#[derive(Debug)]
pub struct Bidder {
    pub person: Person,
    pub notes: Vec<Note>,
    api: Api,
    /// Over HTTP, if there is to be none.
    socket: Option<Socket>,
    over_socket: bool,
    only_keyed: bool,
    name: String,
    keys: usize,
    dice: Dice,
    board: Arc<Board>,
    /// Bids under a key that are to be sent again.
    again: Vec<Offer>,
}

impl Bidder {
    /// The `number`th bidder; the odd ones come over WebSockets.
    pub fn new(number: u64, person: &Person, api: &Api, board: &Arc<Board>) -> Self {
        Self {
            person: person.clone(),
            notes: Vec::new(),
            api: api.clone(),
            socket: None,
            over_socket: number % 2 == 1,
            only_keyed: false,
            name: format!("열쇠 {number}"),
            keys: 0,
            dice: Dice::new(number),
            board: Arc::clone(board),
            again: Vec::new(),
        }
    }

    /// Gives every bid a key, so that an answer that was lost can be had again.
    pub fn with_keys_only(mut self) -> Self {
        self.only_keyed = true;
        self
    }

    /// From now on the house is there.
    pub fn moved(&mut self, address: SocketAddr) {
        self.api = Api::new(address);
        self.socket = None;
    }

    /// One more bid, of whatever kind.
    pub async fn turn(&mut self) -> Result<(), Lost> {
        match self.dice.roll(16) {
            0..=8 => {
                let keyed = self.only_keyed || self.dice.roll(2) == 0;
                let offer = self.offer(keyed);
                self.ask(offer).await
            }
            9..=10 => {
                let offer = self.offer(true);
                self.ask_twice(offer).await
            }
            11..=12 => {
                let offer = self.offer(true);
                self.ask_and_leave(offer).await
            }
            _ => {
                let known = self.again.len();
                let offer = match known {
                    0 => self.offer(true),
                    _ => self.again[self.dice.place(known)].clone(),
                };
                self.ask(offer).await
            }
        }
    }

    /// Sends every bid under a key once more.
    pub async fn repeat_all(&mut self) -> Result<(), Lost> {
        while let Some(offer) = self.again.last().cloned() {
            self.ask(offer).await?;
            self.again.pop();
        }
        Ok(())
    }

    /// A bid: mostly a sensible one, sometimes too low or beyond the person's money; and a leader
    /// may raise the maximum alone.
    fn offer(&mut self, keyed: bool) -> Offer {
        let board = Arc::clone(&self.board);
        let (auction, known) = &board.auctions[self.dice.place(board.auctions.len())];
        let mut known = known.lock().unwrap();
        let Seen { price, minimum, .. } = known.seen;
        let leads = known.seen.leader == Some(self.person.id);
        let mut steps = |most: u64| UNIT * i64::try_from(self.dice.roll(most)).unwrap();
        let (amount, maximum) = match steps(16) / UNIT {
            0 => (minimum - 3 * UNIT, None),
            1 => (board.money + UNIT, None),
            2..=9 => (minimum.max(known.reach + UNIT), None),
            10..=12 if leads => (price, Some(price + UNIT + steps(48))),
            _ => (minimum, Some(minimum + steps(32))),
        };
        if amount < board.money {
            known.reach = known.reach.max(amount);
        }
        let auction = *auction;
        self.keys += 1;
        let offer = Offer {
            auction,
            amount,
            maximum,
            key: keyed.then(|| format!("{} {}", self.name, self.keys)),
        };
        if keyed {
            self.again.push(offer.clone());
        }
        offer
    }

    async fn ask(&mut self, offer: Offer) -> Result<(), Lost> {
        let answer = self.place(&offer).await;
        self.note(offer, answer)
    }

    async fn place(&mut self, offer: &Offer) -> Result<Answer, Lost> {
        match self.over_socket {
            true => self.socket().await?.place_bid(offer).await,
            false => self.api.place_bid(&self.person, offer).await,
        }
    }

    async fn socket(&mut self) -> Result<&mut Socket, Lost> {
        if self.socket.is_none() {
            let token = Some(self.person.token.as_str());
            self.socket = Some(Socket::open(self.api.address, token).await?);
        }
        Ok(self.socket.as_mut().unwrap())
    }

    /// The same bid twice at the same time: once over HTTP, once this bidder's way.
    async fn ask_twice(&mut self, offer: Offer) -> Result<(), Lost> {
        let (api, person) = (self.api.clone(), self.person.clone());
        let (one, other) = tokio::join!(api.place_bid(&person, &offer), self.place(&offer));
        let one = self.note(offer.clone(), one);
        self.note(offer, other)?;
        one
    }

    /// Sends a bid, and is gone before the answer comes.
    async fn ask_and_leave(&mut self, offer: Offer) -> Result<(), Lost> {
        if self.over_socket {
            self.socket().await?.begin_bid(&offer).await?;
            self.socket = None;
        } else {
            let patience = Duration::from_millis(self.dice.roll(12));
            let asked = self.api.place_bid(&self.person, &offer);
            if let Ok(answer) = tokio::time::timeout(patience, asked).await {
                return self.note(offer, answer);
            }
        }
        self.notes.push(Note { bidder: self.person.id, offer, outcome: Outcome::Left });
        Ok(())
    }

    fn note(&mut self, offer: Offer, answer: Result<Answer, Lost>) -> Result<(), Lost> {
        let (outcome, done) = match answer {
            Ok(answer) => {
                self.board.saw(&offer, &answer);
                (Outcome::Answered(answer), Ok(()))
            }
            Err(lost) => {
                self.socket = None;
                (Outcome::Lost, Err(lost))
            }
        };
        self.notes.push(Note { bidder: self.person.id, offer, outcome });
        done
    }
}

/// How often what happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub accepted: usize,
    pub replayed: usize,
    pub left: usize,
    pub lost: usize,
    pub refused: HashMap<String, usize>,
}

/// Every answer is what the books say; a key counts once, with one answer; and nothing is in the
/// books that nobody asked for, or that was refused.
pub fn compare(notes: &[Note], books: &Books) -> Tally {
    let mut tally = Tally::default();
    let mut by_key: HashMap<(UserId, &str), &Placed> = HashMap::new();
    let mut known: Vec<BidId> = books.keys.values().filter_map(|key| key.bid_id).collect();
    for note in notes {
        match &note.outcome {
            Outcome::Left => tally.left += 1,
            Outcome::Lost => tally.lost += 1,
            Outcome::Answered(Answer::Refused { code, seen }) => {
                *tally.refused.entry(code.clone()).or_default() += 1;
                books.was(note.offer.auction, seen.as_ref().unwrap());
            }
            Outcome::Answered(Answer::Accepted(placed)) => {
                books.find(note.bidder, &note.offer, placed);
                known.push(placed.bid);
                let key = note.offer.key.as_deref();
                let first = key.and_then(|key| by_key.insert((note.bidder, key), placed));
                match first {
                    Some(first) => {
                        assert_eq!(first, placed, "another answer to the same key");
                        tally.replayed += 1;
                    }
                    None => tally.accepted += 1,
                }
            }
        }
    }
    let unknown: Vec<_> = books
        .placed_by_people()
        .into_iter()
        .filter(|bid| !known.contains(bid))
        .map(|bid| &books.bids[&bid])
        .collect();
    assert!(unknown.is_empty(), "in the books, and never accepted: {unknown:?}");
    tally
}
