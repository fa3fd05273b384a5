//! The pages about delivery streams.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryStreams {
    pub(crate) delivery_streams: Vec<DeliveryStream>,
}

/// One delivery stream.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryStream {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: String,
    pub(crate) version_id: u64,
    pub(crate) source: Option<String>,
    pub(crate) bucket: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) records_in: u64,
    pub(crate) replayed: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) left_out: u64,
    pub(crate) waiting_records: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) objects: u64,
    pub(crate) failed_objects: u64,
    pub(crate) bytes_delivered: u64,
    pub(crate) retries: u64,
    pub(crate) trouble: Option<String>,
    pub(crate) stuck: Vec<StuckLane>,
    pub(crate) last_object: Option<String>,
    pub(crate) versions: Vec<VersionCounts>,
}

/// A delivery stream with each of its lanes.
#[derive(Deserialize)]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(crate) stream: DeliveryStream,
    pub(crate) lanes: Vec<Lane>,
}

/// What became of the records of a lane.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lane {
    pub(crate) lane: String,
    pub(crate) records_in: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) waiting_records: u64,
}

/// A lane that does not get on.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StuckLane {
    pub(crate) lane: String,
    pub(crate) why: String,
    pub(crate) records: u64,
    pub(crate) objects_that_may_exist: u32,
    pub(crate) unreadable: bool,
}

/// What a version of its transform did.
#[derive(Clone, Deserialize)]
pub(crate) struct VersionCounts {
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) hash: String,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
}

impl VersionCounts {
    /// The version, as a person tells it from others.
    pub(crate) fn text(&self) -> String {
        let hash = self.hash.get(..12).unwrap_or(&self.hash);
        format!("{} {} {hash}", self.plugin, self.version)
    }
}
