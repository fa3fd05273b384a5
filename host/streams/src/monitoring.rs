//! Which metrics a stream publishes for each of its shards.

/// The metrics that there are, as the model names and orders them.
const NAMES: [&str; 7] = [
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
];
/// What stands for all of them.
const ALL_NAME: &str = "ALL";

/// A set of the shard-level metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLevelMetrics(u8);

impl ShardLevelMetrics {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// The metrics of these names; `None` if there is no metric of one of them.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self::NONE, |metrics, name| {
            if name == ALL_NAME {
                return Some(Self::ALL);
            }
            let place = NAMES.iter().position(|known| *known == name)?;
            Some(metrics.with(Self(1 << place)))
        })
    }

    /// The set of these bits; `None` if one of them is no metric's.
    pub fn of_bits(bits: u8) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    /// Whether the metric at this place of the model is among them.
    pub fn has(self, place: usize) -> bool {
        place < NAMES.len() && self.0 & (1 << place) != 0
    }

    /// A bit for each metric, the lowest for the first of the model.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// These and the others.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but for the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Their names in the model's order.
    pub fn names(self) -> Vec<&'static str> {
        let all = NAMES.into_iter().enumerate();
        all.filter(|(place, _)| self.has(*place))
            .map(|(_, name)| name)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stands_for_every_metric_wherever_it_is_named() {
        for names in [
            &["ALL"][..],
            &["ALL", "IncomingBytes"],
            &["IncomingBytes", "ALL"],
        ] {
            let metrics = ShardLevelMetrics::named(names.iter().copied()).unwrap();
            assert_eq!(metrics, ShardLevelMetrics::ALL);
            assert_eq!(metrics.names(), NAMES);
        }
        assert_eq!(ShardLevelMetrics::named(["All"]), None);
    }

    #[test]
    fn metrics_are_added_and_taken_away_and_read_back() {
        let some = ShardLevelMetrics::named(["OutgoingBytes", "IncomingBytes"]).unwrap();
        assert_eq!(some.names(), ["IncomingBytes", "OutgoingBytes"]);
        let rest = ShardLevelMetrics::ALL.without(some);
        assert_eq!(rest.names().len(), 5);
        assert_eq!(rest.with(some), ShardLevelMetrics::ALL);
        assert_eq!(ShardLevelMetrics::of_bits(rest.bits()), Some(rest));
        assert_eq!(ShardLevelMetrics::of_bits(1 << 7), None);
    }
}
