//! What can be changed of a stream, each by one write of its row.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::Purpose;
use types::Timestamp;
use types::limits::TAGS_PER_RESOURCE_MAX;
use wire::iam::ResourcePolicy;

use crate::mode::{Distribution, Mode, OnDemand};
use crate::monitoring::ShardLevelMetrics;
use crate::stream::Stream;

/// A change to a stream that exists.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Keeps records for more hours, or as many as now.
    IncreaseRetention(u32),
    /// Keeps records for fewer hours, or as many as now.
    DecreaseRetention(u32),
    /// Changes the owner's labels.
    Tag(TagEdit),
    /// Takes records of so many bytes.
    SetRecordBytesMax(usize),
    /// Publishes these metrics, too.
    Monitor(ShardLevelMetrics),
    /// Publishes these metrics no longer.
    StopMonitoring(ShardLevelMetrics),
    /// Has another decide how many shards there are. If the service does already, only what it
    /// shall be able to take changes, and only if that is given.
    SwitchMode {
        /// Who decides.
        to: Mode,
        /// When that is.
        at: Timestamp,
    },
    /// Shall be able to take so many MiB in a second.
    SetWarmThroughput(u32),
    /// Has records find their shards in this way.
    SetDistribution(Distribution),
    /// Says who may use it.
    SetPolicy(Arc<ResourcePolicy>),
    /// Says so no longer.
    RemovePolicy,
}

/// A change to the labels of a stream or of a consumer.
#[derive(Clone, Debug)]
pub enum TagEdit {
    /// Adds labels or replaces their values.
    Add(BTreeMap<String, String>),
    /// Removes labels; those that are not there stay so.
    Remove(Vec<String>),
}

impl TagEdit {
    /// Changes `tags`.
    pub fn apply(self, tags: &mut BTreeMap<String, String>) {
        match self {
            Self::Add(added) => tags.extend(added),
            Self::Remove(keys) => tags.retain(|key, _| !keys.contains(key)),
        }
    }
}

/// Why a stream is not changed.
#[derive(Clone, Debug)]
pub enum EditError {
    /// It keeps its records for longer than what an increase asked for.
    RetentionIsLonger {
        /// For how many hours.
        current: u32,
        /// For how many it shall keep them.
        wanted: u32,
    },
    /// It keeps its records for less than what a decrease asked for.
    RetentionIsShorter {
        /// For how many hours.
        current: u32,
        /// For how many it shall keep them.
        wanted: u32,
    },
    /// It would have more labels than it may.
    OverTags,
    /// It was switched between the modes as often as it may be within a day.
    OverModeSwitches,
    /// The owner of its shards decides what it is able to take.
    WarmThroughputOfProvisioned,
    /// Its records find their shards by their keys while its owner decides about them.
    AutoOfProvisioned,
    /// It has no policy that could be taken away.
    NoPolicy,
}

impl Edit {
    /// What takes something away may go through on a disk that is short of room.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::DecreaseRetention(_)
            | Self::Tag(TagEdit::Remove(_))
            | Self::StopMonitoring(_)
            | Self::RemovePolicy => Purpose::MakeRoom,
            Self::IncreaseRetention(_)
            | Self::Tag(TagEdit::Add(_))
            | Self::SetRecordBytesMax(_)
            | Self::Monitor(_)
            | Self::SwitchMode { .. }
            | Self::SetWarmThroughput(_)
            | Self::SetDistribution(_)
            | Self::SetPolicy(_) => Purpose::Keep,
        }
    }

    /// Whether the stream may get more shards by it.
    pub fn warms(&self) -> bool {
        match self {
            Self::SetWarmThroughput(_) => true,
            Self::SwitchMode { to, .. } => {
                to.on_demand().is_some_and(|set| set.warm_mibps.is_some())
            }
            Self::IncreaseRetention(_)
            | Self::DecreaseRetention(_)
            | Self::Tag(_)
            | Self::SetRecordBytesMax(_)
            | Self::Monitor(_)
            | Self::StopMonitoring(_)
            | Self::SetDistribution(_)
            | Self::SetPolicy(_)
            | Self::RemovePolicy => false,
        }
    }

    /// The stream after the edit; records that arrived before `expired_before` have expired until
    /// now.
    pub fn apply(self, stream: &Stream, expired_before: Timestamp) -> Result<Stream, EditError> {
        let mut edited = stream.clone();
        let current = stream.retention_hours;
        match self {
            Self::IncreaseRetention(wanted) if wanted < current => {
                return Err(EditError::RetentionIsLonger { current, wanted });
            }
            Self::DecreaseRetention(wanted) if wanted > current => {
                return Err(EditError::RetentionIsShorter { current, wanted });
            }
            Self::IncreaseRetention(hours) | Self::DecreaseRetention(hours) => {
                edited.retention_hours = hours;
                edited.expired_before = expired_before;
            }
            Self::Tag(edit) => edit.apply(&mut edited.tags),
            Self::SetRecordBytesMax(bytes) => edited.record_bytes_max = bytes,
            Self::Monitor(metrics) => edited.monitored = stream.monitored.with(metrics),
            Self::StopMonitoring(metrics) => edited.monitored = stream.monitored.without(metrics),
            Self::SwitchMode { to, at } => switch_mode(&mut edited, to, at)?,
            Self::SetWarmThroughput(mibps) => {
                let now = stream.mode.on_demand();
                let now = now.ok_or(EditError::WarmThroughputOfProvisioned)?;
                edited.mode = Mode::OnDemand(OnDemand {
                    warm_mibps: Some(mibps),
                    ..now
                });
            }
            Self::SetDistribution(distribution) => set_distribution(&mut edited, distribution)?,
            Self::SetPolicy(policy) => edited.policy = Some(policy),
            Self::RemovePolicy => {
                let removed = edited.policy.take();
                removed.ok_or(EditError::NoPolicy)?;
            }
        }
        if edited.tags.len() <= TAGS_PER_RESOURCE_MAX {
            Ok(edited)
        } else {
            Err(EditError::OverTags)
        }
    }
}

fn switch_mode(stream: &mut Stream, to: Mode, at: Timestamp) -> Result<(), EditError> {
    match (stream.mode, to) {
        (Mode::Provisioned, Mode::Provisioned) => {}
        (Mode::OnDemand(now), Mode::OnDemand(OnDemand { warm_mibps, .. })) => {
            stream.mode = Mode::OnDemand(OnDemand {
                warm_mibps: warm_mibps.or(now.warm_mibps),
                ..now
            });
        }
        (Mode::Provisioned, Mode::OnDemand(_)) | (Mode::OnDemand(_), Mode::Provisioned) => {
            let switches = stream.mode_switches.and_at(at);
            stream.mode_switches = switches.ok_or(EditError::OverModeSwitches)?;
            stream.mode = to;
        }
    }
    Ok(())
}

fn set_distribution(stream: &mut Stream, distribution: Distribution) -> Result<(), EditError> {
    match (stream.mode, distribution) {
        (Mode::OnDemand(now), _) => {
            stream.mode = Mode::OnDemand(OnDemand {
                distribution,
                ..now
            });
            Ok(())
        }
        // That is what it does.
        (Mode::Provisioned, Distribution::UserPartitionKey) => Ok(()),
        (Mode::Provisioned, Distribution::Auto) => Err(EditError::AutoOfProvisioned),
    }
}
