//! What records cost when a fixture was blessed, and by how much that has changed. The same
//! component costs the same on every machine: what changes is the work of its author.

use serde::{Deserialize, Serialize};

use crate::commands::plugin::trials::Ran;
use crate::output;

/// How much more a record may cost than when it was blessed, where nothing else is said. Compilers
/// of one version differ by less, and one more walk through a record costs more.
const CHANGE_MAX_DEFAULT: u32 = 10;
/// Percent that can be asked for.
const CHANGE_MAX_MAX: u32 = 100_000;
/// Records that are named; of more only the number is.
const NAMED_MAX: usize = 5;

/// Percent of what was blessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangeMax(u32);

impl Default for ChangeMax {
    fn default() -> Self {
        Self(CHANGE_MAX_DEFAULT)
    }
}

impl std::fmt::Display for ChangeMax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl ChangeMax {
    /// `10%`, or `10`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        match number.parse() {
            Ok(percent) if percent <= CHANGE_MAX_MAX => Ok(Self(percent)),
            _ => Err(format!("is no share in percent, 0% to {CHANGE_MAX_MAX}%")),
        }
    }

    fn is_passed(self, before: u64, now: u64) -> bool {
        let more = u128::from(now.saturating_sub(before)) * 100;
        more > u128::from(before) * u128::from(self.0)
    }
}

/// What a record cost when it was blessed: a line of `tests/X.cost.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptCost {
    fuel: u64,
    /// Bytes of all memories of the instance after it.
    memory_bytes: u64,
}

impl KeptCost {
    /// What a record costs now. One that no instance was there for costs nothing.
    pub(super) fn of(ran: &Ran) -> Self {
        Self {
            fuel: ran.cost.fuel.unwrap_or(0),
            memory_bytes: ran.cost.memory_bytes as u64,
        }
    }
}

/// What is said of the costs of a fixture, and whether one grew by more than it may.
pub(super) struct Verdict {
    pub(super) text: String,
    pub(super) is_too_much: bool,
}

/// Compares what records cost now with what they cost when they were blessed.
pub(super) fn compare(before: &[KeptCost], now: &[KeptCost], max: ChangeMax) -> Verdict {
    if before.len() != now.len() {
        let (before, now) = (before.len(), now.len());
        return Verdict {
            text: format!(
                "  cost: kept of {before} records, and there are {now}: --bless keeps it anew\n"
            ),
            is_too_much: false,
        };
    }
    let fuel = |all: &[KeptCost]| all.iter().map(|cost| cost.fuel).sum::<u64>();
    let peak = |all: &[KeptCost]| all.iter().map(|cost| cost.memory_bytes).max().unwrap_or(0);
    let mut text = format!(
        "  cost: fuel {}, memory {}\n",
        told(fuel(before), fuel(now)),
        told(peak(before), peak(now))
    );
    let costlier: Vec<_> = before
        .iter()
        .zip(now)
        .enumerate()
        .filter(|(_, (before, now))| max.is_passed(before.fuel, now.fuel))
        .collect();
    for (place, (before, now)) in costlier.iter().take(NAMED_MAX) {
        let told = told(before.fuel, now.fuel);
        text.push_str(&format!("    record {}: fuel {told}\n", place + 1));
    }
    if costlier.len() > NAMED_MAX {
        text.push_str(&format!("    and {} more\n", costlier.len() - NAMED_MAX));
    }
    let is_too_much = !costlier.is_empty() || max.is_passed(peak(before), peak(now));
    if is_too_much {
        text.push_str(&format!(
            "    that is more than --max-cost-change {max}; --bless takes it as it is\n"
        ));
    }
    Verdict { text, is_too_much }
}

/// A number, and how far it is from the one before.
fn told(before: u64, now: u64) -> String {
    let shown = output::count(now);
    if before == now {
        return format!("{shown}, as before");
    }
    let what = if now > before { "more" } else { "less" };
    let tenths = u128::from(now.abs_diff(before)) * 1000 / u128::from(before.max(1));
    let (whole, tenth) = (tenths / 10, tenths % 10);
    let before = output::count(before);
    format!("{shown}, {whole}.{tenth} % {what} than {before}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(fuel: &[u64]) -> Vec<KeptCost> {
        let cost = |fuel: &u64| KeptCost {
            fuel: *fuel,
            memory_bytes: 65_536,
        };
        fuel.iter().map(cost).collect()
    }

    #[test]
    fn a_record_that_costs_more_than_it_may_is_named_though_the_others_make_up_for_it() {
        let max = ChangeMax::default();
        let verdict = compare(&costs(&[1000, 1000]), &costs(&[1101, 800]), max);
        assert!(verdict.is_too_much);
        let words = "record 1: fuel 1,101, 10.1 % more than 1,000\n";
        assert!(verdict.text.contains(words), "{}", verdict.text);
        assert!(
            verdict.text.contains("fuel 1,901, 4.9 % less than 2,000"),
            "{}",
            verdict.text
        );
        assert!(verdict.text.contains("--max-cost-change 10%"));
    }

    #[test]
    fn exactly_as_much_more_as_may_be_is_told_and_no_failure() {
        let max = ChangeMax::default();
        let verdict = compare(&costs(&[1000]), &costs(&[1100]), max);
        assert!(!verdict.is_too_much, "{}", verdict.text);
        assert!(verdict.text.contains("10.0 % more"), "{}", verdict.text);
        assert!(compare(&costs(&[1000]), &costs(&[1001]), ChangeMax(0)).is_too_much);
        assert!(!compare(&costs(&[1000]), &costs(&[10]), ChangeMax(0)).is_too_much);
    }

    #[test]
    fn memory_that_grows_by_more_than_it_may_is_a_failure_too() {
        let mut now = costs(&[1000]);
        now[0].memory_bytes *= 2;
        let verdict = compare(&costs(&[1000]), &now, ChangeMax::default());
        assert!(verdict.is_too_much);
        let words = "memory 131,072, 100.0 % more than 65,536";
        assert!(verdict.text.contains(words), "{}", verdict.text);
    }

    #[test]
    fn a_share_is_a_number_of_percent() {
        assert_eq!(ChangeMax::parse("5%"), Ok(ChangeMax(5)));
        assert_eq!(ChangeMax::parse("0"), Ok(ChangeMax(0)));
        for bad in ["", "%", "-1", "1.5", "many", "100001"] {
            assert!(ChangeMax::parse(bad).is_err(), "{bad}");
        }
    }
}
