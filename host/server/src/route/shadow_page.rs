//! What a plugin's page says of the last shadow run.

use serde::Serialize;
use wasm::{ShadowReport, ShadowSample, ShadowSide, Shown, Status};

/// What a shadow run found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShadowPage {
    at_ms: u64,
    /// What the records were read from; empty where nothing goes through the plugin.
    /// The delivery stream that the records were of, for those who may see records of all accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The version that would have come into force, or has.
    hash: String,
    records: u64,
    left_out: u64,
    old: Side,
    new: Side,
    differing: u64,
    samples: Vec<Sample>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Side {
    ok: u64,
    dropped: u64,
    failed: u64,
    output_bytes: u64,
    /// Processor time of a record, on average.
    ns_per_record: u128,
    memory_bytes: usize,
    fault: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    record: u64,
    input: Bytes,
    old_status: &'static str,
    old: Bytes,
    new_status: &'static str,
    new: Bytes,
}

#[derive(Serialize)]
struct Bytes {
    bytes: u64,
    hash: String,
    /// Only where the operator allows that record data are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl ShadowPage {
    /// With data of records only for those who may see records of all accounts.
    pub(super) fn of(report: &ShadowReport, shows_data: bool) -> Self {
        let samples = report.samples.iter();
        Self {
            at_ms: report.at.0,
            source: shows_data.then(|| report.source.clone()),
            hash: report.version.to_string(),
            records: report.records,
            left_out: report.left_out,
            old: Side::of(&report.old, shows_data),
            new: Side::of(&report.new, shows_data),
            differing: report.differing,
            samples: samples.filter(|_| shows_data).map(Sample::of).collect(),
        }
    }
}

impl Side {
    /// What a guest says of a record may hold what is in it.
    fn of(side: &ShadowSide, shows_data: bool) -> Self {
        let records = u128::from(side.ok + side.dropped + side.failed);
        Self {
            ok: side.ok,
            dropped: side.dropped,
            failed: side.failed,
            output_bytes: side.output_bytes,
            ns_per_record: side
                .time
                .as_nanos()
                .checked_div(records)
                .unwrap_or_default(),
            memory_bytes: side.memory_bytes,
            fault: side.fault.clone().filter(|_| shows_data),
        }
    }
}

impl Sample {
    fn of(sample: &ShadowSample) -> Self {
        let bytes = Bytes::of;
        Self {
            record: sample.record,
            input: bytes(&sample.input),
            old_status: word(sample.old.0),
            old: bytes(&sample.old.1),
            new_status: word(sample.new.0),
            new: bytes(&sample.new.1),
        }
    }
}

impl Bytes {
    fn of(shown: &Shown) -> Self {
        Self {
            bytes: shown.bytes,
            hash: shown.hash.clone(),
            text: shown.text.clone(),
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Dropped => "dropped",
        Status::Failed => "failed",
    }
}
