//! How a delivery stream is, in numbers.

use serde::Serialize;

use crate::counts::{Counts, VersionCounts};
use crate::delivery_stream::{Origin, Status};
use crate::lane::Tools;
use crate::lane_state::LaneStatus;
use crate::redeliveries::RedeliveryStatus;
use crate::rows::{self, UnreadableStream};
use crate::running::Running;
use crate::tables::LaneKey;

/// A delivery stream as it is at the moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub arn: String,
    /// Where it is in its life, in the model's word, or `UNREADABLE` if another build wrote its row
    /// and this one does not read it.
    pub status: &'static str,
    /// The version of its configuration.
    pub version_id: u64,
    /// The ARN of the stream that it reads; `None` where records are put to it directly.
    pub source: Option<String>,
    /// The bucket that objects go to.
    pub bucket: String,
    /// The URL that delivered records go to, if they go to an HTTP endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Records that came in: delivered, dropped, failed, lost and waiting together.
    pub records_in: u64,
    /// Those of them that had failed before, and came once more.
    pub replayed: u64,
    /// Records in delivered objects.
    pub delivered: u64,
    /// Records that the transform left out.
    pub dropped: u64,
    /// Records in objects below the error prefix.
    pub failed: u64,
    /// Records that came to nothing: retention took them before they were delivered, their stream
    /// was deleted, or an operator left them out.
    pub lost: u64,
    /// Those of the lost that an operator left out.
    pub left_out: u64,
    /// Records that wait or are on their way.
    pub waiting_records: u64,
    /// Bytes of the frames of those that were looked at: at most as much as goes together.
    pub waiting_bytes: u64,
    /// When the oldest of them arrived, in milliseconds since 1970.
    pub waiting_since_ms: Option<u64>,
    /// Bytes that its cuts at work hold: records, what came of them, objects that are not put yet.
    #[serde(skip)]
    pub work_bytes: u64,
    /// Its cuts that are worked on.
    #[serde(skip)]
    pub cuts_at_work: usize,
    /// Threads that work for it.
    #[serde(skip)]
    pub threads: usize,
    /// Objects of delivered records, or requests that an endpoint has taken.
    pub objects: u64,
    /// Objects of failed records.
    pub failed_objects: u64,
    /// Bytes of delivered records before they were packed.
    pub bytes_delivered: u64,
    /// Deliveries that failed and were tried again, since the start.
    pub retries: u64,
    /// Why it does not get on, if it does not.
    pub trouble: Option<String>,
    /// Every lane that does not get on.
    pub stuck: Vec<StuckLane>,
    /// The name of the object that was put last, or of the request that was taken last, since the
    /// start.
    pub last_object: Option<String>,
    /// What each version of the transform did.
    pub versions: Vec<VersionStatus>,
}

/// A delivery stream with each of its lanes.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryDescription {
    /// All of it together.
    #[serde(flatten)]
    pub status: DeliveryStatus,
    /// What was ordered to be delivered once more, the newest last. It counts by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redeliveries: Vec<RedeliveryStatus>,
    /// Its lanes, in the order of their shards. Those of deleted streams are only in the sums.
    pub lanes: Vec<LaneDescription>,
}

/// What became of the records of a lane.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneDescription {
    /// The lane: the id of the shard that it reads, `direct`, or `replays`.
    pub lane: String,
    /// Records that came in: delivered, dropped, failed, lost and waiting together.
    pub records_in: u64,
    /// Records in delivered objects.
    pub delivered: u64,
    /// Records that the transform left out.
    pub dropped: u64,
    /// Records in objects below the error prefix.
    pub failed: u64,
    /// Records that came to nothing.
    pub lost: u64,
    /// Records that wait or are on their way.
    pub waiting_records: u64,
    /// When the oldest of them arrived, in milliseconds since 1970.
    pub waiting_since_ms: Option<u64>,
    /// The name of the object that was put last, since the start.
    pub last_object: Option<String>,
}

/// A lane that does not get on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckLane {
    /// The lane: the id of the shard that it reads, `direct`, or `replays`.
    pub lane: String,
    /// Why.
    pub why: String,
    /// Records of the cut that it does not get rid of, or that it cannot read; 0 if it waits for
    /// something else.
    pub records: u64,
    /// Objects of these records that may exist already.
    pub objects_that_may_exist: u32,
    /// Whether these records cannot be read, so that they can only be left out.
    pub unreadable: bool,
}

/// What a version of a transform did.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatus {
    /// The plugin.
    pub plugin: String,
    /// The author's word for the version.
    pub version: String,
    /// The version's hash, in hexadecimal.
    pub hash: String,
    /// Records that it made something of.
    pub delivered: u64,
    /// Records that it left out.
    pub dropped: u64,
    /// Records that it could not work on.
    pub failed: u64,
}

impl DeliveryDescription {
    pub(crate) fn of(running: &Running, tools: &Tools) -> Self {
        let (lanes, over) = running.lanes(&*tools.engine);
        let of_lane = |(key, lane): &(LaneKey, LaneStatus)| LaneDescription::of(key, lane);
        Self {
            status: DeliveryStatus::of_lanes(running, tools, (&lanes, &over)),
            redeliveries: running.redeliveries.statuses(),
            lanes: lanes.iter().map(of_lane).collect(),
        }
    }
}

impl LaneDescription {
    fn of(key: &LaneKey, lane: &LaneStatus) -> Self {
        let counts = lane.counts;
        Self {
            lane: key.lane_name(),
            records_in: came_in(lane),
            delivered: counts.delivered,
            dropped: counts.dropped,
            failed: counts.failed,
            lost: counts.lost,
            waiting_records: lane.waiting_records,
            waiting_since_ms: lane.waiting_since.map(|at| at.0),
            last_object: lane.last_object.clone(),
        }
    }
}

/// Records that came to a lane.
fn came_in(lane: &LaneStatus) -> u64 {
    lane.counts.records_in + lane.counts.lost + lane.waiting_records
}

impl VersionStatus {
    /// A version that has done nothing yet.
    fn new(version: &VersionCounts) -> Self {
        Self {
            plugin: version.plugin.clone(),
            version: version.label.clone(),
            hash: version.hash.clone(),
            delivered: 0,
            dropped: 0,
            failed: 0,
        }
    }

    /// What each version did, over all lanes.
    fn all_of<'a>(lanes: impl Iterator<Item = &'a LaneStatus>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for new in lanes.flat_map(|lane| &lane.by_version) {
            if !all.iter().any(|known| known.hash == new.hash) {
                all.push(Self::new(new));
            }
            for known in all.iter_mut().filter(|known| known.hash == new.hash) {
                known.delivered += new.counts.delivered;
                known.dropped += new.counts.dropped;
                known.failed += new.counts.failed;
            }
        }
        all
    }
}

impl DeliveryStatus {
    /// One of which nothing is known but its name and why.
    pub(crate) fn of_unreadable(stream: &UnreadableStream) -> Self {
        Self {
            name: stream.arn.name.as_str().to_owned(),
            arn: stream.arn.to_string(),
            status: "UNREADABLE",
            version_id: 0,
            source: None,
            bucket: String::new(),
            endpoint: None,
            records_in: 0,
            replayed: 0,
            delivered: 0,
            dropped: 0,
            failed: 0,
            lost: 0,
            left_out: 0,
            waiting_records: 0,
            waiting_bytes: 0,
            waiting_since_ms: None,
            work_bytes: 0,
            cuts_at_work: 0,
            threads: 0,
            objects: 0,
            failed_objects: 0,
            bytes_delivered: 0,
            retries: 0,
            trouble: Some(rows::told_unreadable(&stream.why)),
            stuck: Vec::new(),
            last_object: None,
            versions: Vec::new(),
        }
    }

    /// Records before which lanes stand still, since they cannot be read.
    pub fn unreadable_records(&self) -> u64 {
        let unreadable = self.stuck.iter().filter(|lane| lane.unreadable);
        unreadable.map(|lane| lane.records).sum()
    }

    pub(crate) fn of(running: &Running, tools: &Tools) -> Self {
        let (lanes, over) = running.lanes(&*tools.engine);
        Self::of_lanes(running, tools, (&lanes, &over))
    }

    /// The same of its lanes, and of those together whose logs are gone.
    fn of_lanes(
        running: &Running,
        tools: &Tools,
        (lanes, over): (&[(LaneKey, LaneStatus)], &LaneStatus),
    ) -> Self {
        let all = || lanes.iter().map(|(_, lane)| lane).chain([over]);
        let stream = running.stream();
        let held = tools.shares.held_by(stream.id.0);
        let counts = all().fold(Counts::default(), |sum, lane| sum.and(lane.counts));
        let sum = |of: fn(&LaneStatus) -> u64| all().map(of).sum();
        let waiting_records: u64 = sum(|lane| lane.waiting_records);
        let stuck = lanes.iter().filter_map(|(key, lane)| {
            Some(StuckLane {
                lane: key.lane_name(),
                why: lane.trouble.clone()?,
                records: lane.stuck.map_or(0, |cut| cut.records),
                objects_that_may_exist: lane.stuck.map_or(0, |cut| cut.objects),
                unreadable: lane.stuck.is_some_and(|cut| cut.is_unreadable),
            })
        });
        Self {
            name: stream.arn.name.as_str().to_owned(),
            arn: stream.arn.to_string(),
            status: Status::as_str(stream.status),
            version_id: stream.version_id,
            source: match &stream.origin {
                Origin::DirectPut { .. } => None,
                Origin::Stream { arn, .. } => Some(arn.to_string()),
            },
            bucket: stream.plan.bucket.as_str().to_owned(),
            endpoint: stream.destination.kind.url().map(str::to_owned),
            records_in: counts.records_in + counts.lost + waiting_records,
            replayed: lanes
                .iter()
                .filter(|(key, _)| key.is_of_replays())
                .map(|(_, lane)| came_in(lane))
                .sum(),
            delivered: counts.delivered,
            dropped: counts.dropped,
            failed: counts.failed,
            lost: counts.lost,
            left_out: counts.left_out,
            waiting_records,
            waiting_bytes: sum(|lane| lane.waiting_bytes),
            waiting_since_ms: lanes
                .iter()
                .filter_map(|(_, lane)| lane.waiting_since.map(|at| at.0))
                .min(),
            work_bytes: held.bytes,
            cuts_at_work: held.cuts,
            threads: tools.threads.running_of(stream.id.0),
            objects: counts.objects,
            failed_objects: counts.failed_objects,
            bytes_delivered: counts.bytes_delivered,
            retries: sum(|lane| lane.retries),
            stuck: stuck.collect(),
            trouble: running
                .why_it_stands_still()
                .or_else(|| all().find_map(|lane| lane.trouble.clone())),
            last_object: all().filter_map(|lane| lane.last_object.clone()).max(),
            versions: VersionStatus::all_of(all()),
        }
    }
}
