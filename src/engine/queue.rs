//! What waits in a lane: each auction's bids in order of arrival, and a fair share of each batch
//! for every auction and every bidder; bounded in all, for an auction, and for a bidder.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use entity::ids::{AuctionId, UserId};

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// In all.
    pub all: usize,
    /// Of one bidder: a quarter of them stands in line, and who has more waits for oneself alone.
    pub bidder: usize,
}

/// Whose bid it is, and on what.
pub(super) trait Waits {
    fn auction(&self) -> AuctionId;
    fn bidder(&self) -> UserId;
}

/// Why a bid may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// Too many wait already.
    AtAll,
    /// Too many of this bidder's wait already.
    OfBidder,
}

/// Bids that wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    bounds: Bounds,
    /// By auction, with the number under which each arrived.
    waiting: HashMap<AuctionId, VecDeque<(u64, T)>>,
    /// Auctions in turn.
    turns: VecDeque<AuctionId>,
    by_bidder: HashMap<UserId, Share<T>>,
    /// How many wait for each auction, in its line or behind.
    by_auction: HashMap<AuctionId, usize>,
    len: usize,
    arrived: u64,
}

/// What waits of one bidder.
#[derive(Debug)]
struct Share<T> {
    in_line: usize,
    /// What joins the lines when something of the bidder's leaves them.
    behind: VecDeque<T>,
}

impl<T: Waits> Queue<T> {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            by_bidder: HashMap::new(),
            by_auction: HashMap::new(),
            len: 0,
            arrived: 0,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts a bid at the end of its auction's line, if there is room for it. One auction gets half
    /// of the room at most, so that a hot one leaves some to the others.
    pub fn push(&mut self, item: T) -> Result<(), NoRoom> {
        let (auction, bidder) = (item.auction(), item.bidder());
        let of_auction = self.by_auction.get(&auction).copied().unwrap_or_default();
        let share = self.by_bidder.get(&bidder);
        let in_line = share.map_or(0, |share| share.in_line);
        if in_line + share.map_or(0, |share| share.behind.len()) >= self.bounds.bidder {
            return Err(NoRoom::OfBidder);
        }
        if self.len >= self.bounds.all || of_auction >= self.bounds.all.div_ceil(2) {
            return Err(NoRoom::AtAll);
        }
        self.len += 1;
        *self.by_auction.entry(auction).or_default() += 1;
        let share = self.by_bidder.entry(bidder).or_insert_with(Share::new);
        if share.in_line >= self.bounds.in_line() {
            share.behind.push_back(item);
        } else {
            share.in_line += 1;
            self.line_up(item);
        }
        Ok(())
    }

    fn line_up(&mut self, item: T) {
        self.arrived += 1;
        let auction = item.auction();
        let line = self.waiting.entry(auction).or_insert_with(|| {
            self.turns.push_back(auction);
            VecDeque::new()
        });
        line.push_back((self.arrived, item));
    }

    /// The next batch, in order of arrival: the auctions give one bid each in turn until there are
    /// `most`, so that none waits for another's crowd.
    pub fn take(&mut self, most: usize) -> Vec<T> {
        let mut taken = Vec::with_capacity(most.min(self.len));
        while taken.len() < most
            && let Some(auction) = self.turns.pop_front()
        {
            let Entry::Occupied(mut line) = self.waiting.entry(auction) else { continue };
            taken.extend(line.get_mut().pop_front());
            match line.get().is_empty() {
                true => drop(line.remove()),
                false => self.turns.push_back(auction),
            }
        }
        self.len -= taken.len();
        for (_, item) in &taken {
            self.follow_up(item.bidder());
            if let Entry::Occupied(mut count) = self.by_auction.entry(item.auction()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        taken.sort_unstable_by_key(|(arrived, _)| *arrived);
        taken.into_iter().map(|(_, item)| item).collect()
    }

    /// Something of a bidder's has left the lines: what waits behind it joins them.
    fn follow_up(&mut self, bidder: UserId) {
        let Entry::Occupied(mut share) = self.by_bidder.entry(bidder) else { return };
        match share.get_mut().behind.pop_front() {
            Some(next) => self.line_up(next),
            None => {
                share.get_mut().in_line -= 1;
                if share.get().in_line == 0 {
                    share.remove();
                }
            }
        }
    }
}

impl Bounds {
    /// How much of one bidder stands in line.
    fn in_line(self) -> usize {
        self.bidder.div_ceil(4)
    }
}

impl<T> Share<T> {
    fn new() -> Self {
        Self { in_line: 0, behind: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// A bid of a bidder on an auction, and which one.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Bid(u128, u128, u32);

    impl Waits for Bid {
        fn auction(&self) -> AuctionId {
            AuctionId(Uuid::from_u128(self.0))
        }

        fn bidder(&self) -> UserId {
            UserId(Uuid::from_u128(self.1))
        }
    }

    fn queue(all: usize, bidder: usize) -> Queue<Bid> {
        Queue::new(Bounds { all, bidder })
    }

    #[test]
    fn bids_of_an_auction_leave_as_they_came() {
        let mut queue = queue(100, 100);
        for number in 0..10 {
            queue.push(Bid(1, 1, number)).unwrap();
        }
        let taken: Vec<_> = [4, 4, 4].iter().flat_map(|most| queue.take(*most)).collect();
        assert_eq!(taken, (0..10).map(|number| Bid(1, 1, number)).collect::<Vec<_>>());
        assert_eq!((queue.len(), queue.take(4)), (0, vec![]));
    }

    #[test]
    fn a_batch_is_in_order_of_arrival_across_auctions() {
        let mut queue = queue(100, 100);
        let bids = [Bid(1, 1, 0), Bid(2, 1, 1), Bid(1, 2, 2), Bid(3, 1, 3), Bid(2, 2, 4)];
        for bid in bids {
            queue.push(bid).unwrap();
        }
        assert_eq!(queue.take(100), bids);
    }

    #[test]
    fn a_hot_auction_leaves_its_neighbours_a_place_in_each_batch_and_room_to_wait() {
        let mut queue = queue(100, 1_000);
        let crowd = (0..1_000).filter(|number| queue.push(Bid(1, 1, *number)).is_ok()).count();
        assert_eq!(crowd, 50);
        queue.push(Bid(2, 2, 0)).unwrap();
        queue.push(Bid(3, 3, 0)).unwrap();
        let batch = queue.take(8);
        assert_eq!(batch.len(), 8);
        assert!(batch.contains(&Bid(2, 2, 0)) && batch.contains(&Bid(3, 3, 0)));
        let crowd: Vec<_> = batch.into_iter().filter(|bid| bid.0 == 1).map(|bid| bid.2).collect();
        assert_eq!(crowd, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_waits_behind_the_lines_counts_against_its_auctions_half() {
        let mut queue = queue(100, 8);
        for bidder in 0..20 {
            for number in 0..8 {
                let _ = queue.push(Bid(1, bidder, number));
            }
        }
        assert_eq!(queue.len(), 50);
        queue.push(Bid(2, 99, 0)).unwrap();
        while queue.len() > 0 {
            assert!(!queue.take(7).is_empty(), "what is behind comes forward");
        }
        assert!(queue.by_auction.is_empty() && queue.by_bidder.is_empty());
    }

    #[test]
    fn a_bidder_stands_in_line_with_a_quarter_of_a_share() {
        let mut queue = queue(100, 16);
        for number in 0..16 {
            queue.push(Bid(u128::from(number % 2), 7, number)).unwrap();
        }
        assert_eq!(queue.push(Bid(1, 7, 16)), Err(NoRoom::OfBidder));
        queue.push(Bid(1, 8, 0)).unwrap();
        let numbers = |batch: Vec<Bid>| batch.iter().map(|bid| (bid.1, bid.2)).collect::<Vec<_>>();
        assert_eq!(numbers(queue.take(100)), [(7, 0), (7, 1), (7, 2), (7, 3), (8, 0)]);
        queue.push(Bid(1, 8, 1)).unwrap();
        assert_eq!(numbers(queue.take(3)), [(7, 4), (7, 5), (7, 6)], "as they came");
        assert_eq!(numbers(queue.take(100)), [(7, 7), (8, 1), (7, 8), (7, 9), (7, 10)]);
        assert_eq!(queue.len(), 5);
        let rest: Vec<_> = (0..2).flat_map(|_| numbers(queue.take(100))).collect();
        assert_eq!(rest, (11..16).map(|number| (7, number)).collect::<Vec<_>>());
        assert_eq!((queue.len(), queue.by_bidder.len()), (0, 0));
    }

    #[test]
    fn a_bidder_waits_with_no_more_than_a_share() {
        let mut queue = queue(100, 3);
        for number in 0..3 {
            queue.push(Bid(number.into(), 7, number)).unwrap();
        }
        assert_eq!(queue.push(Bid(9, 7, 9)), Err(NoRoom::OfBidder));
        queue.push(Bid(9, 8, 0)).unwrap();
        assert_eq!(queue.take(1), [Bid(0, 7, 0)]);
        queue.push(Bid(9, 7, 9)).unwrap();
    }
}
