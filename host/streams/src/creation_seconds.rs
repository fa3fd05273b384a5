//! The seconds that new streams are made in, as their sequence numbers begin with them.
//!
//! A stream that is made anew under the name of one that was deleted must give none of its numbers
//! again, and take none of them for its own. So it is made in a later second than that one, though
//! both may be made within one second of the clock, or the clock may have been set back.
//!
//! A name is remembered until the clock has passed its second: whatever is made after that is later
//! by itself. Only [`CreationSeconds::floor`] outlives it, for a clock that is set back.

use std::collections::HashMap;

use types::{Second, StreamArn, Timestamp};

use crate::stream::Stream;

/// Names of deleted streams that are remembered by themselves. With one more they are forgotten
/// together, and streams of all names are made after the last of their seconds.
const NAMES_MAX: usize = 10_000;

/// Which seconds are taken.
#[derive(Debug)]
pub struct CreationSeconds {
    /// By the name of a deleted stream, the last second in which a shard of it was made.
    gone: HashMap<StreamArn, Second>,
    /// Every stream is made after this one. The clock is behind it only when it was set back, or
    /// after more streams were deleted within a second than are remembered.
    floor: Option<Second>,
    /// The last second in which a stream was made, as the tables have it.
    latest: Option<Second>,
}

impl CreationSeconds {
    /// Goes on after a life of the server in which `latest` was the last second that was given.
    pub fn after(latest: Option<Second>) -> Self {
        Self {
            gone: HashMap::new(),
            floor: latest,
            latest,
        }
    }

    /// The second in which a stream is made now.
    pub fn next(&self, arn: &StreamArn, now: Timestamp) -> Second {
        let taken = self.gone.get(arn).into_iter().chain(&self.floor);
        Second::of_shard(now, taken.copied())
    }

    /// Whether `second` is later than all that are known to be in the tables.
    pub fn is_latest(&self, second: Second) -> bool {
        self.latest.is_none_or(|latest| latest < second)
    }

    /// A stream was made in this second, durably.
    pub fn was_given(&mut self, second: Second) {
        self.latest = self.latest.max(Some(second));
    }

    /// The stream is deleted; its name may be taken again.
    pub fn is_gone(&mut self, stream: &Stream, now: Timestamp) {
        let shards = stream.shards.all().iter();
        let Some(last) = shards.map(|shard| shard.facts().created).max() else {
            return; // A stream without shards has numbered nothing.
        };
        if self.gone.len() >= NAMES_MAX {
            self.forget_before(Second::of(now));
        }
        if self.gone.len() >= NAMES_MAX {
            self.forget_before(Second::LAST);
        }
        self.gone.insert(stream.arn.clone(), last);
    }

    /// Forgets the names whose seconds come before `second`; no stream is made in those any more.
    fn forget_before(&mut self, second: Second) {
        let floor = &mut self.floor;
        self.gone.retain(|_, last| {
            let is_kept = *last >= second;
            if !is_kept {
                *floor = (*floor).max(Some(*last));
            }
            is_kept
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::Arc;

    use store::{LogId, Version};
    use types::{HashKeyRange, ShardId};

    use super::*;
    use crate::encryption::Encryption;
    use crate::mode::{Mode, ModeSwitches};
    use crate::monitoring::ShardLevelMetrics;
    use crate::shard::ShardFacts;
    use crate::stream::{ShardMap, Status, StreamId};

    fn arn(number: usize) -> StreamArn {
        let text = format!("arn:aws:kinesis:eu-west-1:000000000042:stream/s{number}");
        StreamArn::parse(&text).unwrap()
    }

    fn stream(arn: &StreamArn, created: Second) -> Stream {
        let shard = ShardFacts {
            id: ShardId(0),
            range: HashKeyRange::split_evenly(1)[0],
            log: LogId(0),
            parent: None,
            adjacent_parent: None,
            created,
            opened_at: Timestamp(0),
            closed_at: None,
        };
        Stream {
            id: StreamId(0),
            arn: arn.clone(),
            status: Status::Deleting,
            mode: Mode::Provisioned,
            mode_switches: ModeSwitches::default(),
            created_at: Timestamp(0),
            retention_hours: 24,
            expired_before: Timestamp(0),
            record_bytes_max: 1,
            monitored: ShardLevelMetrics::NONE,
            tags: BTreeMap::new(),
            shards: Arc::new(ShardMap::of_facts([shard])),
            counts: Arc::default(),
            consumers: Arc::default(),
            resharding: None,
            encryption: Encryption::default(),
            scaled_at: Vec::new(),
            policy: None,
            version: Version(0),
        }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp(second * 1_000 + 1)
    }

    #[test]
    fn a_stream_is_made_later_than_the_one_before_of_its_name_and_no_later_than_it_must() {
        let mut seconds = CreationSeconds::after(None);
        let (one, other) = (arn(1), arn(2));
        for expected in 100..105 {
            let second = seconds.next(&one, at(100));
            assert_eq!(second.number(), expected);
            seconds.was_given(second);
            seconds.is_gone(&stream(&one, second), at(100));
        }
        assert_eq!(seconds.next(&other, at(100)).number(), 100);
        assert_eq!(seconds.next(&one, at(200)).number(), 200);
        let seconds = CreationSeconds::after(seconds.latest);
        assert_eq!(seconds.next(&one, at(100)).number(), 105);
        assert_eq!(seconds.next(&other, at(200)).number(), 200);
    }

    /// More names than are remembered, by a clock that runs, stands still and is set back; no name
    /// has a second twice.
    #[test]
    fn no_name_has_a_second_twice_however_many_there_are_and_wherever_the_clock_goes() {
        let mut seconds = CreationSeconds::after(None);
        let mut given: HashMap<usize, Second> = HashMap::new();
        for (round, now) in [100, 100, 101, 50, 50, 102, 101].into_iter().enumerate() {
            for number in 0..2 * NAMES_MAX + round {
                let arn = arn(number);
                let second = seconds.next(&arn, at(now));
                let before = given.insert(number, second);
                assert!(before < Some(second), "{arn} at {now}");
                seconds.was_given(second);
                seconds.is_gone(&stream(&arn, second), at(now));
                assert!(seconds.gone.len() <= NAMES_MAX);
            }
        }
    }
}
