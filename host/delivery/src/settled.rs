//! Which outcomes of an open cut no later try may change.
//!
//! A plugin gives the same every time, a machine does not: it may be too slow for a record now and
//! not the next time. And another build of this program may run the same plugin otherwise. So what
//! this try decided is kept before anything of these records leaves. A later try fails the same
//! records in the same words and divides the same batches, so that a plugin that keeps something in
//! its memory sees the same calls; and before it puts an object it holds what came out against a
//! digest of what came out then.

use std::ops::Range;

use bincode::{Decode, Encode};
use wasm::{Outputs, Status};

/// Parts of divided batches, and stretches of failed records, that are noted. Beyond, those that
/// fail the same way whenever they are worked on are not noted any more, and found again by each
/// try; those that missed a deadline still are.
const NOTES_MAX: usize = 8_192;
/// Notes that a row holds beside all else that is in it. A batch that misses a deadline beyond that
/// fails as a whole: to come here takes thousands of deadlines within one cut.
const NOTES_FULL: usize = 24_576;
/// Bytes of different words that are noted. After that a record fails without its own.
const WORDS_BYTES_MAX: usize = 192 * 1024;
/// Different words, whatever their length.
const WORDS_MAX: usize = 1_024;
/// AWS's word for a record that a plugin did not end with in time.
pub const TIMED_OUT: &str = "Lambda.FunctionTimedOut";
/// The words of a record for which there was no more room.
const WORDS_LEFT_OUT: &str = "it failed; too many records of this delivery did in other words";

/// What is settled of the first `to` records of a cut. A record of them that is in no note came out
/// of the plugin with its whole batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Settled {
    /// Records that this is about, from the cut's first on.
    pub to: u32,
    /// In order, apart from each other and from `failed`.
    parts: Vec<Part>,
    failed: Vec<Failed>,
    words: Vec<Words>,
    /// In order.
    marks: Vec<Mark>,
}

/// Records that came out of the plugin, on an instance that was fresh for the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Part {
    from: u32,
    to: u32,
    /// They were called one after the other and not together.
    one_by_one: bool,
}

/// Records that the plugin could not be made to work on. What comes after has a fresh instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Failed {
    from: u32,
    to: u32,
    /// Which of the words.
    words: u32,
}

/// Why records failed, as their lines say.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Words {
    /// One of AWS's.
    pub code: String,
    /// What happened.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// An object ended here, so that what came out up to here may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Mark {
    to: u32,
    digest: u32,
}

/// What was noted of a stretch of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted<'a> {
    /// Called together on a fresh instance.
    Together,
    /// Called one by one, the first on a fresh instance.
    OneByOne,
    /// Failed in these words.
    Failed(&'a Words),
}

impl Settled {
    /// Whether there is room for all that may be noted of a batch of so many records.
    pub fn has_room(&self, records: usize) -> bool {
        // Each may fail, with a part before it.
        self.notes() + 2 * records <= NOTES_MAX
    }

    /// Whether nothing more can be noted.
    pub fn is_full(&self) -> bool {
        self.notes() >= NOTES_FULL
    }

    /// Whether some of the records failed since the plugin did not end with them in time.
    pub fn has_late(&self) -> bool {
        self.words.iter().any(|words| words.code == TIMED_OUT)
    }

    fn notes(&self) -> usize {
        self.parts.len() + self.failed.len()
    }

    /// Notes records that came out in parts, after all that were noted.
    pub fn note_part(&mut self, records: Range<u32>, one_by_one: bool) {
        if !records.is_empty() {
            self.parts.push(Part {
                from: records.start,
                to: records.end,
                one_by_one,
            });
        }
    }

    /// Notes records that failed, after all that were noted; the words that they fail with.
    pub fn note_failed(&mut self, records: Range<u32>, words: Words) -> Words {
        let (index, words) = self.keep_words(words);
        match self.failed.last_mut() {
            Some(last) if (last.to, last.words) == (records.start, index) => {
                last.to = records.end;
            }
            _ => self.failed.push(Failed {
                from: records.start,
                to: records.end,
                words: index,
            }),
        }
        words
    }

    fn keep_words(&mut self, words: Words) -> (u32, Words) {
        if let Some(known) = self.find(&words) {
            return (known, words);
        }
        let size = |words: &Words| words.code.len() + words.message.len();
        let bytes: usize = self.words.iter().map(size).sum();
        let fits = self.words.len() < WORDS_MAX && bytes + size(&words) <= WORDS_BYTES_MAX;
        let words = if fits {
            words
        } else {
            Words {
                message: WORDS_LEFT_OUT.to_owned(),
                ..words
            }
        };
        if let Some(known) = self.find(&words) {
            return (known, words);
        }
        let index = (0..).zip(&self.words).fold(0, |_, (index, _)| index + 1);
        self.words.push(words.clone());
        (index, words)
    }

    fn find(&self, words: &Words) -> Option<u32> {
        let mut all = (0..).zip(&self.words);
        all.find(|(_, known)| *known == words)
            .map(|(index, _)| index)
    }

    /// What was noted of a batch, stretch by stretch; nothing if it came out as a whole, or was not
    /// noted.
    pub fn notes_of(&self, records: Range<u32>) -> Vec<(Range<u32>, Noted<'_>)> {
        let parts = between(&self.parts, |part| part.from, &records);
        let parts = parts.iter().map(|part| {
            let noted = if part.one_by_one {
                Noted::OneByOne
            } else {
                Noted::Together
            };
            (part.from..part.to, noted)
        });
        // Stretches that failed in the same words may reach over several batches.
        let first = self
            .failed
            .partition_point(|failed| failed.to <= records.start);
        let failed = self.failed.iter().skip(first);
        let failed = failed.take_while(|failed| failed.from < records.end);
        let failed = failed.filter_map(|failed| {
            let words = self.words.get(usize::try_from(failed.words).ok()?)?;
            let within = failed.from.max(records.start)..failed.to.min(records.end);
            Some((within, Noted::Failed(words)))
        });
        let mut all: Vec<_> = parts.chain(failed).collect();
        all.sort_by_key(|(range, _)| range.start);
        all
    }

    /// The digest of what came out up to here, if an object ended here.
    pub fn digest_at(&self, to: u32) -> Option<u32> {
        let place = self.marks.binary_search_by_key(&to, |mark| mark.to).ok()?;
        Some(self.marks.get(place)?.digest)
    }

    /// Up to where something may have left.
    pub fn marked_to(&self) -> u32 {
        self.marks.last().map_or(0, |mark| mark.to)
    }

    /// Notes that an object ended here, after all that did.
    pub fn mark(&mut self, to: u32, digest: u32) {
        self.marks.push(Mark { to, digest });
    }
}

/// Those of a sorted list that begin within a range.
fn between<'a, T>(all: &'a [T], from: impl Fn(&T) -> u32, range: &Range<u32>) -> &'a [T] {
    let (before_end, _) = all.split_at(all.partition_point(|one| from(one) < range.end));
    let first = before_end.partition_point(|one| from(one) < range.start);
    let (_, within) = before_end.split_at(first);
    within
}

/// A running digest of outcomes: of each source, its status and its bytes, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    crc: u32,
    outputs: u64,
}

impl Digest {
    /// Takes in what a plugin made of records from `first` on.
    pub fn add_outputs(&mut self, first: u32, outputs: &Outputs) {
        let mut heads = first.to_le_bytes().to_vec();
        for output in outputs.iter() {
            heads.extend_from_slice(&output.source.to_le_bytes());
            heads.push(match output.status {
                Status::Ok => 0,
                Status::Dropped => 1,
                Status::Failed => 2,
            });
            heads.extend_from_slice(&output.data.len().to_le_bytes());
            // Outcomes depend on it where there is one; where there is none the digest is as it
            // always was.
            heads.extend_from_slice(output.target.unwrap_or_default().as_bytes());
            self.outputs += 1;
        }
        for (place, name, value) in outputs.partition_keys() {
            // The same of them.
            heads.extend_from_slice(&place.to_le_bytes());
            for text in [name, value] {
                heads.extend_from_slice(&text.len().to_le_bytes());
                heads.extend_from_slice(text.as_bytes());
            }
        }
        self.add(&heads);
        self.add(outputs.bytes());
    }

    /// Takes in records that failed. Whether they are told one by one or together is the same.
    pub fn add_failed(&mut self, records: &Range<u32>, words: &Words) {
        for record in records.clone() {
            self.outputs += 1;
            self.add(&record.to_le_bytes());
            self.add(&words.attempts.to_le_bytes());
            self.add(words.code.as_bytes());
            self.add(words.message.as_bytes());
        }
    }

    /// The digest of all so far, and of how many they were.
    pub fn value(&self) -> u32 {
        crc32c::crc32c_append(self.crc, &self.outputs.to_le_bytes())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(message: &str) -> Words {
        Words {
            code: "code".to_owned(),
            message: message.to_owned(),
            attempts: 2,
        }
    }

    #[test]
    fn a_batch_reads_back_as_it_was_divided_and_others_as_wholes() {
        let mut settled = Settled::default();
        settled.note_part(10..12, false);
        settled.note_failed(12..13, words("a"));
        settled.note_part(13..13, false);
        settled.note_part(13..18, true);
        settled.note_failed(18..20, words("b"));
        // The next batch began with what the last one ended with.
        settled.note_failed(20..21, words("b"));
        settled.note_part(21..30, true);
        assert_eq!(settled.notes_of(0..10), []);
        let (a, b) = (words("a"), words("b"));
        let first = [
            (10..12, Noted::Together),
            (12..13, Noted::Failed(&a)),
            (13..18, Noted::OneByOne),
            (18..20, Noted::Failed(&b)),
        ];
        assert_eq!(settled.notes_of(10..20), first);
        let second = [(20..21, Noted::Failed(&b)), (21..30, Noted::OneByOne)];
        assert_eq!(settled.notes_of(20..30), second);
        assert_eq!(settled.notes_of(30..40), []);
    }

    #[test]
    fn a_million_different_words_are_cut_off_and_the_row_stays_a_row() {
        let mut settled = Settled::default();
        let mut told = String::new();
        for record in 0..1_000_000 {
            if settled.is_full() {
                break;
            }
            let long = format!("{record}{}", "x".repeat(1_000));
            let first = 2 * record;
            told = settled.note_failed(first..first + 1, words(&long)).message;
            settled.note_part(first + 1..first + 2, true);
        }
        for object in 0..8_192 {
            settled.mark(object, object);
        }
        assert_eq!(told, WORDS_LEFT_OUT);
        assert!(settled.is_full() && !settled.has_room(1));
        let row = streams::codec::encode(&settled).unwrap();
        assert!(row.len() < 900 << 10, "{} bytes", row.len());
        let read: Settled = streams::codec::decode("lanes", &row).unwrap();
        assert_eq!(read, settled);
    }

    #[test]
    fn a_digest_tells_other_outcomes_apart() {
        let digest = |failed: &[(Range<u32>, &str)]| {
            let mut digest = Digest::default();
            for (records, message) in failed {
                digest.add_failed(records, &words(message));
            }
            digest.value()
        };
        let one = digest(&[(0..1, "a"), (1..2, "b")]);
        for other in [
            digest(&[(0..1, "a")]),
            digest(&[(0..1, "b"), (1..2, "a")]),
            digest(&[(0..2, "a")]),
            digest(&[(0..1, "a"), (2..3, "b")]),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(digest(&[(0..2, "a")]), digest(&[(0..1, "a"), (1..2, "a")]));
        assert_eq!(one, digest(&[(0..1, "a"), (1..2, "b")]));
    }
}
