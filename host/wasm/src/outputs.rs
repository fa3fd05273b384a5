//! What a plugin made of a batch, once it is known to keep the rules of its interface.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::bindings::types::{Slab as RawSlab, Status as WitStatus};
use crate::fault::Fault;
use crate::limits::{
    PARTITION_KEY_BYTES_MAX, PARTITION_KEYS_MAX, REASON_BYTES_MAX, TARGET_BYTES_MAX,
};
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

/// What a plugin answered, whether or not it keeps the rules.
pub(crate) struct RawOutputs {
    pub(crate) heads: Vec<Head>,
    /// The bytes of each output.
    pub(crate) data: RawSlab,
    /// Outputs by their places, each with a name and a value.
    pub(crate) partition_keys: Vec<(u32, String, String)>,
    /// Outputs by their places, each with a name.
    pub(crate) targets: Vec<(u32, String)>,
}

/// The source of an output, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    source: u32,
    status: Status,
}

impl Head {
    pub(crate) fn new(source: u32, status: WitStatus) -> Self {
        let status = status.into();
        Self { source, status }
    }
}

/// One output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output<'a> {
    /// Its place among the outputs, from 0.
    pub place: usize,
    /// Which record of the batch it stems from, from 0.
    pub source: usize,
    /// What became of the source.
    pub status: Status,
    /// A record, or the reason, which is cut where it is longer than anybody reads.
    pub data: &'a [u8],
    /// A destination by name, where it is not for the one of all.
    pub target: Option<&'a str>,
}

/// The outputs of a batch in order of their sources. Each source has one or more [`Status::Ok`],
/// or exactly one [`Status::Dropped`] or [`Status::Failed`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    heads: Vec<Head>,
    /// The bytes of each.
    data: Slab,
    /// In order of their outputs: a place, a name and a value.
    partition_keys: Vec<(u32, String, String)>,
    /// In order of their outputs, which are [`Status::Ok`].
    targets: Vec<(u32, String)>,
}

impl Outputs {
    /// What a plugin answered to a batch of `sources` records.
    ///
    /// # Errors
    /// Which rule of its interface it breaks.
    pub(crate) fn parse(raw: RawOutputs, sources: usize) -> Result<Self, Fault> {
        let RawOutputs { heads, data, .. } = raw;
        let data = Slab::parse(data, heads.len()).map_err(Fault::Answer)?;
        check_heads(&heads, sources)?;
        check_partition_keys(&heads, &raw.partition_keys)?;
        check_targets(&heads, &raw.targets)?;
        Ok(Self {
            heads,
            data,
            partition_keys: raw.partition_keys,
            targets: raw.targets,
        })
    }

    /// The same with what is said of records as `clean` leaves it: why they failed, and whom they
    /// are for.
    pub(crate) fn cleaned(mut self, clean: impl Fn(&str) -> Cow<'_, str>) -> Self {
        for (_, target) in &mut self.targets {
            if let Cow::Owned(clean) = clean(target) {
                *target = clean;
            }
        }
        let mut cleaned = BTreeMap::new();
        for (place, (head, data)) in self.heads.iter().zip(self.data.iter()).enumerate() {
            let reason = match head.status {
                Status::Failed => String::from_utf8_lossy(data),
                Status::Ok | Status::Dropped => continue,
            };
            if let Cow::Owned(clean) = clean(&reason) {
                cleaned.insert(place, clean);
            }
        }
        if cleaned.is_empty() {
            return self;
        }
        let mut data = Slab::default();
        for (place, string) in self.data.iter().enumerate() {
            let clean = cleaned.get(&place).map(|text| cut(text.as_bytes()));
            // No longer than before, by a kibibyte for each record of a batch at most.
            let _ = data.push(clean.unwrap_or(string));
        }
        self.data = data;
        self
    }

    /// All outputs in order.
    pub fn iter(&self) -> impl Iterator<Item = Output<'_>> {
        let mut targets = self.targets.iter().peekable();
        let outputs = self.heads.iter().zip(self.data.iter()).enumerate();
        outputs.map(move |(place, (head, data))| Output {
            place,
            source: self::place(head.source),
            status: head.status,
            data: match head.status {
                Status::Failed => cut(data),
                Status::Ok | Status::Dropped => data,
            },
            target: targets
                .next_if(|(output, _)| self::place(*output) == place)
                .map(|(_, target)| target.as_str()),
        })
    }

    /// The names and values that outputs have for the prefixes of a delivery stream with dynamic
    /// partitioning, each with the place of its output, in order of these.
    pub fn partition_keys(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let keys = self.partition_keys.iter();
        keys.map(|(output, name, value)| (place(*output), name.as_str(), value.as_str()))
    }

    /// The bytes of all outputs back to back.
    pub fn bytes(&self) -> &[u8] {
        &self.data.raw().bytes
    }
}

/// Each source is named, in order, by one or more `ok` or by exactly one other.
fn check_heads(heads: &[Head], sources: usize) -> Result<(), Fault> {
    let mut last: Option<Head> = None;
    for head in heads {
        let Head { source, status } = *head;
        let wanted = match last {
            None => 0,
            Some(last) if last == *head && status == Status::Ok => source,
            Some(last) => last.source.saturating_add(1),
        };
        if place(source) >= sources {
            let what = format!("an output of record {source} of {sources}");
            return Err(Fault::Answer(what));
        }
        // All before the one that is wanted were named already.
        if source < wanted {
            return Err(Fault::Doubled(format!("record {source} more than once")));
        }
        if source > wanted {
            return Err(Fault::Answer(format!("no output of record {wanted}")));
        }
        last = Some(*head);
    }
    let named = last.map_or(0, |last| place(last.source) + 1);
    if named < sources {
        return Err(Fault::Answer(format!("no output of record {named}")));
    }
    Ok(())
}

/// Names and values belong to records to deliver, in order, each name once and no more of them than
/// Firehose takes (developer guide, Dynamic partitioning in Amazon Data Firehose: up to 50 keys).
fn check_partition_keys(heads: &[Head], keys: &[(u32, String, String)]) -> Result<(), Fault> {
    check_order(
        "a partition key",
        heads,
        keys.iter().map(|(output, _, _)| *output),
    )?;
    for of_one in keys.chunk_by(|(one, _, _), (another, _, _)| one == another) {
        if of_one.len() > PARTITION_KEYS_MAX {
            let count = of_one.len();
            let what = format!("{count} partition keys of one output, not {PARTITION_KEYS_MAX}");
            return Err(Fault::Answer(what));
        }
        let mut names = HashSet::new();
        for (_, name, value) in of_one {
            let sizes = [("name", name), ("value", value)];
            for (what, text) in sizes {
                let bytes = text.len();
                if !(1..=PARTITION_KEY_BYTES_MAX).contains(&bytes) {
                    return Err(Fault::Answer(format!(
                        "a partition key whose {what} has {bytes} bytes, not 1 to \
                         {PARTITION_KEY_BYTES_MAX}"
                    )));
                }
            }
            if !names.insert(name) {
                return Err(Fault::Answer(
                    "a partition key twice in one output".to_owned(),
                ));
            }
        }
    }
    Ok(())
}

/// Targets belong to records to deliver, in order, each at most one.
fn check_targets(heads: &[Head], targets: &[(u32, String)]) -> Result<(), Fault> {
    check_order("a target", heads, targets.iter().map(|(output, _)| *output))?;
    let mut pairs = targets.iter().zip(targets.iter().skip(1));
    if pairs.any(|((one, _), (another, _))| one == another) {
        return Err(Fault::Answer("two targets of one output".to_owned()));
    }
    let bytes = targets.iter().map(|(_, name)| name.len());
    match bytes
        .into_iter()
        .find(|bytes| !(1..=TARGET_BYTES_MAX).contains(bytes))
    {
        Some(bytes) => Err(Fault::Answer(format!(
            "a target whose name has {bytes} bytes, not 1 to {TARGET_BYTES_MAX}"
        ))),
        None => Ok(()),
    }
}

fn check_order(
    what: &str,
    heads: &[Head],
    outputs: impl Iterator<Item = u32>,
) -> Result<(), Fault> {
    let mut last = 0;
    for output in outputs {
        let Some(head) = heads.get(place(output)) else {
            let count = heads.len();
            return Err(Fault::Answer(format!(
                "{what} of output {output} of {count}"
            )));
        };
        if head.status != Status::Ok {
            let what = format!("{what} of output {output}, which is no record to deliver");
            return Err(Fault::Answer(what));
        }
        if output < last {
            return Err(Fault::Answer(format!(
                "{what} of output {output} after {last}"
            )));
        }
        last = output;
    }
    Ok(())
}

/// The beginning of a reason.
fn cut(reason: &[u8]) -> &[u8] {
    reason.get(..REASON_BYTES_MAX).unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(heads: &[(u32, Status)], data: Slab) -> RawOutputs {
        let head = |(source, status): &(u32, Status)| Head {
            source: *source,
            status: *status,
        };
        RawOutputs {
            heads: heads.iter().map(head).collect(),
            data: data.into_raw(),
            partition_keys: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Why these are no outputs of so many records; nothing if they are.
    fn fault(heads: &[(u32, Status)], sources: usize) -> Option<Fault> {
        let mut data = Slab::default();
        for _ in heads {
            assert!(data.push(b"x"));
        }
        Outputs::parse(raw(heads, data), sources).err()
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
        let outputs = Outputs::parse(raw(&heads, data), 3).unwrap();
        let lengths: Vec<usize> = outputs.iter().map(|output| output.data.len()).collect();
        assert_eq!(lengths, [REASON_BYTES_MAX + 1, REASON_BYTES_MAX, 5]);
    }

    /// Why outputs with these keys and targets, of which the first two are to be delivered and the
    /// third is not, are none.
    fn misplaced(keys: &[(u32, &str, &str)], targets: &[(u32, &str)]) -> Option<String> {
        let mut data = Slab::default();
        assert!(data.push(b"") && data.push(b"") && data.push(b""));
        let heads = [(0, Status::Ok), (0, Status::Ok), (1, Status::Dropped)];
        let owned = |text: &str| text.to_owned();
        let keys = keys
            .iter()
            .map(|(at, name, value)| (*at, owned(name), owned(value)));
        let targets = targets.iter().map(|(at, name)| (*at, owned(name)));
        let raw = RawOutputs {
            partition_keys: keys.collect(),
            targets: targets.collect(),
            ..raw(&heads, data)
        };
        Outputs::parse(raw, 2).err().map(|fault| fault.to_string())
    }

    #[test]
    fn partition_keys_belong_to_records_in_order_and_are_few_and_short() {
        let good = [(0, "a", "1"), (0, "b", "1"), (1, "a", "2")];
        assert_eq!(misplaced(&good, &[]), None);
        let long = "x".repeat(PARTITION_KEY_BYTES_MAX + 1);
        let names: Vec<String> = (0..=PARTITION_KEYS_MAX).map(|it| it.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (1, name.as_str(), "1")).collect();
        for (bad, what) in [
            (&[(3, "a", "1")][..], "of output 3 of 3"),
            (&[(2, "a", "1")], "output 2, which is no record to deliver"),
            (&[(1, "a", "1"), (0, "a", "1")], "of output 0 after 1"),
            (&[(0, "a", "1"), (0, "a", "2")], "twice in one output"),
            (&[(0, "", "1")], "whose name has 0 bytes"),
            (&[(0, "a", long.as_str())], "whose value has"),
            (&many, "51 partition keys of one output"),
        ] {
            let why = misplaced(bad, &[]).unwrap();
            assert!(why.contains(what), "{why}");
        }
        assert_eq!(misplaced(&many[1..], &[]), None);
    }

    #[test]
    fn a_target_belongs_to_a_record_and_each_has_one() {
        assert_eq!(misplaced(&[], &[(0, "a"), (1, "b")]), None);
        for (bad, what) in [
            (&[(0, "a"), (0, "b")][..], "two targets"),
            (&[(2, "a")], "no record to deliver"),
            (&[(1, "a"), (0, "a")], "a target of output 0 after 1"),
            (&[(0, "")], "0 bytes"),
        ] {
            let why = misplaced(&[], bad).unwrap();
            assert!(why.contains(what), "{why}");
        }
    }
}
