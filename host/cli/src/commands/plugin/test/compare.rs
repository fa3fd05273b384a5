//! Where outcomes are not what they should be.

use std::collections::BTreeSet;

use super::fixture::Fixture;
use crate::commands::plugin::entries::Entry;
use crate::commands::plugin::outcome::Outcome;
use crate::commands::plugin::trials::Ran;
use crate::failure::Failure;
use crate::output;

/// Differences of a fixture that are shown; of more only the number is.
const SHOWN_MAX: usize = 20;
/// Characters of a line that are shown around the first that differs.
const WINDOW_CHARS: usize = 160;

/// Prints what is not as expected. How many records that are.
pub(super) fn compare(
    fixture: &Fixture,
    expected: &[Outcome],
    ran: &[Ran],
) -> Result<usize, Failure> {
    let mut wrong = 0;
    for record in 0..expected.len().max(ran.len()) {
        let (wanted, came) = (expected.get(record), ran.get(record));
        let is_right = wanted
            .zip(came)
            .is_some_and(|(wanted, came)| came.outcome.is(wanted));
        if is_right {
            continue;
        }
        wrong += 1;
        if wrong <= SHOWN_MAX {
            output::lines(&difference(fixture, record, wanted, came))?;
        }
    }
    if wrong > SHOWN_MAX {
        output::lines(&format!("  and {} more", wrong - SHOWN_MAX))?;
    }
    Ok(wrong)
}

/// Prints what tables hold otherwise than a fixture expects; whether they hold what it does.
pub(super) fn compare_tables(fixture: &Fixture, entries: &[Entry]) -> Result<bool, Failure> {
    let Some(expected) = fixture.after()? else {
        return Ok(true);
    };
    let expected: BTreeSet<&Entry> = expected.iter().collect();
    let entries: BTreeSet<&Entry> = entries.iter().collect();
    let missing = expected.difference(&entries).map(|entry| ('-', *entry));
    let different = missing.chain(entries.difference(&expected).map(|entry| ('+', *entry)));
    let mut different: Vec<(char, &Entry)> = different.collect();
    if different.is_empty() {
        return Ok(true);
    }
    // What an entry was to be stands before what it is.
    different.sort_by_key(|(sign, entry)| (&entry.table, &entry.key, *sign == '+'));
    output::lines(&format!(
        "  {}: tables do not hold what it expects (-), but (+)",
        fixture.after_place()
    ))?;
    for (sign, entry) in different.iter().take(SHOWN_MAX) {
        output::lines(&format!("    {sign} {entry}"))?;
    }
    if different.len() > SHOWN_MAX {
        output::lines(&format!("    and {} more", different.len() - SHOWN_MAX))?;
    }
    Ok(false)
}

fn difference(
    fixture: &Fixture,
    record: usize,
    wanted: Option<&Outcome>,
    came: Option<&Ran>,
) -> String {
    let nothing = || "nothing: there is no such line".to_owned();
    let wanted = wanted.map_or_else(nothing, Outcome::line);
    let came = came.map_or_else(nothing, |ran| ran.outcome.line());
    let (wanted, came, at) = window(&wanted, &came);
    format!(
        "  {}: not what {} expects\n    expected  {wanted}\n    got       {came}\n    {:10}{}^",
        fixture.place(record),
        fixture.expected_place(record),
        "",
        " ".repeat(at)
    )
}

/// The stretches of both lines around the first character that differs, and its place in them.
pub(in crate::commands::plugin) fn window(one: &str, other: &str) -> (String, String, usize) {
    let same = one.chars().zip(other.chars());
    let at = same.take_while(|(one, other)| one == other).count();
    let from = at.saturating_sub(WINDOW_CHARS / 2);
    let cut = |text: &str| {
        let mut shown: String = text.chars().skip(from).take(WINDOW_CHARS).collect();
        if from > 0 {
            shown.insert(0, '…');
        }
        if text.chars().count() > from + WINDOW_CHARS {
            shown.push('…');
        }
        shown
    };
    (cut(one), cut(other), at - from + usize::from(from > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_shown_around_the_place_where_they_differ() {
        let long = "x".repeat(10_000);
        let (one, other, at) = window(&format!("{long}a{long}"), &format!("{long}b{long}"));
        assert!(one.chars().count() < 200, "{one}");
        assert_eq!(one.chars().nth(at), Some('a'));
        assert_eq!(other.chars().nth(at), Some('b'));
        let (one, other, at) = window("ab", "abc");
        assert_eq!((one.as_str(), other.as_str(), at), ("ab", "abc", 2));
    }
}
