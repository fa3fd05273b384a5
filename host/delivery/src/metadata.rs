//! What a transform can ask of the records of its batch besides their data. It is made of the
//! frames that they lie in, once it asks, and depends on nothing else that could change: the same
//! records have the same metadata whenever they are worked on again.

use std::sync::Arc;

use store::{Frame, Position};
use streams::Numbering;
use types::Timestamp;
use wasm::{BatchColumns, Columns};

use crate::delivery_stream::{DeliveryStream, Origin};
use crate::replayed::{Former, History};
use crate::tables::LaneKey;
use crate::user_records::{self, Place, Told};

/// Where the records of a lane come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The stream's ARN, or the delivery stream's where they are put to it directly.
    arn: String,
    /// What their sequence numbers are made of; `None` for what is put directly.
    numbering: Option<Numbering>,
    /// They failed before, and are delivered once more.
    is_replay: bool,
}

impl Provenance {
    /// Of a lane of this delivery stream.
    pub fn of(stream: &DeliveryStream, key: LaneKey, numbering: Option<Numbering>) -> Self {
        let arn = match &stream.origin {
            Origin::Stream { arn, .. } => arn.to_string(),
            Origin::DirectPut { .. } => stream.arn.to_string(),
        };
        Self {
            arn,
            numbering,
            is_replay: key.is_of_replays(),
        }
    }

    /// What sequence numbers of its records are made of; `None` for what is put directly.
    pub fn numbering(&self) -> Option<Numbering> {
        self.numbering
    }

    /// What was before with a record of the lane that has this partition key in the log, in a frame
    /// that arrived then.
    ///
    /// # Errors
    /// When it is to be delivered once more, and the key does not say what was before.
    pub fn history(&self, partition_key: &str, arrival: Timestamp) -> Result<History, String> {
        if !self.is_replay {
            return Ok(History {
                arrival,
                attempts: 0,
            });
        }
        Ok(Former::read(partition_key)?.history)
    }
}

/// Where the records of a batch lie, in order.
#[derive(Clone, Default)]
pub struct Stretches(Vec<Stretch>);

/// Records in a row of one frame.
#[derive(Clone)]
struct Stretch {
    frame: Frame,
    unpacks: bool,
    /// Where the first of them begins that was taken.
    place: Place,
    /// Those from there on that are not of the batch any more.
    before: usize,
    records: usize,
    /// How many of them lie in each record of the frame, where these are taken apart.
    times: Option<Vec<u32>>,
}

impl Stretches {
    /// Adds so many records of a frame from a place on; `times` says how many lie in each record of
    /// the frame, where these are taken apart.
    pub fn push(
        &mut self,
        frame: &Frame,
        (unpacks, place): (bool, Place),
        records: usize,
        times: Option<Vec<u32>>,
    ) {
        if records > 0 {
            self.0.push(Stretch {
                frame: frame.clone(),
                unpacks,
                place,
                before: 0,
                records,
                times,
            });
        }
    }

    /// Takes the first so many records out.
    pub fn drain(&mut self, mut records: usize) {
        self.0.retain_mut(|stretch| {
            let gone = records.min(stretch.records);
            records -= gone;
            stretch.before += gone;
            stretch.records -= gone;
            stretch.records > 0
        });
    }

    /// How many records there are.
    fn len(&self) -> usize {
        self.0.iter().map(|stretch| stretch.records).sum()
    }

    /// The columns of these records, which are made when a guest asks for them.
    pub fn columns(self: &Arc<Self>, provenance: &Arc<Provenance>) -> BatchColumns {
        let (stretches, provenance) = (Arc::clone(self), Arc::clone(provenance));
        BatchColumns::on_demand(self.len(), move || stretches.make(&provenance))
    }

    fn make(&self, provenance: &Provenance) -> Result<Columns, String> {
        let numbering = provenance.numbering;
        let mut columns = Columns {
            arn: provenance.arn.clone(),
            shard: numbering.map(|numbering| numbering.shard().to_string()),
            ..Columns::default()
        };
        for stretch in &self.0 {
            stretch.add_to(&mut columns, provenance)?;
        }
        Ok(columns)
    }
}

impl Stretch {
    fn add_to(&self, columns: &mut Columns, provenance: &Provenance) -> Result<(), String> {
        let (frame, arrival) = (&self.frame, self.frame.arrival);
        let numbering = provenance.numbering;
        let (mut skipped, mut left) = (self.before, self.records);
        let mut is_whole = true;
        let mut times = self.times.iter().flatten();
        let is_divided = self.times.is_some();
        let mut add = |told: Told<'_>| {
            if skipped > 0 {
                skipped -= 1;
                return true;
            }
            if left == 0 {
                return false;
            }
            left -= 1;
            // One without a history is not taken into a batch.
            let Ok(history) = provenance.history(told.partition_key, arrival) else {
                is_whole = false;
                return false;
            };
            columns.arrivals_ms.push(history.arrival.0);
            columns.sub_sequence_numbers.push(told.in_aggregate);
            if let Some(numbering) = numbering {
                let position = Position(frame.position.0.saturating_add(told.in_frame));
                let number = numbering.record(position, arrival);
                columns.sequence_numbers.push(number);
                is_whole &= columns.partition_keys.push(told.partition_key.as_bytes());
            }
            true
        };
        user_records::tell(frame, (self.unpacks, self.place), |told: Told<'_>| {
            let times = match times.next() {
                Some(times) => *times,
                None if is_divided => return false,
                None => 1,
            };
            (0..times).all(|_| add(told))
        });
        if left > 0 || !is_whole {
            return Err(format!("{left} records of a batch are not in their frame"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use types::{Second, ShardId};

    use super::*;
    use crate::user_records::tests::{aggregate, frame};
    use crate::user_records::{Offered, offer};

    /// A frame whose records are taken in steps of `at_once`, from a batch to the next, gives each
    /// record the metadata that it has in one step.
    #[test]
    fn metadata_are_the_same_however_a_frame_is_cut_into_batches() {
        let frame = frame(&[
            b"a".to_vec(),
            aggregate(&[b"b1", b"b2", b"b3"]),
            b"c".to_vec(),
        ]);
        let numbering = None;
        let provenance = Arc::new(Provenance {
            arn: "an arn".to_owned(),
            numbering,
            is_replay: false,
        });
        for at_once in 1..=5 {
            for dropped in [0, 1] {
                let (mut place, mut places) = (Place::default(), Vec::new());
                let mut is_over = false;
                while !is_over {
                    let (start, mut taken) = (place, 0);
                    is_over = offer(&frame, (true, &mut place), |_, _| {
                        if taken == at_once {
                            return Ok::<_, ()>(Offered::Left);
                        }
                        taken += 1;
                        Ok(Offered::Taken)
                    })
                    .unwrap();
                    let mut stretches = Stretches::default();
                    stretches.push(&frame, (true, start), taken, None);
                    let gone = dropped.min(taken);
                    stretches.drain(gone);
                    let columns = stretches.make(&provenance).unwrap();
                    assert_eq!(columns.arrivals_ms, vec![5; taken - gone]);
                    assert_eq!((columns.arn.as_str(), &columns.shard), ("an arn", &None));
                    assert!(columns.partition_keys.is_empty());
                    if dropped == 0 {
                        places.extend(columns.sub_sequence_numbers);
                    }
                }
                if dropped == 0 {
                    assert_eq!(places, [0, 0, 1, 2, 0], "{at_once} at once");
                }
            }
        }
    }

    #[test]
    fn records_of_a_shard_have_keys_and_numbers_and_those_of_an_aggregate_share_one() {
        let numbering = Numbering::new(ShardId(3), Second::of(Timestamp(1_000)));
        let provenance = Provenance {
            arn: String::new(),
            numbering: Some(numbering),
            is_replay: false,
        };
        let frame = frame(&[b"a".to_vec(), aggregate(&[b"b", b"c"]), b"d".to_vec()]);
        let mut stretches = Stretches::default();
        stretches.push(&frame, (true, Place::default()), 4, None);
        let columns = stretches.make(&provenance).unwrap();
        let keys: Vec<&[u8]> = columns.partition_keys.iter().collect();
        assert_eq!(keys, [&b"key"[..], b"k", b"k", b"key"]);
        let number = |place| numbering.record(store::Position(place), Timestamp(5));
        let numbers = [number(0), number(1), number(1), number(2)];
        assert_eq!(columns.sequence_numbers, numbers);
        assert_eq!(columns.sub_sequence_numbers, [0, 0, 1, 0]);
        assert_eq!(columns.shard.as_deref(), Some("shardId-000000000003"));
    }

    #[test]
    fn what_lies_in_one_record_has_its_metadata_each() {
        let numbering = Numbering::new(ShardId(3), Second::of(Timestamp(1_000)));
        let provenance = Provenance {
            arn: String::new(),
            numbering: Some(numbering),
            is_replay: false,
        };
        let frame = frame(&[b"a", b"b", b"c", b"d"]);
        let mut stretches = Stretches::default();
        // Of the second nothing comes, and of the last not all is taken.
        let times = Some(vec![3, 0, 1, 2]);
        stretches.push(&frame, (true, Place::default()), 6, times);
        let number = |place| numbering.record(store::Position(place), Timestamp(5));
        let all = [0, 0, 0, 2, 3, 3].map(number);
        let columns = stretches.make(&provenance).unwrap();
        assert_eq!(columns.sequence_numbers, all);
        stretches.drain(2);
        let columns = stretches.make(&provenance).unwrap();
        assert_eq!(columns.sequence_numbers, all[2..]);
        assert_eq!(columns.arrivals_ms, [5; 4]);
    }
}
