//! The numbers against an oracle that computes with digits of text and nothing else, and against
//! numbers and refusals that were seen from the service.

use super::*;
use crate::ShardId;

/// `number * factor + plus`, by hand as in school, on decimal text.
fn times_plus(number: &str, factor: u32, plus: u32) -> String {
    let mut carry = plus;
    let mut digits = Vec::new();
    for digit in number.chars().rev() {
        let product = digit.to_digit(10).unwrap() * factor + carry;
        digits.push(char::from_digit(product % 10, 10).unwrap());
        carry = product / 10;
    }
    while carry > 0 {
        digits.push(char::from_digit(carry % 10, 10).unwrap());
        carry /= 10;
    }
    let text: String = digits.iter().rev().collect();
    let text = text.trim_start_matches('0');
    if text.is_empty() { "0" } else { text }.to_owned()
}

/// Decimal text of hexadecimal text.
fn decimal(hexadecimal: &str) -> String {
    let digits = hexadecimal.chars().map(|c| c.to_digit(16).unwrap());
    digits.fold("0".to_owned(), |text, digit| times_plus(&text, 16, digit))
}

/// The layout, hexadecimal digit by hexadecimal digit.
fn laid_out(created: u64, place: u64, arrival: u64, shard: u32) -> String {
    decimal(&format!(
        "2{created:09x}0{place:016x}00{arrival:09x}{shard:08x}2"
    ))
}

/// Numbers with their parts; the last arrived as the place says.
fn samples() -> Vec<(u64, u64, u64, u32)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        // xorshift64: the same numbers in each run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let edges = [
        0,
        1,
        0xff,
        0x0fff_ffff,
        0x1000_0000,
        1_700_000_000,
        16_025_174_999,
    ];
    let mut samples = Vec::new();
    for &created in &edges {
        for place in [1, 2, 0xffff, 1 << 16, 1 << 48, (1 << 63) - 2] {
            samples.push((created, place, created, 7));
        }
    }
    for _ in 0..20_000 {
        let bits = random() % 63 + 1;
        samples.push((
            random() % 16_025_175_000,
            (random() >> (64 - bits)).clamp(1, (1 << 63) - 2),
            random() % (1 << 36),
            u32::try_from(random() >> 33).unwrap(),
        ));
    }
    samples
}

fn number(created: u64, place: u64, arrival: u64, shard: u32) -> SequenceNumber {
    SequenceNumber::of_record(
        ShardId(shard),
        Second::new(created).unwrap(),
        place - 1,
        Timestamp(arrival * 1_000 + 999),
    )
}

#[test]
fn every_number_is_laid_out_as_the_service_lays_it_out_and_reads_back() {
    for (created, place, arrival, shard) in samples() {
        let number = number(created, place, arrival, shard);
        let text = laid_out(created, place, arrival, shard);
        assert_eq!(number.to_string(), text);
        assert_eq!(number.digits().as_slice(), text.as_bytes());
        assert_eq!(text.len(), SequenceNumber::DIGITS);
        let given = GivenNumber::parse(&text).unwrap();
        let second = Second::new(created).unwrap();
        let place = InShard::Record(place - 1);
        assert_eq!(given.within(ShardId(shard), second), Some(place));
        assert_eq!(given.arrival(), Some(Timestamp(arrival * 1_000)));
        assert_eq!(given.shard_text(), ShardId(shard).to_string());
    }
}

#[test]
fn numbers_of_our_time_begin_with_49_and_hold_what_kcl_reads_where_it_reads_it() {
    let text = number(1_795_900_000, 12, 1_795_900_077, 5).to_string();
    assert!(text.starts_with("49"), "{text}");
    let hexadecimal = laid_out(1_795_900_000, 12, 1_795_900_077, 5);
    assert_eq!(text, hexadecimal);
    // Version in the lowest four bits of two bytes, the shard in the 32 bits above them.
    let remainder = |text: &str, divisor: u64| {
        let digits = text.bytes().map(|b| u64::from(b - b'0'));
        digits.fold(0, |rest, digit| (rest * 10 + digit) % divisor)
    };
    assert_eq!(remainder(&text, 16), 2);
    assert_eq!(remainder(&text, 1 << 36) >> 4, 5);
}

#[test]
fn the_order_of_text_is_the_order_of_numbers_and_of_the_shards_records() {
    let mut samples: Vec<_> = samples();
    samples.sort_unstable();
    let numbers = samples.iter().map(|&(c, p, a, s)| number(c, p, a, s));
    let numbers: Vec<_> = numbers.collect();
    assert!(numbers.is_sorted());
    let texts: Vec<_> = numbers.iter().map(SequenceNumber::to_string).collect();
    assert!(texts.is_sorted());
}

#[test]
fn a_shard_begins_before_its_first_record_and_ends_behind_its_last() {
    let (shard, created) = (ShardId(3), Second::new(1_700_000_000).unwrap());
    let at = Timestamp(1_700_000_000_000);
    let start = SequenceNumber::starting(shard, created);
    let first = SequenceNumber::of_record(shard, created, 0, at);
    let later = SequenceNumber::of_record(shard, created, 1 << 40, at);
    let end = SequenceNumber::ending(shard, created, at);
    assert!(start < first && first < later && later < end);
    for (number, wanted) in [
        (start, InShard::Start),
        (first, InShard::Record(0)),
        (later, InShard::Record(1 << 40)),
        (end, InShard::End),
    ] {
        let given = GivenNumber::parse(&number.to_string()).unwrap();
        assert_eq!(given.within(shard, created), Some(wanted));
        let next = Second::new(1_700_000_001).unwrap();
        assert_eq!(given.within(shard, next), None);
        assert_eq!(given.within(ShardId(4), created), None);
    }
}

#[test]
fn a_child_is_made_later_than_its_parents_whatever_the_clock_says() {
    let second = |number| Second::new(number).unwrap();
    let now = Timestamp(1_700_000_000_500);
    assert_eq!(Second::of_shard(now, []), second(1_700_000_000));
    let parents = [second(1_700_000_000), second(1_699_999_999)];
    let child = Second::of_shard(now, parents);
    assert_eq!(child, second(1_700_000_001));
    assert_eq!(
        Second::of_shard(Timestamp(0), [child]),
        second(1_700_000_002)
    );
    assert_eq!(Second::of_shard(Timestamp(u64::MAX), []), Second::LAST);
    let last = SequenceNumber::ending(ShardId(0), parents[0], now);
    assert!(last < SequenceNumber::starting(ShardId(1), child));
}

/// Hexadecimal numbers that were tried on the service as SequenceNumberForOrdering, and whether it
/// takes them for one of its own.
#[test]
fn what_the_service_takes_for_its_own_is_taken_and_nothing_else() {
    for (hexadecimal, is_taken) in [
        ("0", true),
        ("5", true),
        // Versions 0, 3 and 4 of the long layout do not exist.
        ("20000000000000000000000000000000000000000000000", false),
        ("20000000000000000000000000000000000000000000003", false),
        ("20000000000000000000000000000000000000000000004", false),
        ("20000000000000000000000000000000000000000000001", true),
        ("20000000000000000000000000000000000000000000002", true),
        // Other bits at the top.
        ("30000000000000000000000000000000000000000000001", false),
        ("1ffffffffff7fffffffffffffff000000000007fffffff2", false),
        // A place below zero.
        ("20000000000800000000000000000000000000000000002", false),
        // A shard below zero is one all the same.
        ("20000000000000000000000000000000000000800000002", true),
        // Made too far in the future.
        ("13bb2cc3d80000000000000000000000", false),
        ("13bb2cc3d70000000000000000000000", true),
        ("2ffffffffff7fffffffffffffff000000000007fffffff2", false),
    ] {
        let text = decimal(hexadecimal);
        assert_eq!(GivenNumber::parse(&text).is_ok(), is_taken, "{hexadecimal}");
    }
}

#[test]
fn the_shard_of_a_number_is_told_as_the_service_tells_it() {
    for (hexadecimal, shard) in [
        ("0", "shardId-000000000000"),
        ("5", "shardId-000000000005"),
        (
            "20000000000000000000000000000000000000800000002",
            "shardId--02147483648",
        ),
        (
            "20000000000000000000000000000000000000000000011",
            "shardId-000000000001",
        ),
    ] {
        let given = GivenNumber::parse(&decimal(hexadecimal)).unwrap();
        assert_eq!(given.shard_text(), shard);
        let created = Second::new(0).unwrap();
        assert_eq!(given.within(ShardId(0), created), None, "not one of ours");
    }
}

#[test]
fn text_that_is_no_number_of_any_layout_is_refused() {
    let long = "9".repeat(57);
    let longer = "4".repeat(129);
    for bad in [
        "", "00", "01", "+1", "-1", " 1", "1 ", "0x1", "٣", &long, &longer,
    ] {
        assert!(GivenNumber::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn dividing_by_the_reciprocal_is_dividing() {
    let edges = [
        0,
        1,
        2,
        BASE - 2,
        BASE - 1,
        BASE,
        BASE + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    // Multiples of the golden ratio are spread over all words.
    let spread = (1..1_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let words: Vec<u64> = edges.into_iter().chain(spread).collect();
    for high in words.iter().filter(|word| **word < BASE) {
        for low in &words {
            let number = u128::from(*high) << 64 | u128::from(*low);
            let (quotient, rest) = divide(*high, *low);
            assert_eq!(
                u128::from(quotient),
                number / u128::from(BASE),
                "{high} {low}"
            );
            assert_eq!(u128::from(rest), number % u128::from(BASE), "{high} {low}");
        }
    }
}
