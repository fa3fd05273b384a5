//! What a plugin made of a batch, once it is known to keep the rules of its interface.

use crate::bindings::types::{Slab as RawSlab, Status as WitStatus};
use crate::fault::Fault;
use crate::limits::REASON_BYTES_MAX;
use crate::slab::{Slab, place};

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The bytes are a record to deliver.
    Ok,
    /// The source is left out on purpose.
    Dropped,
    /// The source could not be worked on; the bytes say why, as text.
    Failed,
}

impl From<WitStatus> for Status {
    fn from(status: WitStatus) -> Self {
        match status {
            WitStatus::Ok => Self::Ok,
            WitStatus::Dropped => Self::Dropped,
            WitStatus::Failed => Self::Failed,
        }
    }
}

/// One output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output<'a> {
    /// Which record of the batch it stems from, from 0.
    pub source: usize,
    /// What became of the source.
    pub status: Status,
    /// A record, or the reason, which is cut where it is longer than anybody reads.
    pub data: &'a [u8],
}

/// The outputs of a batch in order of their sources. Each source has one or more [`Status::Ok`],
/// or exactly one [`Status::Dropped`] or [`Status::Failed`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The source of each, and what became of it.
    heads: Vec<(u32, Status)>,
    /// The bytes of each.
    data: Slab,
}

impl Outputs {
    /// What a plugin answered to a batch of `sources` records.
    ///
    /// # Errors
    /// Which rule of its interface it breaks.
    pub(crate) fn parse(
        heads: Vec<(u32, Status)>,
        data: RawSlab,
        sources: usize,
    ) -> Result<Self, Fault> {
        let data = Slab::parse(data, heads.len()).map_err(Fault::Answer)?;
        let mut last: Option<(u32, Status)> = None;
        for (source, status) in &heads {
            let wanted = match last {
                None => 0,
                Some((last, Status::Ok)) if last == *source && *status == Status::Ok => last,
                Some((last, _)) => last.saturating_add(1),
            };
            if place(*source) >= sources {
                let what = format!("an output of record {source} of {sources}");
                return Err(Fault::Answer(what));
            }
            // All before the one that is wanted were named already.
            if *source < wanted {
                return Err(Fault::Doubled(format!("record {source} more than once")));
            }
            if *source > wanted {
                return Err(Fault::Answer(format!("no output of record {wanted}")));
            }
            last = Some((*source, *status));
        }
        let named = last.map_or(0, |(last, _)| place(last) + 1);
        if named < sources {
            return Err(Fault::Answer(format!("no output of record {named}")));
        }
        Ok(Self { heads, data })
    }

    /// All outputs in order.
    pub fn iter(&self) -> impl Iterator<Item = Output<'_>> {
        let outputs = self.heads.iter().zip(self.data.iter());
        outputs.map(|((source, status), data)| Output {
            source: place(*source),
            status: *status,
            data: match status {
                Status::Failed => cut(data),
                Status::Ok | Status::Dropped => data,
            },
        })
    }

    /// The bytes of all outputs back to back.
    pub fn bytes(&self) -> &[u8] {
        &self.data.raw().bytes
    }
}

/// The beginning of a reason.
fn cut(reason: &[u8]) -> &[u8] {
    reason.get(..REASON_BYTES_MAX).unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why these are no outputs of so many records; nothing if they are.
    fn fault(heads: &[(u32, Status)], sources: usize) -> Option<Fault> {
        let mut data = Slab::default();
        for _ in heads {
            assert!(data.push(b"x"));
        }
        Outputs::parse(heads.to_vec(), data.raw().clone(), sources).err()
    }

    #[test]
    fn every_source_is_named_in_order_and_only_ok_more_than_once() {
        use Status::{Dropped, Failed, Ok};
        for good in [
            &[(0, Ok), (1, Dropped), (2, Failed)][..],
            &[(0, Ok), (0, Ok), (1, Ok), (2, Ok)],
            &[(0, Failed), (1, Ok), (1, Ok), (2, Dropped)],
        ] {
            assert_eq!(fault(good, 3), None, "{good:?}");
        }
        for (bad, what) in [
            (&[][..], "no output of record 0"),
            (&[(0, Ok), (1, Ok)], "no output of record 2"),
            (&[(0, Ok), (2, Ok)], "no output of record 1"),
            (&[(1, Ok)], "no output of record 0"),
            (&[(0, Ok), (1, Ok), (2, Ok), (3, Ok)], "record 3 of 3"),
            (&[(0, Ok), (0, Dropped)], "record 0 more than once"),
            (&[(0, Failed), (0, Ok)], "record 0 more than once"),
            (&[(0, Dropped), (0, Dropped)], "record 0 more than once"),
            (&[(0, Ok), (1, Ok), (0, Ok)], "record 0 more than once"),
            (&[(u32::MAX, Ok)], "of 3"),
        ] {
            let fault = fault(bad, 3).unwrap();
            assert!(fault.to_string().contains(what), "{bad:?}: {fault}");
            let is_doubled = matches!(fault, Fault::Doubled(_));
            assert_eq!(is_doubled, what.contains("more than once"), "{bad:?}");
        }
    }

    /// A guest could have a megabyte of anything written beside each record that it fails.
    #[test]
    fn a_reason_is_cut_and_a_record_is_not() {
        let mut data = Slab::default();
        let long = [b'x'; REASON_BYTES_MAX + 1];
        assert!(data.push(&long) && data.push(&long) && data.push(b"short"));
        let heads = vec![(0, Status::Ok), (1, Status::Failed), (2, Status::Failed)];
        let outputs = Outputs::parse(heads, data.raw().clone(), 3).unwrap();
        let lengths: Vec<usize> = outputs.iter().map(|output| output.data.len()).collect();
        assert_eq!(lengths, [REASON_BYTES_MAX + 1, REASON_BYTES_MAX, 5]);
    }
}
