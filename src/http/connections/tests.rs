//! Who makes room, and when a wait ends.

use super::*;

fn connections(in_all: usize, per_address: usize) -> Arc<Connections> {
    let second = Duration::from_secs(1);
    Connections::new(ConnectionLimits {
        in_all,
        per_address: Some(per_address),
        head_timeout: second,
        body_timeout: second * 2,
        idle_timeout: second * 10,
        write_timeout: second,
        socket_write_timeout: second,
        head_bytes: 8_192,
        head_fields: 100,
    })
}

fn peer(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 1))
}

#[test]
fn who_has_waited_longest_makes_room_and_who_is_busy_stays() {
    let all = connections(3, 3);
    let [first, second, third] = [1, 2, 3].map(|host| all.admit(peer(host)).unwrap());
    assert!(first.enter(Phase::Busy));
    third.begin_head();
    assert!(third.enter(Phase::Busy) && third.enter(Phase::Body));
    let fourth = all.admit(peer(4)).unwrap();
    assert!(second.is(Phase::Closed) && !second.enter(Phase::Busy));
    assert!(fourth.enter(Phase::Busy));
    let fifth = all.admit(peer(5)).unwrap();
    assert!(third.is(Phase::Closed) && first.is(Phase::Busy));
    assert!(fifth.enter(Phase::Busy));
    assert_eq!(all.admit(peer(6)).unwrap_err(), Refused::Full);
    first.leave();
    second.leave();
    assert!(all.admit(peer(6)).is_ok());
}

#[test]
fn who_connects_again_and_again_drives_out_nobody_else() {
    let all = connections(3, 100);
    let other = all.admit(peer(2)).unwrap();
    for _ in 0..50 {
        all.admit(peer(1)).unwrap();
    }
    assert!(other.is(Phase::Idle));
}

#[test]
fn an_address_makes_room_for_itself_alone() {
    let all = connections(10, 2);
    let other = all.admit(peer(2)).unwrap();
    let [first, second] = [(); 2].map(|()| all.admit(peer(1)).unwrap());
    let third = all.admit(peer(1)).unwrap();
    assert!(first.is(Phase::Closed) && other.is(Phase::Idle));
    assert!(second.enter(Phase::Busy) && third.enter(Phase::Busy));
    assert_eq!(all.admit(peer(1)).unwrap_err(), Refused::FullForAddress);
    assert!(all.admit(peer(3)).is_ok());
}

#[test]
fn each_wait_has_a_time_of_its_own() {
    let all = connections(10, 10);
    let open = [(); 4].map(|()| all.admit(peer(1)).unwrap());
    let [idle, head, busy, behind] = &open;
    head.begin_head();
    assert!(head.is(Phase::Head) && busy.enter(Phase::Busy));
    behind.is_behind.store(true, Relaxed);
    let now = Instant::now();
    all.close_overdue(now + Duration::from_secs(2));
    assert!(head.is(Phase::Closed) && idle.is(Phase::Idle));
    all.close_overdue(now + Duration::from_secs(11));
    assert!(idle.is(Phase::Closed) && behind.is(Phase::Idle) && busy.is(Phase::Busy));
    all.close_all();
    assert!(open.iter().all(|connection| connection.is(Phase::Closed)));
    let state = all.state();
    assert!(state.open.is_empty() && state.networks.is_empty());
    assert!(state.waiting.is_empty());
}
