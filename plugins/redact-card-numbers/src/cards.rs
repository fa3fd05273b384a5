//! Where card numbers are.
//!
//! A card number has 13 to 19 digits, the last of which makes the Luhn sum (ISO/IEC 7812-1) a
//! multiple of ten. Between two digits there may be one space or one dash. It begins and ends with
//! a whole group of digits: a part of a longer run of digits is no card number.
//!
//! Which groups belong together cannot be known: before a card number there may be a date, and
//! after it a code. So everything that could be a card number counts, also where two overlap, and
//! a digit is shown only when none of them hides it.

use std::iter;
use std::ops::Range;

/// Digits of the shortest card number and of the longest.
const DIGITS: Range<usize> = 13..20;
/// Digits at the end of a card number that are shown.
const DIGITS_SHOWN: usize = 4;

/// The places of all digits to hide. A place may come twice.
pub fn hidden_digits(data: &[u8]) -> impl Iterator<Item = usize> {
    let cards = groups(data).flat_map(|start| cards(data, start));
    cards.flat_map(|(places, digits)| {
        let digits_of_card = places.filter(|place| digit(data, *place).is_some());
        digits_of_card.take(digits - DIGITS_SHOWN)
    })
}

/// Where groups of digits begin.
fn groups(data: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    iter::from_fn(move || {
        let start = at + data[at..].iter().position(u8::is_ascii_digit)?;
        let digits = data[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        at = start + digits.count();
        Some(start)
    })
}

/// The card numbers that begin with this group: where they are, and how many digits they have.
fn cards(data: &[u8], start: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut luhn = Luhn::default();
    let mut next = Some(start);
    iter::from_fn(move || {
        while let Some(place) = next {
            luhn.push(digit(data, place)?);
            if DIGITS.end <= luhn.digits {
                return None;
            }
            let end = place + 1;
            if digit(data, end).is_some() {
                next = Some(end);
                continue;
            }
            let is_joined = matches!(data.get(end), Some(b' ' | b'-'));
            next = (is_joined && digit(data, end + 1).is_some()).then_some(end + 1);
            if DIGITS.contains(&luhn.digits) && luhn.is_right() {
                return Some((start..end, luhn.digits));
            }
        }
        None
    })
}

/// The digit at this place.
fn digit(data: &[u8], place: usize) -> Option<u32> {
    char::from(*data.get(place)?).to_digit(10)
}

/// The sum of digits of which every second, counted from the last, is doubled. As the last is not
/// known before it comes, both sums are kept.
#[derive(Default)]
struct Luhn {
    digits: usize,
    /// With the first, third and so on doubled; with the others doubled.
    sums: [u32; 2],
}

impl Luhn {
    fn push(&mut self, digit: u32) {
        let doubled = if digit < 5 { 2 * digit } else { 2 * digit - 9 };
        self.sums[self.digits % 2] += doubled;
        self.sums[1 - self.digits % 2] += digit;
        self.digits += 1;
    }

    fn is_right(&self) -> bool {
        self.sums[self.digits % 2].is_multiple_of(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with `*` for each hidden digit.
    fn masked(text: &str) -> String {
        let mut out = text.as_bytes().to_vec();
        for place in hidden_digits(text.as_bytes()) {
            out[place] = b'*';
        }
        String::from_utf8(out).unwrap()
    }

    /// Numbers that look random and are the same for the same seed.
    fn random(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |below| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed >> 33) % u64::try_from(below).unwrap()).unwrap()
        }
    }

    /// Luhn's rule as it is told: from the right, every second digit is doubled.
    fn is_right_by_the_book(digits: &[u32]) -> bool {
        let summed = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, digit)| match at % 2 {
                0 => *digit,
                _ => (2 * digit) / 10 + (2 * digit) % 10,
            });
        summed.sum::<u32>() % 10 == 0
    }

    /// All ranges that are card numbers, by trying each.
    fn cards_by_the_book(text: &[u8]) -> Vec<Range<usize>> {
        let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        let is_card = |range: &Range<usize>| {
            let part = &text[range.clone()];
            let digits: Vec<u32> = (0..part.len()).filter_map(|at| digit(part, at)).collect();
            let joints = part
                .windows(2)
                .all(|two| two.iter().any(u8::is_ascii_digit));
            let bytes = part
                .iter()
                .all(|byte| byte.is_ascii_digit() || b" -".contains(byte));
            let is_whole = is_digit(range.start)
                && is_digit(range.end - 1)
                && !is_digit(range.end)
                && (range.start == 0 || !is_digit(range.start - 1));
            let is_long = 13 <= digits.len() && digits.len() <= 19;
            is_whole && joints && bytes && is_long && is_right_by_the_book(&digits)
        };
        let ends = |start: usize| (start + 1..=text.len()).map(move |end| start..end);
        (0..text.len()).flat_map(ends).filter(is_card).collect()
    }

    /// A card number of this many digits.
    fn card(random: &mut impl FnMut(usize) -> usize, length: usize) -> String {
        let mut digits: Vec<u32> = (1..length)
            .map(|_| u32::try_from(random(10)).unwrap())
            .collect();
        digits.push(0);
        while !is_right_by_the_book(&digits) {
            digits[length - 1] += 1;
        }
        digits.iter().map(u32::to_string).collect()
    }

    #[test]
    fn a_card_number_keeps_its_last_four_digits() {
        for (text, wanted) in [
            ("4111111111111111", "************1111"),
            ("4111 1111 1111 1111", "**** **** **** 1111"),
            ("3782-822463-10005", "****-******-*0005"),
            ("4222222222222", "*********2222"),
            ("6304000000000000000", "***************0000"),
            ("card=4111-1111 11111111.", "card=****-**** ****1111."),
            ("a4111111111111111b", "a************1111b"),
            ("ü4111111111111111ü", "ü************1111ü"),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn what_is_no_card_number_stays() {
        for text in [
            "",
            "no digits",
            "4111 1111 1111 1112",
            "422222222222",
            "41111111111111110000",
            "04111111111111111000",
            "4111  1111  1111  1111",
            "4111--1111--1111--1111",
            "4111_1111_1111_1111",
            "4111 1111 1111 - 1111",
            "127.0.0.1 [10/Oct/2000:13:55:36 -0700] 200 2326",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn digits_beside_a_card_number_do_not_hide_it() {
        let date = masked("2024-05-17 4111 1111 1111 1111");
        assert_eq!(date, "2024-05-17 **** **** **** 1111");
        let code = masked("4111 1111 1111 1111 123");
        assert_eq!(code, "**** **** **** 1111 123");
        let two = masked("4111111111111111 5500000000000004");
        assert_eq!(two, "************1111 ************0004");
    }

    #[test]
    fn a_digit_that_one_of_two_overlapping_numbers_hides_is_hidden() {
        let text = "12345678 000006 12345678";
        assert_eq!(cards_by_the_book(text.as_bytes()), [0..15, 9..24]);
        assert_eq!(masked(text), "******** ****** ****5678");
    }

    #[test]
    fn a_number_with_one_wrong_digit_stays() {
        for seed in 0..2_000 {
            let mut random = random(seed);
            let length = 13 + random(7);
            let card = card(&mut random, length);
            assert_ne!(masked(&card), card, "seed {seed}");
            let mut wrong = card.clone().into_bytes();
            let place = random(length);
            let other = 1 + u8::try_from(random(9)).unwrap();
            wrong[place] = b'0' + (wrong[place] - b'0' + other) % 10;
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(masked(&wrong), wrong, "seed {seed}");
        }
    }

    #[test]
    fn a_card_number_is_found_whatever_separates_its_groups_and_stands_around_it() {
        for seed in 0..2_000 {
            let mut random = random(seed);
            let length = 13 + random(7);
            let card = card(&mut random, length);
            let mut text = ["", "x", "x ", "\"", "(", "\n"][random(6)].to_owned();
            let before = text.len();
            for (place, digit) in card.char_indices() {
                let separator = ["", "", "", " ", "-"][random(5)];
                text += if place == 0 { "" } else { separator };
                text.push(digit);
            }
            let end = text.len();
            text += ["", "x", ".", " x", "--1", "\n"][random(6)];
            let masked = masked(&text);
            let shown = masked[before..end]
                .chars()
                .filter(char::is_ascii_digit)
                .count();
            assert!(shown <= DIGITS_SHOWN, "seed {seed}: {text} {masked}");
        }
    }

    #[test]
    fn what_is_hidden_is_what_the_rules_say_and_nothing_else() {
        for seed in 0..4_000 {
            let mut random = random(seed);
            let alphabet: &[u8] = [&b"0123456789 -"[..], b"01 ", b"0123456789x"][random(3)];
            let text: Vec<u8> = (0..random(45))
                .map(|_| alphabet[random(alphabet.len())])
                .collect();
            let mut wanted = vec![false; text.len()];
            for card in cards_by_the_book(&text) {
                let digits: Vec<usize> = card.filter(|at| text[*at].is_ascii_digit()).collect();
                for place in &digits[..digits.len() - 4] {
                    wanted[*place] = true;
                }
            }
            let mut hidden = vec![false; text.len()];
            for place in hidden_digits(&text) {
                hidden[place] = true;
            }
            assert_eq!(hidden, wanted, "seed {seed}: {}", text.escape_ascii());
        }
    }
}
