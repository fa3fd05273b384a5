//! What a plugin costs, as its page shows it: the numbers that `/metrics` has.

use std::collections::BTreeMap;

use serde::Serialize;
use wasm::{Counters, Plugin};

/// What is counted of a plugin: the rows that metrics have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Costs {
    /// The versions that are shown by themselves, the one in force first, then `other`.
    costs: Vec<VersionCosts>,
    /// By account, the last may be `other`.
    accounts: Vec<AccountPage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionCosts {
    /// The first digits of the version's hash, or `other`.
    version: String,
    number: Option<u64>,
    calls: u64,
    records: u64,
    ok: u64,
    dropped: u64,
    failed: u64,
    batch_us: u64,
    processor_us: u64,
    memory_peak_bytes: u64,
    starts_failed: u64,
    /// Calls that failed, by why, as far as there were any.
    faults: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountPage {
    /// The account, or `other`.
    account: String,
    calls: u64,
    records: u64,
    processor_us: u64,
}

impl Costs {
    /// For those who may see what is of all accounts.
    pub(super) fn of(plugin: &Plugin) -> Self {
        let shown = plugin.shown().map(|version| {
            let (hash, counters) = (version.hash(), version.counters());
            VersionCosts::of(hash.short(), plugin.number(hash), counters)
        });
        let other = plugin.costs.other();
        let has_other = other.calls.value() > 0 || other.ended.value() > 0;
        let other = has_other.then(|| VersionCosts::of("other".to_owned(), None, other));
        Self {
            costs: shown.chain(other).collect(),
            accounts: accounts(plugin),
        }
    }
}

impl VersionCosts {
    fn of(version: String, number: Option<u64>, counters: &Counters) -> Self {
        let faults = counters.faults().filter(|(_, count)| *count > 0);
        Self {
            version,
            number,
            calls: counters.calls.value(),
            records: counters.records.value(),
            ok: counters.ok.value(),
            dropped: counters.dropped.value(),
            failed: counters.failed.value(),
            batch_us: counters.batch_time_us.value(),
            processor_us: counters.processor_ns.value() / 1_000,
            memory_peak_bytes: counters.memory_peak_bytes.value(),
            starts_failed: counters.starts_failed.value(),
            faults: faults.map(|(kind, count)| (kind.as_str(), count)).collect(),
        }
    }
}

fn accounts(plugin: &Plugin) -> Vec<AccountPage> {
    let accounts = plugin.costs.accounts().into_iter();
    let page = accounts.map(|(account, costs)| AccountPage {
        account: account.map_or_else(|| "other".to_owned(), |account| account.to_string()),
        calls: costs.calls.value(),
        records: costs.records.value(),
        processor_us: costs.processor_ns.value() / 1_000,
    });
    page.collect()
}
