//! Running a plugin natively, in its own tests. Nothing of this is part of a component.

use std::collections::BTreeMap;

use crate::bindings::exports::millrace::plugin::transform::BatchOut;
use crate::bindings::imports::types::Status;
use crate::http::{Request, Response};
use crate::native::{CONFIG, COUNTERS, KNOWN, NOW_MS, SECRETS, SERVERS};
use crate::{Error, Output, Record, SequenceNumber, Source, batch, slab};

mod shard;

pub use shard::{Emitted, Shard};

/// What is known of a record besides its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where it comes from. A batch has one source, which its first record says.
    pub source: Source,
    /// What its producer chose to share a shard.
    pub partition_key: String,
    /// When it arrived, in milliseconds since 1970.
    pub arrival_ms: u64,
    /// Its number.
    pub sequence_number: SequenceNumber,
    /// Its place in its aggregate.
    pub sub_sequence_number: u64,
}

/// What the host sees of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These records go on in its place, one or more. A kept record is itself.
    Delivered(Vec<Vec<u8>>),
    /// It is left out on purpose.
    Dropped,
    /// It could not be worked on, for this reason.
    Failed(String),
}

impl Outcome {
    /// One record that goes on.
    pub fn one(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Delivered(vec![bytes.into()])
    }
}

/// Works on all records as one batch and answers what the host sees of each, in their order. A
/// plugin with an `init` function is given as a closure: `|record| transform(&settings, record)`.
///
/// ```
/// use millrace_sdk::testing::{Outcome, run};
/// use millrace_sdk::{Output, Record};
///
/// let not_empty = |record: Record<'_>| match record.data() {
///     [] => Ok(Output::Drop),
///     _ => Ok(Output::Keep),
/// };
/// assert_eq!(run(not_empty, ["a", ""]), [Outcome::one("a"), Outcome::Dropped]);
/// ```
///
/// # Panics
/// When the plugin panics, and with records or outputs of more than 4 GiB.
pub fn run<Data: AsRef<[u8]>>(
    transform: impl Fn(Record<'_>) -> Result<Output, Error>,
    records: impl IntoIterator<Item = Data>,
) -> Vec<Outcome> {
    let slab = slab::of(records);
    let count = slab.ends.len();
    match batch::work_on(slab, transform) {
        Ok(answer) => outcomes(count, &answer),
        Err(fault) => panic!("the batch failed: {fault:?}"),
    }
}

/// Does `work` with this known of the records of its batch, one for each.
pub fn with_known<T>(known: Vec<Known>, work: impl FnOnce() -> T) -> T {
    let before = KNOWN.replace(known);
    let done = work();
    KNOWN.set(before);
    done
}

/// Does `work` with this table `[config]`, and with the former one again after it.
pub fn with_config<T>(config: &[(&str, &str)], work: impl FnOnce() -> T) -> T {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let before = CONFIG.replace(config.iter().map(owned).collect());
    let done = work();
    CONFIG.set(before);
    done
}

/// Does `work` with these secrets, and with the former ones again after it.
pub fn with_secrets<T>(secrets: &[(&str, &[u8])], work: impl FnOnce() -> T) -> T {
    let owned = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
    let before = SECRETS.replace(secrets.iter().map(owned).collect());
    let done = work();
    SECRETS.set(before);
    done
}

/// Does `work` while calls over HTTP are answered by this; an error is a call without an answer.
pub fn with_http<T>(
    answer: impl Fn(&Request) -> Result<Response, String> + 'static,
    work: impl FnOnce() -> T,
) -> T {
    let before = SERVERS.replace(Some(Box::new(answer)));
    let done = work();
    SERVERS.set(before);
    done
}

/// Does `work` at this time, in milliseconds since 1970.
pub fn at_ms<T>(now_ms: u64, work: impl FnOnce() -> T) -> T {
    let before = NOW_MS.replace(Some(now_ms));
    let done = work();
    NOW_MS.set(before);
    done
}

/// Does `work`, and answers its counters beside what it gives.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, BTreeMap<String, u64>) {
    let before = COUNTERS.take();
    let done = work();
    (done, COUNTERS.replace(before))
}

/// Reads an answer by the rules of the interface: sources in order, each named by one or more
/// `ok` or by exactly one `dropped` or `failed`.
fn outcomes(count: usize, answer: &BatchOut) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(count);
    let mut start = 0;
    for (output, end) in answer.outputs.iter().zip(&answer.data.ends) {
        let end = *end as usize;
        let bytes = answer.data.bytes[start..end].to_vec();
        start = end;
        let is_new = output.source as usize == outcomes.len();
        match (output.status, outcomes.last_mut()) {
            (Status::Ok, Some(Outcome::Delivered(parts))) if !is_new => parts.push(bytes),
            (Status::Ok, _) => outcomes.push(Outcome::one(bytes)),
            (Status::Dropped, _) => outcomes.push(Outcome::Dropped),
            (Status::Failed, _) => {
                let reason = String::from_utf8_lossy(&bytes).into_owned();
                outcomes.push(Outcome::Failed(reason));
            }
        }
    }
    assert!(outcomes.len() == count, "an outcome for each record");
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, counter, now_ms};

    #[test]
    fn a_batch_is_seen_record_by_record() {
        let transform = |record: Record<'_>| {
            Ok(match record.text()? {
                "keep" => Output::Keep,
                "drop" => Output::Drop,
                text => Output::Split(text.split(' ').collect()),
            })
        };
        let records: [&[u8]; 5] = [b"a b", b"keep", b"drop", b"\xff", b"c"];
        let wanted = [
            Outcome::Delivered(vec![b"a".to_vec(), b"b".to_vec()]),
            Outcome::one("keep"),
            Outcome::Dropped,
            Outcome::Failed("byte 1 is not UTF-8".to_owned()),
            Outcome::one("c"),
        ];
        assert_eq!(run(transform, records), wanted);
    }

    #[test]
    fn what_a_test_says_of_the_host_holds_while_its_work_is_done() {
        let seen = with_config(&[("mask", "#")], || config("mask"));
        assert_eq!((seen.as_deref(), config("mask")), (Some("#"), None));
        assert_eq!(at_ms(7, now_ms), 7);
        assert!(now_ms() > 7);
    }

    #[test]
    fn a_record_says_what_is_known_of_it() {
        let known = |key: &str, arrival_ms| Known {
            partition_key: key.to_owned(),
            arrival_ms,
            ..Known::default()
        };
        let transform = |record: Record<'_>| {
            let key = record.partition_key().unwrap_or("none");
            let arrival = record.arrival_ms().unwrap_or_default();
            Ok(Output::Replace(format!("{key} {arrival}").into_bytes()))
        };
        let all = vec![known("one", 1), known("two", 2)];
        let outcomes = with_known(all, || run(transform, ["a", "b"]));
        assert_eq!(outcomes, [Outcome::one("one 1"), Outcome::one("two 2")]);
    }

    #[test]
    fn counters_are_summed_up_by_name() {
        let ((), counters) = counted(|| {
            crate::Counter::new("a").add(1);
            counter("b", 2);
            counter("a", 3);
        });
        assert_eq!(
            counters.into_iter().collect::<Vec<_>>(),
            [("a".into(), 4), ("b".into(), 2)]
        );
        assert!(counted(|| ()).1.is_empty());
    }
}
