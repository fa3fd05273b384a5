use std::time::Duration;

use types::AccountId;

use super::*;
use crate::ending::{Ending, Lever};

const PACE: Pace = Pace {
    grace: Duration::from_secs(10),
    bytes_per_second_min: 1024,
};
const ONE: Payer = Payer::Account(AccountId::DEFAULT);

fn other(number: u8) -> Payer {
    Payer::Account(AccountId::parse(&format!("{number:012}")).unwrap())
}

fn claimed(number: u8) -> Payer {
    let network = std::net::IpAddr::from([10, 0, 0, number]);
    Payer::Claimed { network, key: 0 }
}

fn shares() -> Shares {
    let sizes = Sizes {
        unproven: 20,
        shared: 100,
        receiving: 50,
        answering: 50,
        proven: 75,
        resting: 36,
    };
    Shares::new(sizes, PACE, PACE)
}

fn holder() -> Arc<Holder> {
    Arc::new(Holder::new(Lever {
        connection: Arc::new(Ending::new()),
        stream: None,
    }))
}

fn wish(phase: Phase, payer: Payer, bytes: usize) -> Wish {
    Wish {
        phase,
        payer,
        bytes,
        needs: bytes,
        is_due: false,
    }
}

/// What came of asking for so many bytes, and how many others ended.
fn ask(shares: &mut Shares, wish: &Wish, now: Instant) -> (Result<usize, NoRoom>, usize) {
    let mut ended = Vec::new();
    let added = shares.add(&holder(), wish, now, &mut ended);
    (added, ended.len())
}

fn add(shares: &mut Shares, phase: Phase, payer: Payer, bytes: usize) -> usize {
    let (added, ended) = ask(shares, &wish(phase, payer, bytes), Instant::now());
    assert_eq!(ended, 0);
    added.unwrap()
}

fn refused(shares: &mut Shares, phase: Phase, payer: Payer, bytes: usize) {
    let (added, ended) = ask(shares, &wish(phase, payer, bytes), Instant::now());
    assert_eq!((added, ended), (Err(NoRoom), 0));
}

#[test]
fn what_was_held_is_free_again() {
    let mut shares = shares();
    for phase in [Phase::Receiving, Phase::AtWork, Phase::Answering] {
        let place = add(&mut shares, phase, ONE, 50);
        assert_eq!(shares.bytes(), 50);
        shares.shrink(place, 20);
        assert_eq!(shares.bytes(), 30);
        shares.remove(place);
        assert_eq!(shares.bytes(), 0);
    }
}

#[test]
fn whoever_has_proven_nothing_takes_no_room_from_who_has() {
    let mut shares = shares();
    for _ in 0..20 {
        add(&mut shares, Phase::Unproven, claimed(1), 1);
    }
    refused(&mut shares, Phase::Unproven, claimed(1), 1);
    add(&mut shares, Phase::Receiving, claimed(1), 50);
    refused(&mut shares, Phase::Receiving, claimed(1), 50);
    add(&mut shares, Phase::Answering, ONE, 40);
    let (added, ended) = ask(
        &mut shares,
        &wish(Phase::AtWork, other(1), 30),
        Instant::now(),
    );
    assert!(added.is_ok());
    assert_eq!(ended, 1, "the body makes room");
    assert_eq!(shares.bytes(), 20 + 40 + 30);
}

#[test]
fn bodies_find_room_however_much_accounts_hold() {
    let mut shares = shares();
    add(&mut shares, Phase::Answering, ONE, 45);
    add(&mut shares, Phase::AtWork, ONE, 30);
    refused(&mut shares, Phase::Answering, ONE, 50);
    add(&mut shares, Phase::Receiving, claimed(1), 25);
}

#[test]
fn an_account_leaves_room_for_others_to_work_and_they_for_more() {
    let mut shares = shares();
    let mut free = 75;
    for account in 0..4 {
        let mut has = 0;
        loop {
            let wish = wish(Phase::AtWork, other(account), 1);
            if ask(&mut shares, &wish, Instant::now()).0.is_err() {
                break;
            }
            has += 1;
        }
        assert!(has > 0, "account {account} has nothing");
        free -= has;
        assert!(free > 0, "account {account} leaves nothing");
    }
}

/// Its body was given up and counted as free, while its signature was being checked.
#[test]
fn a_body_that_was_ended_does_not_come_to_work() {
    let (mut shares, now) = (shares(), Instant::now());
    let place = add(&mut shares, Phase::Receiving, claimed(1), 50);
    let (added, ended) = ask(&mut shares, &wish(Phase::Receiving, claimed(2), 10), now);
    assert_eq!((added.is_ok(), ended), (true, 1));
    let mut nobody = Vec::new();
    let turned = shares.turn(place, &wish(Phase::AtWork, ONE, 50), now, &mut nobody);
    assert_eq!((turned, nobody.len()), (Err(NoRoom), 0));
    assert_eq!(shares.bytes(), 10);
    // Its refusal counts.
    let refusal = wish(Phase::Unproven, claimed(1), 2);
    assert_eq!(shares.turn(place, &refusal, now, &mut nobody), Ok(()));
    assert_eq!(shares.bytes(), 12);
}

#[test]
fn what_is_at_work_is_never_ended_and_stays_when_its_answer_finds_no_room() {
    let (mut shares, now) = (shares(), Instant::now());
    let place = add(&mut shares, Phase::AtWork, ONE, 10);
    add(&mut shares, Phase::Answering, other(1), 50);
    let mut ended = Vec::new();
    let turned = shares.turn(place, &wish(Phase::Answering, ONE, 60), now, &mut ended);
    assert_eq!(turned, Err(NoRoom));
    assert_eq!(shares.bytes(), 60);
    let due = Wish {
        is_due: true,
        ..wish(Phase::Answering, ONE, 60)
    };
    assert_eq!(shares.turn(place, &due, now, &mut ended), Ok(()));
    assert_eq!(shares.bytes(), 110);
}

/// A loop of 64 once left the rest of what was too much where it was.
#[test]
fn as_many_go_as_it_takes() {
    let (mut shares, now) = (shares(), Instant::now());
    let places = [(); 100].map(|()| add(&mut shares, Phase::AtWork, ONE, 0));
    for place in places {
        let due = Wish {
            is_due: true,
            ..wish(Phase::Answering, ONE, 10)
        };
        let mut nobody = Vec::new();
        assert_eq!(shares.turn(place, &due, now, &mut nobody), Ok(()));
        assert_eq!(nobody.len(), 0);
    }
    assert_eq!(shares.bytes(), 1000);
    let (added, ended) = ask(&mut shares, &wish(Phase::Answering, other(1), 20), now);
    assert_eq!((added.is_ok(), ended), (true, 97));
    assert_eq!(shares.bytes(), 50);
}

#[test]
fn whoever_holds_most_makes_room_for_others() {
    let (mut shares, now) = (shares(), Instant::now());
    for _ in 0..5 {
        add(&mut shares, Phase::Receiving, claimed(1), 10);
    }
    let body = wish(Phase::Receiving, claimed(2), 20);
    let (added, ended) = ask(&mut shares, &body, now);
    assert_eq!((added.is_ok(), ended), (true, 2));
    // Now the other would hold most, and goes no further.
    refused(&mut shares, Phase::Receiving, claimed(2), 20);
}

#[test]
fn what_an_account_has_at_work_counts_when_its_answers_are_weighed() {
    let (mut shares, now) = (shares(), Instant::now());
    add(&mut shares, Phase::AtWork, ONE, 25);
    add(&mut shares, Phase::Answering, ONE, 20);
    add(&mut shares, Phase::Answering, other(1), 30);
    let (added, ended) = ask(&mut shares, &wish(Phase::Answering, other(2), 15), now);
    assert_eq!((added.is_ok(), ended), (true, 1));
    assert_eq!(shares.bytes(), 25 + 30 + 15);
}

#[test]
fn requests_of_one_size_do_not_push_each_other_out_but_smaller_ones_get_in() {
    let (mut shares, now) = (shares(), Instant::now());
    for _ in 0..2 {
        add(&mut shares, Phase::Answering, ONE, 25);
    }
    refused(&mut shares, Phase::Answering, ONE, 25);
    let (added, ended) = ask(&mut shares, &wish(Phase::Answering, ONE, 10), now);
    assert_eq!((added.is_ok(), ended), (true, 1));
}

#[test]
fn the_one_furthest_behind_goes_first_and_what_moves_is_not_behind() {
    let (mut shares, now) = (shares(), Instant::now());
    let moving = holder();
    let moving_wish = wish(Phase::Answering, ONE, 15);
    let mut ended = Vec::new();
    shares.add(&moving, &moving_wish, now, &mut ended).unwrap();
    let stopped = ask(&mut shares, &wish(Phase::Answering, ONE, 10), now);
    let later = now + Duration::from_secs(1);
    let fresh = ask(&mut shares, &wish(Phase::Answering, ONE, 25), later);
    assert!(fresh.0.is_ok());
    moving.moves(10 * 1024);
    let (added, gone) = ask(&mut shares, &wish(Phase::Answering, ONE, 10), later);
    assert_eq!((added.is_ok(), gone), (true, 1));
    let grown = shares.grow(stopped.0.unwrap(), 1, later, &mut ended);
    assert_eq!((grown, ended.len()), (Err(NoRoom), 0));
    assert_eq!(shares.bytes(), 50);
}

#[test]
fn answers_that_do_not_move_are_late_and_are_told_until_they_are_gone() {
    for phase in [Phase::Answering, Phase::Unproven] {
        let (mut shares, now) = (shares(), Instant::now());
        let place = add(&mut shares, phase, ONE, 20);
        add(&mut shares, Phase::AtWork, ONE, 20);
        for (seconds, late) in [(9, 0), (11, 1), (12, 1)] {
            let mut ended = Vec::new();
            shares.look(now + Duration::from_secs(seconds), &mut ended);
            assert_eq!(ended.len(), late, "after {seconds} s");
        }
        assert_eq!(shares.bytes(), 20);
        shares.remove(place);
        let mut ended = Vec::new();
        shares.look(now + Duration::from_secs(13), &mut ended);
        assert!(ended.is_empty());
    }
}

#[test]
fn an_answer_in_the_room_of_its_request_is_on_its_own_pace_once_it_was_seen() {
    let (mut shares, now) = (shares(), Instant::now());
    let (answered, mut ended) = (holder(), Vec::new());
    let request = wish(Phase::AtWork, ONE, 40);
    shares.add(&answered, &request, now, &mut ended).unwrap();
    answered.answers(5);
    shares.look(now + Duration::from_secs(60), &mut ended);
    assert_eq!((shares.bytes(), ended.len()), (5, 0));
    shares.look(now + Duration::from_secs(69), &mut ended);
    assert_eq!(ended.len(), 0);
    shares.look(now + Duration::from_secs(70), &mut ended);
    assert_eq!((shares.bytes(), ended.len()), (0, 1));
}

/// 32,000 subscriptions that waited for records stopped the puts of their account.
#[test]
fn streams_of_events_that_rest_stop_no_work_of_their_account_nor_those_of_others() {
    let mut shares = shares();
    let mut places = Vec::new();
    for account in [other(1), other(2)] {
        let before = places.len();
        loop {
            let place = add(&mut shares, Phase::AtWork, account, 1);
            if shares.streams(place, 1).is_err() {
                shares.remove(place);
                break;
            }
            places.push(place);
        }
        assert!(places.len() > before, "{account:?} has none");
    }
    assert!(places.len() < 36);
    assert_eq!(shares.bytes(), places.len());
    assert!(shares.check_resting(other(3), 1).is_ok());
    for account in [other(1), other(2), other(3)] {
        let place = add(&mut shares, Phase::AtWork, account, 20);
        shares.remove(place);
    }
    for place in places.drain(..) {
        shares.remove(place);
    }
    assert_eq!(shares.bytes(), 0);
    assert!(shares.check_resting(other(1), 24).is_ok());
}

#[test]
fn a_stream_of_events_counts_for_itself_also_while_its_events_wait() {
    let (mut shares, now) = (shares(), Instant::now());
    let place = add(&mut shares, Phase::AtWork, ONE, 1);
    assert_eq!(shares.streams(place, 12), Ok(()));
    assert_eq!(shares.bytes(), 12);
    let mut nobody = Vec::new();
    let event = wish(Phase::Answering, ONE, 10);
    assert_eq!(shares.turn(place, &event, now, &mut nobody), Ok(()));
    assert_eq!(shares.bytes(), 22);
    assert_eq!(shares.check_resting(ONE, 13), Err(NoRoom));
    shares.remove(place);
    assert_eq!(shares.bytes(), 0);
}
