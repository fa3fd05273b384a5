//! Who decides how many shards a stream has, what only the streams that the service decides about
//! have, and how often that changes. Pure.

use types::Timestamp;
use types::limits::{MODE_SWITCH_PERIOD, MODE_SWITCHES_MAX};

/// Who decides how many shards there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The owner.
    Provisioned,
    /// The service, by the traffic.
    OnDemand(OnDemand),
}

impl Mode {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioned => "PROVISIONED",
            Self::OnDemand(_) => "ON_DEMAND",
        }
    }

    /// What a stream has if the service decides.
    pub fn on_demand(self) -> Option<OnDemand> {
        match self {
            Self::Provisioned => None,
            Self::OnDemand(on_demand) => Some(on_demand),
        }
    }
}

/// What the owner of a stream can set while the service decides about its shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemand {
    /// How records find their shards.
    pub distribution: Distribution,
    /// How many MiB the stream shall be able to take in a second, if its owner has said that.
    pub warm_mibps: Option<u32>,
}

/// How records find their shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// By the keys that producers give.
    #[default]
    UserPartitionKey,
    /// One after the other to each shard, whatever their keys.
    Auto,
}

impl Distribution {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserPartitionKey => "USER_PARTITION_KEY",
            Self::Auto => "AUTO",
        }
    }
}

/// When the mode of a stream was switched lately, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModeSwitches(Vec<Timestamp>);

impl ModeSwitches {
    /// The switches that were kept.
    pub fn kept(times: Vec<Timestamp>) -> Self {
        Self(times)
    }

    /// When they were.
    pub fn times(&self) -> &[Timestamp] {
        &self.0
    }

    /// Those that still count, and one at `now`; `None` if there were as many as there may be.
    pub fn and_at(&self, now: Timestamp) -> Option<Self> {
        let counts = |at: &Timestamp| now.since(*at) < MODE_SWITCH_PERIOD;
        let mut times: Vec<_> = self.0.iter().copied().filter(counts).collect();
        if times.len() >= MODE_SWITCHES_MAX {
            return None;
        }
        times.push(now);
        Some(Self(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_switched_twice_in_any_day_whatever_the_clock_does() {
        let day = MODE_SWITCH_PERIOD;
        let noon = Timestamp(1_700_000_000_000);
        let once = ModeSwitches::default().and_at(noon).unwrap();
        let twice = once.and_at(Timestamp(noon.0 + 1)).unwrap();
        for refused in [noon.0 + 1, noon.0 + 2, noon.after(day).0 - 1, 0] {
            assert_eq!(twice.and_at(Timestamp(refused)), None, "{refused}");
        }
        let third = twice.and_at(noon.after(day)).unwrap();
        assert_eq!(third.times().len(), 2);
        assert_eq!(third.and_at(noon.after(day)), None);
        assert!(third.and_at(Timestamp(noon.after(day).0 + 1)).is_some());
    }
}
