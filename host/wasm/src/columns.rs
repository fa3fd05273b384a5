//! What is known of the records of a batch besides their data, column by column. A guest asks for
//! it or does not; for one that does not, nothing is made.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use types::SequenceNumber;

use crate::slab::Slab;

/// The columns of a batch, each in the order of its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The ARN of the stream, or of the delivery stream that records are put to directly.
    pub arn: String,
    /// The shard's id; `None` where records are put to a delivery stream directly.
    pub shard: Option<String>,
    /// UTF-8; empty where records have none.
    pub partition_keys: Slab,
    /// When each arrived, in milliseconds since 1970.
    pub arrivals_ms: Vec<u64>,
    /// Empty where records have none.
    pub sequence_numbers: Vec<SequenceNumber>,
    /// The place of each in its aggregate; 0 where it was put alone.
    pub sub_sequence_numbers: Vec<u64>,
}

impl Columns {
    /// Why these are not the columns of so many records.
    fn misfit(&self, records: usize) -> Option<String> {
        let may_be_empty = [
            ("partition keys", self.partition_keys.len()),
            ("sequence numbers", self.sequence_numbers.len()),
        ];
        let must_be_there = [
            ("arrivals", self.arrivals_ms.len()),
            ("sub-sequence numbers", self.sub_sequence_numbers.len()),
        ];
        let empty = |(_, count): &(&str, usize)| *count == 0;
        let optional = may_be_empty.into_iter().filter(|column| !empty(column));
        let mut all = optional.chain(must_be_there);
        let (column, count) = all.find(|(_, count)| *count != records)?;
        Some(format!("{count} {column} of {records} records"))
    }
}

type Make = Box<dyn Fn() -> Result<Columns, String> + Send + Sync>;

/// The columns of some records in a row, which may be made already.
#[derive(Clone)]
pub struct BatchColumns {
    source: Source,
    /// Records of the source.
    records: usize,
    /// Those of them that are meant.
    range: Range<usize>,
}

#[derive(Clone)]
enum Source {
    Made(Arc<Columns>),
    OnDemand(Arc<OnDemand>),
}

struct OnDemand {
    make: Make,
    made: OnceLock<Result<Columns, String>>,
}

impl BatchColumns {
    /// Columns of so many records that are made when a guest asks for the first of them, on the
    /// guest's thread.
    pub fn on_demand(
        records: usize,
        make: impl Fn() -> Result<Columns, String> + Send + Sync + 'static,
    ) -> Self {
        let source = Source::OnDemand(Arc::new(OnDemand {
            make: Box::new(make),
            made: OnceLock::new(),
        }));
        Self::all_of(source, records)
    }

    /// Columns of so many records that are there.
    pub(crate) fn made(records: usize, columns: &Arc<Columns>) -> Self {
        Self::all_of(Source::Made(Arc::clone(columns)), records)
    }

    fn all_of(source: Source, records: usize) -> Self {
        Self {
            source,
            records,
            range: 0..records,
        }
    }

    /// Those of some of the records, counted from the first that is meant here.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let shifted = |place: usize| self.range.start.saturating_add(place).min(self.range.end);
        Self {
            range: shifted(range.start)..shifted(range.end),
            ..self.clone()
        }
    }

    /// The columns, of more records than are meant, and which are.
    ///
    /// # Errors
    /// Why they cannot be made, or are not those of the records.
    pub(crate) fn get(&self) -> Result<(&Columns, Range<usize>), String> {
        let columns = match &self.source {
            Source::Made(columns) => &**columns,
            Source::OnDemand(source) => {
                let made = source.made.get_or_init(|| (source.make)());
                made.as_ref().map_err(Clone::clone)?
            }
        };
        match columns.misfit(self.records) {
            Some(misfit) => Err(misfit),
            None => Ok((columns, self.range.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn columns(records: u64) -> Columns {
        Columns {
            arrivals_ms: (0..records).collect(),
            sub_sequence_numbers: vec![0; usize::try_from(records).unwrap()],
            ..Columns::default()
        }
    }

    #[test]
    fn columns_are_made_when_they_are_asked_for_and_once_for_all_parts() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let all = BatchColumns::on_demand(4, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(columns(4))
        });
        let part = all.part(1..4).part(1..9);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        let (made, range) = part.get().unwrap();
        assert_eq!(made.arrivals_ms[range], [2, 3]);
        assert!(all.get().is_ok());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn columns_of_other_records_are_not_given() {
        let wrong = BatchColumns::made(2, &Arc::new(columns(3)));
        let why = "3 arrivals of 2 records".to_owned();
        assert_eq!(wrong.get().unwrap_err(), why);
        let broken = BatchColumns::on_demand(1, || Err("no frame".to_owned()));
        assert_eq!(broken.get().unwrap_err(), "no frame");
    }
}
