use std::collections::VecDeque;

use super::*;

const MIB: u64 = 1024 * 1024;

fn ledger() -> Ledger {
    Ledger::new(WorkLimits::new(100, 50).unwrap())
}

fn asker(account: &str, delivery_stream: u64, plugin: Option<&str>) -> Asker {
    let account = AccountId::parse(account).unwrap();
    Asker {
        account,
        party: Party {
            account,
            delivery_stream,
            plugin: plugin.map(|name| PluginName::parse(name).unwrap()),
        },
        is_slow: false,
    }
}

fn of(delivery_stream: u64) -> Asker {
    asker("000000000000", delivery_stream, None)
}

fn slow(delivery_stream: u64) -> Asker {
    Asker {
        is_slow: true,
        ..asker("000000000000", delivery_stream, Some("loops"))
    }
}

/// A slow party with a plugin of its own.
fn slow_of(account: &str, delivery_stream: u64) -> Asker {
    let plugin = format!("loops-{delivery_stream}");
    Asker {
        is_slow: true,
        ..asker(account, delivery_stream, Some(&plugin))
    }
}

#[test]
fn nobody_holds_more_than_there_is_and_who_holds_least_comes_next() {
    let mut ledger = ledger();
    let first = ledger.ask(of(1), 50);
    let second = ledger.ask(of(2), 30);
    assert_eq!(ledger.give(), [first, second]);
    let of_second = ledger.ask(of(2), 20);
    let of_third = ledger.ask(of(3), 40);
    assert_eq!(
        ledger.give(),
        [of_second],
        "what does not fit in lets others pass"
    );
    assert_eq!(ledger.all().bytes, 100);
    let again = ledger.ask(of(2), 20);
    assert_eq!(ledger.give(), []);
    ledger.leave(first);
    assert_eq!(ledger.give(), [of_third], "it holds nothing");
    ledger.leave(of_second);
    assert_eq!(ledger.give(), [again]);
    assert_eq!((ledger.all().bytes, ledger.waiting()), (90, 0));
}

#[test]
fn accounts_come_before_delivery_streams() {
    let mut ledger = ledger();
    for stream in 1..=4 {
        ledger.ask(of(stream), 20);
    }
    let last = ledger.ask(of(5), 20);
    assert_eq!(ledger.give().len(), 5);
    let of_same = ledger.ask(of(6), 20);
    let of_other = ledger.ask(asker("111111111111", 7, None), 20);
    ledger.leave(last);
    assert_eq!(ledger.give(), [of_other]);
    ledger.leave(of_other);
    assert_eq!(ledger.give(), [of_same]);
}

#[test]
fn a_delivery_stream_at_its_own_limit_holds_up_nobody() {
    let mut ledger = ledger();
    let first = ledger.ask(of(1), 50);
    assert_eq!(ledger.give(), [first]);
    ledger.ask(of(1), 1);
    for stream in 2..200 {
        let other = ledger.ask(of(stream), 10);
        assert_eq!(ledger.give(), [other]);
        ledger.leave(other);
    }
    assert_eq!(ledger.waiting(), 1);
}

#[test]
fn one_that_is_large_is_passed_by_so_many_and_no_more() {
    let mut ledger = ledger();
    let (first, second) = (ledger.ask(of(1), 50), ledger.ask(of(2), 20));
    assert_eq!(ledger.give(), [first, second]);
    let large = ledger.ask(of(3), 50);
    let mut passed = 0;
    let blocked = loop {
        let small = ledger.ask(of(10 + passed), 10);
        if ledger.give().is_empty() {
            break small;
        }
        ledger.leave(small);
        passed += 1;
    };
    assert_eq!(passed, u64::from(PASSED_MAX));
    ledger.leave(second);
    assert_eq!(ledger.give(), [large]);
    ledger.leave(first);
    assert_eq!(ledger.give(), [blocked]);
}

#[test]
fn a_seat_grows_at_once_or_not_at_all() {
    let mut ledger = ledger();
    let (first, second) = (ledger.ask(of(1), 30), ledger.ask(of(2), 45));
    ledger.give();
    assert!(
        ledger.grow(first, 50),
        "all that its delivery stream may have"
    );
    assert!(!ledger.grow(first, 51) && !ledger.grow(second, 51));
    assert!(ledger.grow(second, 50));
    ledger.shrink(first, 10);
    assert!(
        !ledger.grow(second, 51),
        "more than its delivery stream may have"
    );
    assert_eq!((ledger.of_stream(1).bytes, ledger.all().bytes), (10, 60));
}

#[test]
fn slow_parties_hold_half_of_everything_however_many_they_are() {
    let mut ledger = Ledger::new(WorkLimits::new(100 * MIB, 50 * MIB).unwrap());
    for stream in 0..100 {
        ledger.ask(slow(stream), 1);
    }
    assert_eq!(ledger.give().len(), CUTS_PER_PLUGIN_MAX / SLOW_PART);
    for stream in 100..200 {
        ledger.ask(slow_of("000000000000", stream), 1);
    }
    ledger.give();
    assert_eq!(ledger.all().slow_cuts, SLOW_CUTS_PER_ACCOUNT_MAX);
    for stream in 200..300 {
        ledger.ask(slow_of("111111111111", stream), 1);
    }
    ledger.give();
    assert_eq!(ledger.all().slow_cuts, CUTS_MAX / SLOW_PART);
    let victim = ledger.ask(of(1_000), MIB);
    assert_eq!(ledger.give(), [victim]);
}

/// The objects of all of them were put at the same time, to a store that hangs.
#[test]
fn objects_of_slow_parties_that_are_put_leave_half_of_the_memory_to_others() {
    let mut ledger = ledger();
    for stream in 0..100 {
        ledger.ask(slow(stream), 10);
        for seat in ledger.give() {
            ledger.end_work(seat);
        }
    }
    assert_eq!((ledger.all().bytes, ledger.all().cuts), (30, 0));
    let slow_too = ledger.ask(slow_of("111111111111", 1_001), 20);
    assert_eq!(ledger.give(), [slow_too], "another account's");
    let victim = ledger.ask(of(1_000), 50);
    assert_eq!(ledger.give(), [victim]);
}

#[test]
fn the_slow_of_one_account_leave_places_and_memory_to_those_of_another() {
    let mut ledger = ledger();
    for stream in 0..100 {
        ledger.ask(slow_of("000000000000", stream), 1);
    }
    let given = ledger.give();
    assert_eq!(given.len(), SLOW_CUTS_PER_ACCOUNT_MAX);
    let other = ledger.ask(slow_of("111111111111", 200), 1);
    assert_eq!(ledger.give(), [other]);
    // A place that its account gets back goes to its own, who waited.
    ledger.leave(given[0]);
    assert_eq!(ledger.give().len(), 1);
}

#[test]
fn a_slow_cut_that_is_alone_in_its_account_has_all_that_its_delivery_stream_may_have() {
    let mut ledger = ledger();
    let first = ledger.ask(slow_of("000000000000", 1), 40);
    let second = ledger.ask(slow_of("000000000000", 2), 1);
    assert_eq!(ledger.give(), [first], "40 of the account's 36 bytes");
    assert!(ledger.grow(first, 50));
    ledger.rest(first);
    assert!(ledger.ask_to_go_on(first));
    assert_eq!(ledger.let_go_on(), [first], "it has its bytes");
    ledger.leave(first);
    assert_eq!(ledger.give(), [second]);
    let third = ledger.ask(slow_of("000000000000", 3), 30);
    assert_eq!(ledger.give(), [third]);
    assert!(!ledger.grow(second, 7), "beside 30 of 36 bytes");
    assert!(ledger.grow(second, 6));
}

/// Those that needed less held what it needed, one after the other, for ever.
#[test]
fn a_large_slow_cut_is_passed_by_slow_ones_of_its_account_only_so_often() {
    let mut ledger = ledger();
    let mut last = ledger.ask(slow_of("000000000000", 1), 1);
    assert_eq!(ledger.give(), [last]);
    let large = ledger.ask(slow_of("000000000000", 2), 50);
    let mut passed = 0;
    for stream in 3.. {
        let small = ledger.ask(slow_of("000000000000", stream), 1);
        let given = ledger.give();
        if given.is_empty() {
            break;
        }
        assert_eq!(given, [small]);
        passed += 1;
        assert!(passed <= PASSED_MAX, "passed by {passed}");
        ledger.leave(last);
        last = small;
    }
    let spare = ledger.take_spare(slow_of("000000000000", 1_000), 1);
    assert_eq!(spare, None, "nor by one that works ahead");
    let others = ledger.ask(slow_of("111111111111", 1_001), 1);
    assert_eq!(ledger.give(), [others], "another account's gets on");
    let quick = ledger.take_spare(of(1_002), 1).unwrap();
    ledger.leave(others);
    ledger.leave(quick);
    ledger.leave(last);
    assert_eq!(ledger.give(), [large]);
}

/// One of 50 bytes waited for one of 30 that hung, and after 64 others nobody passed it: the small
/// ones stood still for as long as the other one hung.
#[test]
fn slow_cuts_go_on_passing_one_that_waits_for_a_cut_which_hangs() {
    for it_came_after in [false, true] {
        let mut ledger = ledger();
        let before = ledger.ask(slow_of("000000000000", 1), 30);
        assert_eq!(ledger.give(), [before]);
        let large = ledger.ask(slow_of("000000000000", 2), 50);
        let mut holder = before;
        if it_came_after {
            holder = ledger.ask(slow_of("000000000000", 3), 5);
            assert_eq!(ledger.give(), [holder]);
            ledger.leave(before);
            assert_eq!(ledger.give(), []);
        }
        ledger.hangs(holder, true);
        for stream in 10..10 + 3 * u64::from(PASSED_MAX) {
            let small = ledger.ask(slow_of("000000000000", stream), 1);
            assert_eq!(ledger.give(), [small], "stream {stream}");
            ledger.leave(small);
        }
        ledger.leave(holder);
        assert_eq!(ledger.give(), [large]);
    }
}

/// Each that passed it hung for a while, too, so that it was passed for ever.
#[test]
fn those_that_begin_to_hang_later_do_not_pass_a_large_slow_cut_for_ever() {
    let mut ledger = ledger();
    let before = ledger.ask(slow_of("000000000000", 1), 30);
    assert_eq!(ledger.give(), [before]);
    let large = ledger.ask(slow_of("000000000000", 2), 50);
    let mut holders = VecDeque::from([before]);
    for stream in 10..1_000 {
        let small = ledger.ask(slow_of("000000000000", stream), 1);
        let given = ledger.give();
        if given.is_empty() {
            break;
        }
        assert_eq!(given, [small]);
        ledger.hangs(small, true);
        holders.push_back(small);
        if holders.len() > 3 {
            ledger.leave(holders.pop_front().unwrap());
        }
    }
    for holder in holders {
        assert!(!ledger.give().contains(&large));
        ledger.leave(holder);
    }
    assert_eq!(ledger.give()[..1], [large]);
}

#[test]
fn a_delivery_stream_whose_cuts_do_not_end_leaves_places_to_others() {
    let mut ledger = ledger();
    for _ in 0..2 * CUTS_MAX {
        ledger.ask(of(1), 0);
    }
    assert_eq!(ledger.give().len(), CUTS_PER_STREAM_MAX);
    let victim = ledger.ask(of(2), 50);
    assert_eq!(ledger.give(), [victim]);
}

#[test]
fn who_is_found_slow_keeps_its_seat_only_within_what_slow_parties_may_hold() {
    let mut ledger = ledger();
    let (first, second) = (ledger.ask(of(1), 30), ledger.ask(of(2), 30));
    ledger.give();
    assert!(ledger.turn_slow(first) && ledger.turn_slow(first));
    assert!(!ledger.turn_slow(second), "60 of 50 bytes");
    ledger.leave(first);
    assert!(ledger.turn_slow(second));
    assert_eq!((ledger.all().slow_bytes, ledger.all().slow_cuts), (30, 1));
    ledger.end_work(second);
    assert_eq!((ledger.all().bytes, ledger.all().cuts), (30, 0));
    assert_eq!((ledger.all().slow_bytes, ledger.all().slow_cuts), (30, 0));
    ledger.leave(second);
    assert_eq!(ledger.all(), Holding::default());
}

#[test]
fn what_is_spare_is_taken_only_if_nobody_waits_for_it() {
    let mut ledger = ledger();
    let first = ledger.ask(of(1), 50);
    ledger.give();
    let spare = ledger.take_spare(of(1), 1);
    assert_eq!(spare, None, "its delivery stream has all that it may have");
    let spare = ledger.take_spare(of(2), 20).unwrap();
    ledger.ask(of(3), 40);
    assert_eq!(ledger.give(), []);
    assert_eq!(ledger.take_spare(of(2), 20), None);
    for id in [first, spare] {
        ledger.leave(id);
    }
    assert_eq!(ledger.give().len(), 1);
}

/// Cuts of as many delivery streams without plugins, with so many bytes each.
fn many(ledger: &mut Ledger, streams: u64, bytes: u64) -> Vec<SeatId> {
    for stream in 0..streams {
        ledger.ask(of(stream), bytes);
    }
    ledger.give()
}

/// Puts to a store that hung kept their places at work.
#[test]
fn a_cut_that_puts_in_its_middle_leaves_its_place_and_comes_before_new_ones_after_that() {
    let mut ledger = ledger();
    let seats = many(&mut ledger, CUTS_MAX as u64, 1);
    assert_eq!(ledger.all().cuts, CUTS_MAX);
    ledger.rest(seats[0]);
    let victim = ledger.ask(of(1_000), 1);
    assert_eq!(ledger.give(), [victim]);
    let next = ledger.ask(of(1_001), 1);
    assert!(ledger.ask_to_go_on(seats[0]), "no place is free");
    assert_eq!((ledger.let_go_on(), ledger.give()), (vec![], vec![]));
    assert!(ledger.is_wanted());
    ledger.leave(seats[1]);
    assert_eq!(
        (ledger.let_go_on(), ledger.give()),
        (vec![seats[0]], vec![])
    );
    ledger.leave(victim);
    assert_eq!((ledger.let_go_on(), ledger.give()), (vec![], vec![next]));
    assert!(!ledger.ask_to_go_on(seats[0]), "it is at work");
    let bytes = CUTS_MAX as u64;
    assert_eq!((ledger.all().bytes, ledger.all().cuts), (bytes, CUTS_MAX));
}

#[test]
fn a_cut_that_is_given_up_while_it_waits_to_go_on_takes_no_place() {
    let mut ledger = ledger();
    let seats = many(&mut ledger, CUTS_MAX as u64, 1);
    ledger.rest(seats[0]);
    ledger.ask(of(1_000), 1);
    ledger.give();
    assert!(ledger.ask_to_go_on(seats[0]));
    ledger.leave(seats[0]);
    ledger.leave(seats[1]);
    assert_eq!(ledger.let_go_on(), []);
    assert_eq!(ledger.all().cuts, CUTS_MAX - 1);
}

#[test]
fn cuts_that_put_in_their_middle_keep_no_more_instances_than_there_are() {
    let mut ledger = ledger();
    let mut kept = |plugin: &str, from: u64| {
        let askers = (0..CUTS_PER_PLUGIN_MAX as u64 - 1)
            .map(|stream| asker("000000000000", from + stream, Some(plugin)));
        for asker in askers {
            ledger.ask(asker, 0);
        }
        for seat in ledger.give() {
            ledger.rest(seat);
        }
        ledger.all().resting_cuts
    };
    assert_eq!(kept("a", 0), CUTS_RESTING_PER_PLUGIN_MAX);
    assert_eq!(kept("b", 100), CUTS_RESTING_MAX);
    assert_eq!(kept("c", 200), CUTS_RESTING_MAX);
    let with_instances = ledger.all().cuts + ledger.all().resting_cuts;
    assert!(with_instances < wasm::INSTANCES_MAX as usize);
}

/// Their first puts had not failed, and were all the memory until a slow store had taken them.
#[test]
fn objects_that_are_put_slowly_keep_half_of_the_memory_and_the_rest_is_wanted_by_others() {
    let mut ledger = ledger();
    let seats = many(&mut ledger, 10, 10);
    for seat in &seats {
        ledger.end_work(*seat);
    }
    assert!(!ledger.is_wanted(), "nobody waits");
    let keep: Vec<_> = seats.iter().map(|seat| ledger.turn_slow(*seat)).collect();
    assert_eq!(
        keep.iter().filter(|keeps| **keeps).count(),
        3,
        "three quarters of half"
    );
    ledger.ask(slow(2_000), 10);
    ledger.give();
    assert!(
        !ledger.is_wanted(),
        "one that is slow gets no more than half"
    );
    let victim = ledger.ask(of(1_000), 50);
    assert_eq!(ledger.give(), []);
    assert!(ledger.is_wanted());
    for (seat, keeps) in seats.iter().zip(keep) {
        if !keeps {
            ledger.leave(*seat);
        }
    }
    assert_eq!(ledger.give(), [victim]);
    assert_eq!((ledger.all().slow_bytes, ledger.all().bytes), (30, 80));
}
