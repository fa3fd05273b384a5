//! A consumer at work on a shard that a test makes up.

use std::collections::BTreeMap;

use super::Known;
use crate::native::{EFFECTS, Effects, KNOWN};
use crate::{Assignment, Batch, Consumer, Error, SequenceNumber, Source, slab};

/// Milliseconds between two records of a shard that a test makes up.
const RECORD_MS: u64 = 1;

/// A record that a consumer emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The stream's name.
    pub stream: String,
    /// What it shares a shard by.
    pub partition_key: String,
    /// What it holds.
    pub data: Vec<u8>,
}

/// An instance of a consumer with a shard, and what it wrote and emitted. A batch that fails leaves
/// no effects, as with a host, but for records that were [done](crate::done) before.
///
/// ```
/// use millrace_sdk::testing::Shard;
/// use millrace_sdk::{Assignment, Batch, Consumer, Error, table};
///
/// struct Last;
///
/// impl Consumer for Last {
///     fn start(_: &Assignment) -> Result<Self, Error> {
///         Ok(Self)
///     }
///
///     fn process(&mut self, batch: &Batch) -> Result<(), Error> {
///         for record in batch.iter() {
///             table::put("last", "record", record.data())?;
///         }
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Error> {
/// let mut shard = Shard::<Last>::start()?;
/// shard.process(["a", "b"])?;
/// assert_eq!(shard.entry("last", "record"), Some(b"b".to_vec()));
/// # Ok(())
/// # }
/// ```
pub struct Shard<C> {
    consumer: C,
    effects: Effects,
    /// Records so far.
    records: u64,
}

impl<C: Consumer> Shard<C> {
    /// An instance for the shard `shardId-000000000000` of the stream `test`.
    ///
    /// # Errors
    /// The consumer's.
    pub fn start() -> Result<Self, Error> {
        let assignment = Assignment {
            application: "test".to_owned(),
            stream: source().arn,
            shard: source().shard.unwrap_or_default(),
        };
        let mut effects = Effects::default();
        let consumer = kept(&mut effects, || C::start(&assignment))?;
        Ok(Self {
            consumer,
            effects,
            records: 0,
        })
    }

    /// Works on a batch of these records, each with its own place in the shard as its partition
    /// key.
    ///
    /// # Errors
    /// The consumer's.
    pub fn process<D: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = D>,
    ) -> Result<(), Error> {
        let before = self.records;
        let known = |place: u64| Known {
            partition_key: place.to_string(),
            ..Known::default()
        };
        let records = records.into_iter().zip(before..);
        self.process_known(records.map(|(data, place)| (data, known(place))))
    }

    /// The same with what is known of each record. Where that says nothing of when it arrived, of
    /// its number and its source, it has some.
    ///
    /// # Errors
    /// The consumer's.
    pub fn process_known<D: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = (D, Known)>,
    ) -> Result<(), Error> {
        let (data, known): (Vec<D>, Vec<Known>) = records.into_iter().unzip();
        let first = self.records + 1;
        let known: Vec<Known> = known
            .into_iter()
            .zip(first..)
            .map(|(known, place)| complete(known, place))
            .collect();
        self.records += known.len() as u64;
        let before = KNOWN.replace(known);
        let batch = Batch::new(slab::of(data), 0);
        let processed = kept(&mut self.effects, || self.consumer.process(&batch));
        KNOWN.set(before);
        processed
    }

    /// The shard ends.
    ///
    /// # Errors
    /// The consumer's.
    pub fn end(&mut self) -> Result<(), Error> {
        kept(&mut self.effects, || self.consumer.shard_ended())
    }

    /// The entry of a key of a table.
    pub fn entry(&self, table: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.effects.tables.get(table)?.get(key.as_ref()).cloned()
    }

    /// All entries of a table.
    pub fn table(&self, table: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.effects.tables.get(table).cloned().unwrap_or_default()
    }

    /// All records that were emitted, in order.
    pub fn emitted(&self) -> &[Emitted] {
        &self.effects.emitted
    }

    /// The consumer itself.
    pub fn consumer(&self) -> &C {
        &self.consumer
    }

    /// Goes on with another instance, which takes over the state of this one.
    ///
    /// # Errors
    /// The consumer's.
    pub fn restart(self) -> Result<Self, Error> {
        let state = self.consumer.snapshot()?;
        let mut next = Self::start()?;
        (next.effects, next.records) = (self.effects, self.records);
        next.consumer.restore(C::STATE_VERSION, &state)?;
        Ok(next)
    }
}

fn source() -> Source {
    Source {
        arn: "arn:aws:kinesis:us-east-1:000000000000:stream/test".to_owned(),
        shard: Some("shardId-000000000000".to_owned()),
    }
}

/// What is known of a record, and what a test did not say of it.
fn complete(known: Known, place: u64) -> Known {
    let unsaid = Known::default();
    Known {
        source: if known.source == unsaid.source {
            source()
        } else {
            known.source
        },
        arrival_ms: match known.arrival_ms {
            0 => place * RECORD_MS,
            said => said,
        },
        sequence_number: if known.sequence_number == unsaid.sequence_number {
            SequenceNumber::from_words([0, 0, place])
        } else {
            known.sequence_number
        },
        ..known
    }
}

/// Does `work`, whose effects are kept if it goes well, and as far as it said that it is done.
fn kept<T>(effects: &mut Effects, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let before = EFFECTS.replace(effects.clone());
    let worked = work();
    let mut after = EFFECTS.replace(before);
    let done = after.done.take();
    match (&worked, done) {
        (Ok(_), _) => *effects = after,
        (Err(_), Some((_, at_done))) => *effects = *at_done,
        (Err(_), None) => {}
    }
    worked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{done, emit, table};

    /// Counts records in its memory and in a table, and fails the bad ones.
    struct Counts(u8);

    impl Consumer for Counts {
        const STATE_VERSION: u32 = 1;

        fn start(assignment: &Assignment) -> Result<Self, Error> {
            table::put("told", "shard", &assignment.shard)?;
            Ok(Self(0))
        }

        fn process(&mut self, batch: &Batch) -> Result<(), Error> {
            for record in batch.iter() {
                if record.text()? == "bad" {
                    done(record.index())?;
                    return Err(Error::new("a bad one"));
                }
                self.0 += 1;
                table::put("counts", "all", self.0.to_string())?;
                let key = record.partition_key().unwrap_or("none");
                emit::put("seen", key, record.data())?;
            }
            Ok(())
        }

        fn shard_ended(&mut self) -> Result<(), Error> {
            table::delete("counts", "all")
        }

        fn snapshot(&self) -> Result<Vec<u8>, Error> {
            Ok(vec![self.0])
        }

        fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Error> {
            assert_eq!(version, 1);
            self.0 = *state.first().ok_or(Error::new("an empty state"))?;
            Ok(())
        }
    }

    #[test]
    fn what_a_batch_wrote_and_emitted_is_kept_when_it_went_well() {
        let mut shard = Shard::<Counts>::start().unwrap();
        let told = Some(b"shardId-000000000000".to_vec());
        assert_eq!(shard.entry("told", "shard"), told);
        shard.process(["a", "b"]).unwrap();
        assert_eq!(shard.entry("counts", "all"), Some(b"2".to_vec()));
        let keys = shard.emitted().iter().map(|it| it.partition_key.as_str());
        assert_eq!(keys.collect::<Vec<_>>(), ["0", "1"]);
        shard.end().unwrap();
        assert!(shard.table("counts").is_empty());
    }

    #[test]
    fn of_a_batch_that_failed_what_was_done_is_kept() {
        let mut shard = Shard::<Counts>::start().unwrap();
        let error = shard.process(["a", "bad", "c"]).unwrap_err();
        assert_eq!(error.reason(), "a bad one");
        assert_eq!(shard.entry("counts", "all"), Some(b"1".to_vec()));
        assert_eq!(shard.emitted().len(), 1);
    }

    #[test]
    fn another_instance_goes_on_with_the_state_and_the_tables() {
        let mut shard = Shard::<Counts>::start().unwrap();
        shard.process(["a", "b"]).unwrap();
        let mut next = shard.restart().unwrap();
        next.process(["c"]).unwrap();
        assert_eq!(next.entry("counts", "all"), Some(b"3".to_vec()));
        assert_eq!(next.consumer().0, 3);
    }

    #[test]
    fn records_have_what_a_test_says_of_them() {
        struct Numbers;
        impl Consumer for Numbers {
            fn start(_: &Assignment) -> Result<Self, Error> {
                Ok(Self)
            }
            fn process(&mut self, batch: &Batch) -> Result<(), Error> {
                for record in batch.iter() {
                    let number = record.sequence_number().ok_or(Error::new("none"))?;
                    let said = format!("{number} {:?}", record.arrival_ms());
                    table::put("numbers", record.data(), said)?;
                }
                Ok(())
            }
        }
        let mut shard = Shard::<Numbers>::start().unwrap();
        let known = Known {
            arrival_ms: 70,
            ..Known::default()
        };
        shard
            .process_known([("a", known), ("b", Known::default())])
            .unwrap();
        assert_eq!(shard.entry("numbers", "a"), Some(b"1 Some(70)".to_vec()));
        assert_eq!(shard.entry("numbers", "b"), Some(b"2 Some(2)".to_vec()));
    }
}
