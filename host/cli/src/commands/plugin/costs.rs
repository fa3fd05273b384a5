//! What a plugin costs, as `millrace plugin inspect` shows it.

use super::shapes::{AccountCosts, Plugin, VersionCosts};
use crate::output;

/// Lines for each version that is shown by itself, for all others together, and for each account.
pub(super) fn rows(plugin: &Plugin) -> Vec<(&'static str, String)> {
    let versions = plugin.costs.iter().flat_map(of_version);
    let accounts = plugin.accounts.iter().map(of_account);
    versions.chain(accounts).collect()
}

fn of_version(costs: &VersionCosts) -> Vec<(&'static str, String)> {
    let name = match costs.number {
        Some(number) => format!("{} ({})", output::count(number), costs.version),
        None => costs.version.clone(),
    };
    let [calls, records, ok, dropped, failed, memory] = [
        costs.calls,
        costs.records,
        costs.ok,
        costs.dropped,
        costs.failed,
        costs.memory_peak_bytes,
    ]
    .map(output::count);
    let [batch, processor] = [costs.batch_us, costs.processor_us]
        .map(|us| format!("{}, {} a record", time(us), each(us, costs.records)));
    let mut rows = vec![
        (
            "outcomes",
            format!("{name}: {ok} ok, {dropped} dropped, {failed} failed"),
        ),
        (
            "batches",
            format!("{name}: {calls} with {records} records, {batch}"),
        ),
        ("processor", format!("{name}: {processor}")),
        ("memory peak", format!("{name}: {memory} bytes")),
    ];
    let faults = costs.faults.iter();
    let faults = faults.map(|(kind, count)| format!("{} {kind}", output::count(*count)));
    let faults: Vec<_> = faults.collect();
    if !faults.is_empty() {
        rows.push(("faults", format!("{name}: {}", faults.join(", "))));
    }
    if costs.starts_failed > 0 {
        let failed = output::count(costs.starts_failed);
        rows.push(("not begun", format!("{name}: {failed} instances")));
    }
    rows
}

fn of_account(costs: &AccountCosts) -> (&'static str, String) {
    let [calls, records] = [costs.calls, costs.records].map(output::count);
    let processor = time(costs.processor_us);
    let text = format!(
        "{}: {calls} batches with {records} records, {processor} of a processor",
        costs.account
    );
    ("account", text)
}

/// Microseconds, as people read them.
fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{}.{:03} ms", us / 1_000, us % 1_000),
        _ => format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000),
    }
}

/// How much of it is each one's, if there are any.
fn each(us: u64, count: u64) -> String {
    let ns = us.saturating_mul(1_000).checked_div(count);
    ns.map_or_else(
        || "none".to_owned(),
        |ns| format!("{} ns", output::count(ns)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_a_unit_that_fits() {
        let cases = [
            (999, "999 us"),
            (1_005, "1.005 ms"),
            (61_000_500, "61.000 s"),
        ];
        for (us, text) in cases {
            assert_eq!(time(us), text);
        }
        assert_eq!(each(3, 2), "1,500 ns");
        assert_eq!(each(3, 0), "none");
    }
}
