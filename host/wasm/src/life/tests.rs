use super::*;

fn hash(number: u64) -> ContentHash {
    ContentHash::of_component(&number.to_be_bytes())
}

fn coming(number: u64) -> Coming {
    Coming {
        hash: hash(number),
        component: hash(number + 1_000_000),
        label: format!("the {number}. of them"),
    }
}

fn alias(name: &str) -> AliasName {
    AliasName::parse(name).unwrap()
}

/// A life of so many versions, one after the other.
fn life(versions: u64) -> Life {
    let mut life = Life::default();
    for number in 1..=versions {
        life.take(coming(number), How::File, Timestamp(number));
    }
    life
}

#[test]
fn a_version_that_comes_again_has_its_number_and_a_new_one_the_next() {
    let mut life = life(2);
    assert_eq!(life.take(coming(1), How::File, Timestamp(3)), 1);
    assert_eq!(life.take(coming(9), How::Deploy, Timestamp(4)), 3);
    assert_eq!(life.in_force().unwrap().hash, hash(9));
    let numbers: Vec<u64> = life.events().iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 1, 3]);
}

#[test]
fn a_number_is_not_given_again_though_the_plugin_was_taken_away() {
    let mut life = life(2);
    life.in_force = None;
    assert_eq!(life.needed().count(), 0);
    assert_eq!(life.take(coming(3), How::File, Timestamp(9)), 3);
}

#[test]
fn each_rollback_goes_back_one_version_further() {
    let mut life = life(3);
    for (at, wanted) in [(10, 2), (11, 1)] {
        assert_eq!(life.before().unwrap().number, wanted);
        life.put_in_force(wanted, How::Rollback, Timestamp(at));
    }
    assert_eq!(life.before(), None, "nothing was before the first");
    life.take(coming(4), How::File, Timestamp(12));
    assert_eq!(life.before().unwrap().number, 1);
}

#[test]
fn a_hundred_versions_are_kept_and_those_that_are_named() {
    let mut life = life(2);
    life.aliases.insert(alias("live"), 1);
    for number in 3..=150 {
        life.take(coming(number), How::File, Timestamp(number));
    }
    let numbers: Vec<u64> = life.versions().iter().map(|it| it.number).collect();
    let wanted: Vec<u64> = std::iter::once(1).chain(52..=150).collect();
    assert_eq!(numbers, wanted);
    for number in 151..=400 {
        life.put_in_force(number % 50 + 100, How::Rollback, Timestamp(number));
    }
    assert_eq!(life.events().len(), EVENTS_KEPT);
}

#[test]
fn what_is_named_is_found_by_number_and_by_alias() {
    let mut life = life(2);
    life.aliases.insert(alias("live"), 1);
    let named = |text: &str| life.named(&Qualifier::parse(text).unwrap());
    assert_eq!(named("2").unwrap().hash, hash(2));
    assert_eq!(named("live").unwrap().hash, hash(1));
    assert_eq!((named("3"), named("other")), (None, None));
}

fn full() -> Life {
    let mut life = life(3);
    life.put_in_force(1, How::AutomaticRollback, Timestamp(7));
    life.aliases.insert(alias("live"), 2);
    life.aliases.insert(alias("a-1_b"), 3);
    life.paused = Some(Timestamp(8));
    life.begin_canary(coming(2), 10, Timestamp(9));
    life.set_aside = Some(SetAside {
        hash: hash(3),
        why: Why::RolledBackByItself,
    });
    life
}

#[test]
fn a_life_reads_back_as_it_was_written() {
    for life in [Life::default(), life(1), full()] {
        assert_eq!(Life::of_text(&life.to_text()), Ok(life));
    }
    for how in How::ALL {
        assert_eq!(How::parse(how.as_str()), Some(how));
    }
    for why in Why::ALL {
        assert_eq!(Why::parse(why.as_str()), Some(why));
    }
}

#[test]
fn a_life_with_any_byte_changed_or_cut_off_is_not_read() {
    let text = full().to_text();
    for end in 0..text.len() - 1 {
        assert!(Life::of_text(&text[..end]).is_err(), "cut at {end}");
    }
    for at in 0..text.len() - 1 {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(Life::of_text(&changed).is_err(), "changed at {at}");
    }
}
