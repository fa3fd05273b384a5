//! What versions make of records, for people.

use std::sync::Arc;

use wasm::Version;

use crate::commands::plugin::entries::Entry;
use crate::commands::plugin::test::window;
use crate::commands::plugin::trials::{Ran, Record, run_all};
use crate::output;

/// Records that are shown.
const SHOWN_MAX: usize = 10;
/// Characters of a record that are shown.
const RECORD_CHARS_MAX: usize = 40;

/// What a version makes of records; a consumer's tables hold these entries before.
pub(super) fn outcomes(
    version: &Arc<Version>,
    entries: &[Entry],
    records: &[Record],
) -> Result<String, String> {
    let from = records.len().saturating_sub(SHOWN_MAX);
    let records = records.get(from..).unwrap_or_default();
    let ran = run_all(version, entries, records)?;
    let mut rows = Vec::new();
    for (record, ran) in records.iter().zip(&ran) {
        let (outcome, _, _) = window(&ran.outcome.line(), "");
        rows.push(vec![shown(record), "->".to_owned(), outcome]);
    }
    Ok(output::table(&rows))
}

/// Where what a version makes of records differs from what the one before made of them.
pub(super) fn differences(
    before: &Arc<Version>,
    after: &Arc<Version>,
    entries: &[Entry],
    records: &[Record],
) -> Result<String, String> {
    let run = |version| run_all(version, entries, records);
    let (old, new) = (run(before)?, run(after)?);
    let pairs = old.iter().zip(&new).zip(records);
    let different = pairs.filter(|((old, new), _)| old.outcome != new.outcome);
    let different: Vec<((&Ran, &Ran), &Record)> = different.collect();
    if different.is_empty() {
        return Ok(format!(
            "  the last {} records come out as before\n",
            records.len()
        ));
    }
    let mut text = format!(
        "  {} of the last {} records come out otherwise\n",
        different.len(),
        records.len()
    );
    for ((old, new), record) in different.iter().take(SHOWN_MAX) {
        let (old, new, _) = window(&old.outcome.line(), &new.outcome.line());
        text.push_str(&format!("  {}\n    - {old}\n    + {new}\n", shown(record)));
    }
    Ok(text)
}

/// The beginning of a record, as a text in quotes.
fn shown(record: &Record) -> String {
    let text = String::from_utf8_lossy(&record.data);
    let mut shown: String = text.chars().take(RECORD_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
