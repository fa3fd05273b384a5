//! What went in, and what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::objects::Found;
use crate::commands::delivery::DeliveryStream;
use crate::commands::stream::{Landed, Waiting};
use crate::output;

/// The records that were put, by shard.
#[derive(Default)]
pub(super) struct Tally {
    shards: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts records that were acknowledged.
    pub(super) fn went_in(&mut self, gone: &[(Waiting, Landed)]) {
        for (_, Landed { shard_id, .. }) in gone {
            *self.shards.entry(shard_id.clone()).or_default() += 1;
        }
    }

    fn total(&self) -> u64 {
        self.shards.values().sum()
    }

    /// How far it is, on one line.
    pub(super) fn progress(&self, elapsed: Duration, status: &DeliveryStream) -> String {
        format!(
            "{:>4} s   in {:>8}   delivered {:>8}   dropped {:>6}   failed {:>4}   objects {:>4}",
            elapsed.as_secs(),
            output::count(self.total()),
            output::count(status.delivered),
            output::count(status.dropped),
            output::count(status.failed),
            output::count(status.objects)
        )
    }

    /// What went into each shard, and what each version of the component made of it.
    pub(super) fn table(&self, status: &DeliveryStream) -> String {
        let mut rows = vec![vec!["in".to_owned(), "records".to_owned()]];
        for (shard, records) in &self.shards {
            rows.push(vec![shard.clone(), output::count(*records)]);
        }
        rows.push(vec!["total".to_owned(), output::count(self.total())]);
        let head = ["out, by version", "delivered", "dropped", "failed"];
        let mut out = vec![head.map(str::to_owned).to_vec()];
        for version in &status.versions {
            let counts = [version.delivered, version.dropped, version.failed];
            out.push(row(version.text(), counts));
        }
        let total = [status.delivered, status.dropped, status.failed];
        out.push(row("total".to_owned(), total));
        format!("{}\n{}", output::table(&rows), output::table(&out))
    }

    /// Fails unless every record that went in is delivered, dropped or failed, the objects hold
    /// what was counted, and both versions were at work if there were two.
    pub(super) fn verdict(
        &self,
        status: &DeliveryStream,
        found: &Found,
        was_swapped: bool,
    ) -> Result<(), String> {
        let came_out = status.delivered + status.dropped + status.failed;
        let went_in = self.total();
        if went_in == 0 {
            return Err("no record went in".to_owned());
        }
        if went_in != came_out || went_in != status.records_in {
            return Err(format!("{went_in} records went in and {came_out} came out"));
        }
        if (found.delivered, found.failed) != (status.delivered, status.failed) {
            return Err(format!(
                "the objects hold {} delivered and {} failed records, not {} and {}",
                found.delivered, found.failed, status.delivered, status.failed
            ));
        }
        let versions = status.versions.len();
        if was_swapped && versions != 2 {
            return Err(format!("{versions} versions were at work, not 2"));
        }
        Ok(())
    }
}

fn row(name: String, counts: [u64; 3]) -> Vec<String> {
    let mut row = vec![name];
    row.extend(counts.map(output::count));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(records_in: u64, delivered: u64, failed: u64) -> DeliveryStream {
        serde_json::from_value(serde_json::json!({
            "name": "n", "arn": "a", "status": "ACTIVE", "versionId": 1,
            "source": null, "bucket": "b",
            "recordsIn": records_in, "replayed": 0, "delivered": delivered, "dropped": 0,
            "failed": failed,
            "lost": 0, "leftOut": 0, "stuck": [],
            "waitingRecords": 0, "waitingBytes": 0, "objects": 1, "failedObjects": 0,
            "bytesDelivered": 0, "retries": 0, "trouble": null, "lastObject": null,
            "versions": [],
        }))
        .unwrap()
    }

    fn put(tally: &mut Tally, records: usize) {
        for _ in 0..records {
            let record = Waiting {
                partition_key: "k".into(),
                data: Vec::new(),
            };
            let landed = Landed {
                shard_id: "s".into(),
                sequence_number: "1".into(),
            };
            tally.went_in(&[(record, landed)]);
        }
    }

    #[test]
    fn what_went_in_must_have_come_out_and_lie_in_the_objects() {
        let mut tally = Tally::default();
        let found = objects(1, 1);
        assert!(tally.verdict(&status(0, 0, 0), &found, false).is_err());
        put(&mut tally, 2);
        assert!(tally.verdict(&status(2, 1, 1), &found, false).is_ok());
        assert!(
            tally.verdict(&status(2, 1, 1), &found, true).is_err(),
            "one version"
        );
        assert!(
            tally.verdict(&status(2, 2, 0), &found, false).is_err(),
            "other objects"
        );
        assert!(
            tally.verdict(&status(1, 1, 0), &found, false).is_err(),
            "one is missing"
        );
    }

    fn objects(delivered: u64, failed: u64) -> Found {
        Found::counting(delivered, failed)
    }
}
