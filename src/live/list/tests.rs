//! What readers of a list are given, however far they are behind and however little is kept.

use std::collections::HashMap;

use futures_util::FutureExt;
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;
use crate::live::{tests as fixtures, update::UpdateKind};

fn list(bytes: usize) -> (Arc<Memory>, Arc<List>) {
    let memory = Arc::new(Memory::new(bytes));
    let known = Arc::new(Memory::new(usize::MAX));
    (Arc::clone(&memory), Arc::new(List::within(memory, known)))
}

fn auction(number: usize) -> AuctionId {
    AuctionId(Uuid::from_u128(number as u128))
}

/// What is there to be read.
fn read(reader: &mut Reader) -> Vec<Arc<Update>> {
    std::iter::from_fn(|| reader.next().now_or_never().flatten()).collect()
}

#[test]
fn a_list_whose_readers_keep_up_keeps_no_updates() {
    let (memory, list) = list(usize::MAX);
    let mut readers = [(); 3].map(|()| Reader::new(Arc::clone(&list)));
    for sequence in 1..=500 {
        list.keep(fixtures::update(auction(0), sequence, false), None);
        for reader in &mut readers {
            assert_eq!(read(reader).len(), 1);
        }
        assert_eq!((memory.held(), list.known_bytes()), (0, LAST_BYTES));
    }
    // One that leaves is waited for by nobody.
    let [quick, slow, mut other] = readers;
    list.keep(fixtures::update(auction(1), 1, false), None);
    drop(quick);
    assert_eq!(read(&mut other).len(), 1);
    assert!(memory.held() > 0, "the slow one still has it to read");
    drop(slow);
    assert_eq!((memory.held(), list.known_bytes()), (0, 2 * LAST_BYTES));
    let known = Arc::clone(&list.known);
    drop((list, other));
    assert_eq!((memory.held(), known.held()), (0, 0));
}

#[test]
fn a_slow_readers_final_events_are_kept_longest() {
    let (memory, list) = list(usize::MAX);
    let mut slow = Reader::new(Arc::clone(&list));
    list.keep(fixtures::update(auction(0), 1, true), None);
    for number in 1..=1_000 {
        list.keep(fixtures::update(auction(number), 1, false), None);
    }
    let before = memory.held();
    list.shrink();
    assert!(memory.held() < before * 2 / 3);
    list.shrink();
    let given = read(&mut slow);
    assert_eq!(given[0].auction.listing.id, auction(0));
    assert!(given[0].is_final() && given.len() < 500, "{}", given.len());
    assert_eq!(given[1].kind, UpdateKind::Snapshot, "some before it may be missing");
}

#[derive(Debug, Clone)]
enum Act {
    /// An event of an auction, so many after the last that the list was told.
    Keep(usize, i64),
    /// A reader reads so many.
    Read(usize, usize),
    Shrink,
    Forget,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..4_usize, 1..3_i64).prop_map(|(auction, step)| Act::Keep(auction, step)),
        3 => (0..2_usize, 0..6_usize).prop_map(|(reader, many)| Act::Read(reader, many)),
        1 => Just(Act::Shrink),
        1 => Just(Act::Forget),
    ]
}

/// What a reader was given of each auction last, beside all that the list was told.
fn check(given: &mut HashMap<AuctionId, i64>, told: &[Vec<i64>; 4], update: &Update) {
    let id = update.auction.listing.id;
    let sequence = update.sequence();
    let last = given.insert(id, sequence);
    assert!(last.is_none_or(|last| last < sequence), "{last:?} then {sequence}");
    if update.kind != UpdateKind::Snapshot {
        let told = (0..4).find(|number| auction(*number) == id).map(|number| &told[number]);
        let before = told.unwrap().iter().rev().find(|earlier| **earlier < sequence).copied();
        assert_eq!(last, before, "an event that is not what follows");
        assert!(before.is_none_or(|before| before + 1 == sequence));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_skips_anything_is_a_snapshot_and_the_newest_comes_in_the_end(
        acts in vec(act(), 1..120),
    ) {
        let (memory, list) = list(usize::MAX);
        let mut readers = [(); 2].map(|()| (Reader::new(Arc::clone(&list)), HashMap::new()));
        let mut told: [Vec<i64>; 4] = Default::default();
        let mut has_shrunk = false;
        for act in acts {
            match act {
                Act::Keep(number, step) => {
                    let sequence = told[number].last().copied().unwrap_or(0) + step;
                    told[number].push(sequence);
                    list.keep(fixtures::update(auction(number), sequence, false), None);
                }
                Act::Read(number, many) => {
                    let (reader, given) = &mut readers[number];
                    for _ in 0..many {
                        let Some(update) = reader.next().now_or_never().flatten() else { break };
                        check(given, &told, &update);
                    }
                }
                Act::Shrink => {
                    has_shrunk = true;
                    list.shrink();
                }
                Act::Forget => assert!(list.known_bytes() == 0 || list.forget()),
            }
        }
        for (reader, given) in &mut readers {
            for update in read(reader) {
                check(given, &told, &update);
            }
            for (number, told) in told.iter().enumerate().filter(|_| !has_shrunk) {
                prop_assert_eq!(given.get(&auction(number)), told.last());
            }
        }
        prop_assert_eq!(memory.held(), 0);
        prop_assert!(list.known_bytes() <= 4 * LAST_BYTES);
    }
}

#[test]
fn of_two_readers_the_second_to_leave_is_the_last() {
    let (_, list) = list(usize::MAX);
    let [first, second] = [(); 2].map(|()| Reader::new(Arc::clone(&list)));
    assert!(!first.leave());
    assert!(second.leave());
}

#[test]
fn a_reader_who_keeps_up_is_told_events_though_others_are_behind() {
    let (_, list) = list(usize::MAX);
    let mut reader = Reader::new(Arc::clone(&list));
    for number in 0..100 {
        list.keep(fixtures::update(auction(number), 1, false), None);
    }
    assert_eq!(read(&mut reader).len(), 100);
    // Others hold too much; this one holds nothing that could be given up for them.
    assert!(!list.shrink());
    list.keep(fixtures::update(auction(0), 2, false), None);
    assert_ne!(read(&mut reader)[0].kind, UpdateKind::Snapshot);
    // What it takes to know that is bounded, too.
    assert!(list.forget() && list.known_bytes() < 60 * LAST_BYTES);
    list.keep(fixtures::update(auction(1), 2, false), None);
    assert_eq!(read(&mut reader)[0].kind, UpdateKind::Snapshot);
}
