//! Working on one batch: a slab in, a slab out, without an allocation for each record.

use std::ops::Range;

use crate::bindings::exports::millrace::plugin::transform::{
    BatchOut, Output as Named, PartitionKey, Target,
};
use crate::bindings::imports::types::{Fault, Slab, Status};
use crate::columns::Columns;
use crate::{Error, Output, Parts, Record, Routed, panic, spare};

/// Gives every record to `transform` and answers what became of each.
///
/// # Errors
/// A permanent fault when the slab contradicts itself, which no host gives, and when the outputs
/// are more than 4 GiB; one that may pass when the author's function says so of a record.
pub(crate) fn work_on(
    records: Slab,
    transform: impl Fn(Record<'_>) -> Result<Output, Error>,
) -> Result<BatchOut, Fault> {
    let columns = Columns::default();
    let mut answer = Answer::to(&records);
    let mut start = 0;
    for (index, end) in (0..).zip(&records.ends) {
        let place = start..*end as usize;
        start = place.end;
        let Some(data) = records.bytes.get(place.clone()) else {
            return Err(permanent("a record ends outside of its batch"));
        };
        panic::works_on(Some(index));
        match transform(Record::of_batch(index, data, &columns)) {
            Ok(output) => answer.give(index, place, output),
            Err(error) if error.may_pass() => {
                return Err(Fault::Retryable(error.reason().to_owned()));
            }
            Err(error) => answer.fail(index, &error),
        }
    }
    panic::works_on(None);
    answer.copy_kept_unless_all();
    let Answer {
        bytes,
        ends,
        outputs,
        partition_keys,
        targets,
        all_kept,
        ..
    } = answer;
    let bytes = if all_kept { records.bytes } else { bytes };
    match u32::try_from(bytes.len()) {
        Ok(_) => Ok(BatchOut {
            outputs,
            data: Slab { bytes, ends },
            partition_keys,
            targets,
        }),
        Err(_) => Err(permanent("outputs of more than 4 GiB")),
    }
}

/// The answer to a batch while it grows.
struct Answer<'a> {
    /// The bytes of all records that came in.
    records: &'a [u8],
    /// Where in them those lie that are kept and wait to be copied after `bytes`, all at once.
    kept: Range<usize>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    outputs: Vec<Named>,
    partition_keys: Vec<PartitionKey>,
    targets: Vec<Target>,
    /// All that came in goes on as it came, so that nothing needs to be copied.
    all_kept: bool,
}

impl<'a> Answer<'a> {
    fn to(records: &'a Slab) -> Self {
        Self {
            records: &records.bytes,
            kept: 0..0,
            bytes: Vec::new(),
            ends: Vec::with_capacity(records.ends.len()),
            outputs: Vec::with_capacity(records.ends.len()),
            partition_keys: Vec::new(),
            targets: Vec::new(),
            all_kept: false,
        }
    }

    fn give(&mut self, source: u32, place: Range<usize>, output: Output) {
        match output {
            Output::Keep => self.keep(source, place),
            Output::Replace(bytes) => self.replace(source, bytes),
            Output::Drop => self.leave_out(source),
            Output::Split(parts) => self.split(source, parts),
            Output::Routed(routed) => {
                let first = self.outputs.len();
                let Routed {
                    output,
                    keys,
                    target,
                } = *routed;
                self.give(source, place, output);
                self.route(first, &keys, target.as_deref());
            }
        }
    }

    /// Says where the outputs from the `first` on go. What is dropped goes nowhere.
    fn route(&mut self, first: usize, keys: &[(String, String)], target: Option<&str>) {
        for (place, output) in self.outputs.iter().enumerate().skip(first) {
            if output.status != Status::Ok {
                continue;
            }
            // There are fewer outputs than ends, which are counted in 32 bits.
            let output = u32::try_from(place).unwrap_or(u32::MAX);
            self.partition_keys
                .extend(keys.iter().map(|(name, value)| PartitionKey {
                    output,
                    name: name.clone(),
                    value: value.clone(),
                }));
            self.targets.extend(target.map(|name| Target {
                output,
                name: name.to_owned(),
            }));
        }
    }

    fn keep(&mut self, source: u32, place: Range<usize>) {
        if self.kept.end == place.start {
            self.kept.end = place.end;
        } else {
            self.copy_kept();
            self.kept = place;
        }
        self.name(source, Status::Ok);
    }

    fn replace(&mut self, source: u32, bytes: Vec<u8>) {
        self.write(&bytes);
        self.name(source, Status::Ok);
        spare::give_bytes(bytes);
    }

    fn split(&mut self, source: u32, parts: Parts) {
        let (bytes, ends) = parts.into_raw();
        if ends.is_empty() {
            self.leave_out(source);
        }
        let mut start = 0;
        for end in &ends {
            self.write(&bytes[start..*end]);
            self.name(source, Status::Ok);
            start = *end;
        }
        spare::give_bytes(bytes);
        spare::give_ends(ends);
    }

    fn leave_out(&mut self, source: u32) {
        self.name(source, Status::Dropped);
    }

    fn fail(&mut self, source: u32, error: &Error) {
        self.write(error.reason().as_bytes());
        self.name(source, Status::Failed);
    }

    /// Copies what is kept and was not copied yet, unless it is all there is.
    fn copy_kept_unless_all(&mut self) {
        self.all_kept = self.bytes.is_empty() && self.kept == (0..self.records.len());
        if !self.all_kept {
            self.copy_kept();
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.copy_kept();
        self.bytes.extend_from_slice(bytes);
    }

    fn copy_kept(&mut self) {
        if self.bytes.capacity() == 0 {
            // Most outputs are about as long as their records.
            self.bytes.reserve(self.records.len());
        }
        self.bytes
            .extend_from_slice(&self.records[self.kept.clone()]);
        self.kept.start = self.kept.end;
    }

    /// Names an output whose bytes are the last of `bytes` and `kept`.
    fn name(&mut self, source: u32, status: Status) {
        self.outputs.push(Named { source, status });
        let end = self.bytes.len() + self.kept.len();
        // An end that is too large is found once, after the last.
        self.ends.push(u32::try_from(end).unwrap_or(u32::MAX));
    }
}

fn permanent(what: &str) -> Fault {
    Fault::Permanent(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slab(records: &[&[u8]]) -> Slab {
        let ends = records.iter().scan(0, |end, record| {
            *end += u32::try_from(record.len()).unwrap();
            Some(*end)
        });
        Slab {
            bytes: records.concat(),
            ends: ends.collect(),
        }
    }

    /// What a batch of these records becomes: source, status and bytes of each output.
    fn outputs(
        records: &[&[u8]],
        transform: impl Fn(Record<'_>) -> Result<Output, Error>,
    ) -> Vec<(u32, Status, Vec<u8>)> {
        let BatchOut { outputs, data, .. } = work_on(slab(records), transform).unwrap();
        assert_eq!(outputs.len(), data.ends.len());
        let mut start = 0;
        let named = outputs.iter().zip(&data.ends).map(|(output, end)| {
            let bytes = data.bytes[start..*end as usize].to_vec();
            start = *end as usize;
            (output.source, output.status, bytes)
        });
        let named = named.collect();
        assert_eq!(start, data.bytes.len());
        named
    }

    /// Answers what the record's first byte says.
    fn as_told(record: Record<'_>) -> Result<Output, Error> {
        Ok(match record.data().first() {
            Some(b'k') => Output::Keep,
            Some(b'r') => Output::Replace(b"new".to_vec()),
            Some(b'e') => Output::Replace(Vec::new()),
            Some(b's') => Output::Split(["one", "", "three"].into_iter().collect()),
            Some(b'n') => Output::Split(Parts::new()),
            Some(b'd') => Output::Drop,
            _ => return Err(Error::new("untold")),
        })
    }

    fn wanted(source: u32, told: u8) -> Vec<(u32, Status, Vec<u8>)> {
        let ok = |bytes: &[u8]| (source, Status::Ok, bytes.to_vec());
        match told {
            b'k' => vec![ok(b"kept")],
            b'r' => vec![ok(b"new")],
            b'e' => vec![ok(b"")],
            b's' => vec![ok(b"one"), ok(b""), ok(b"three")],
            b'n' | b'd' => vec![(source, Status::Dropped, Vec::new())],
            _ => vec![(source, Status::Failed, b"untold".to_vec())],
        }
    }

    #[test]
    fn every_sequence_of_answers_names_each_record_with_its_own_bytes() {
        let told = b"kresndf";
        // All sequences of four, so that each answer stands before and after each other.
        for number in 0..told.len().pow(4) {
            let digits = (0..4).map(|place| number / told.len().pow(place) % told.len());
            let sequence: Vec<u8> = digits.map(|digit| told[digit]).collect();
            let records: Vec<&[u8]> = sequence
                .iter()
                .map(|told| {
                    if *told == b'k' {
                        &b"kept"[..]
                    } else {
                        std::slice::from_ref(told)
                    }
                })
                .collect();
            let wanted: Vec<_> = (0..)
                .zip(&sequence)
                .flat_map(|(i, t)| wanted(i, *t))
                .collect();
            assert_eq!(outputs(&records, as_told), wanted, "{sequence:?}");
        }
    }

    #[test]
    fn a_batch_that_is_kept_is_given_back_without_a_copy() {
        let records = slab(&[b"a", b"", b"bc"]);
        let before = records.bytes.as_ptr();
        let after = work_on(records, |_| Ok(Output::Keep)).unwrap();
        assert_eq!(after.data.bytes.as_ptr(), before);
        assert_eq!(after.data.ends, [1, 1, 3]);
    }

    #[test]
    fn a_batch_without_records_has_no_outputs() {
        assert_eq!(outputs(&[], as_told), []);
    }

    #[test]
    fn records_are_counted_from_0_and_hold_their_own_bytes() {
        let told = |record: Record<'_>| {
            let told = format!("{} {}", record.index(), record.text()?);
            Ok(Output::Replace(told.into_bytes()))
        };
        let outputs = outputs(&[b"a", b"", b"bc"], told);
        let bytes: Vec<_> = outputs.into_iter().map(|(_, _, bytes)| bytes).collect();
        assert_eq!(bytes, [&b"0 a"[..], b"1 ", b"2 bc"]);
    }

    #[test]
    fn a_slab_that_contradicts_itself_is_a_fault_and_no_panic() {
        for ends in [vec![3], vec![2, 1], vec![u32::MAX]] {
            let bytes = b"ab".to_vec();
            let fault = work_on(Slab { bytes, ends }, as_told).unwrap_err();
            assert!(matches!(fault, Fault::Permanent(why) if why.contains("outside")));
        }
    }

    #[test]
    fn keys_and_targets_name_the_outputs_that_they_belong_to() {
        let transform = |record: Record<'_>| {
            Ok(match record.data() {
                b"k" => Output::Keep.key("a", "1").key("b", "2"),
                b"s" => Output::Split(["x", "y"].into_iter().collect()).to("other"),
                b"d" => Output::Drop.key("a", "1").to("other"),
                _ => Output::Keep,
            })
        };
        let out = work_on(slab(&[b"p", b"k", b"d", b"s"]), transform).unwrap();
        let keys = out.partition_keys.iter();
        let keys: Vec<_> = keys
            .map(|key| (key.output, key.name.as_str(), key.value.as_str()))
            .collect();
        assert_eq!(keys, [(1, "a", "1"), (1, "b", "2")]);
        let targets = out.targets.iter().map(|it| (it.output, it.name.as_str()));
        assert_eq!(targets.collect::<Vec<_>>(), [(3, "other"), (4, "other")]);
    }

    #[test]
    fn an_error_that_may_pass_is_one_of_the_whole_batch() {
        let transform = |_: Record<'_>| Err(Error::retryable("not yet"));
        let fault = work_on(slab(&[b"a"]), transform).unwrap_err();
        assert!(matches!(fault, Fault::Retryable(why) if why == "not yet"));
    }
}
