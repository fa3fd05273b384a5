//! Records of one request that are refused for good, while all others of it were taken. Pure.

use bincode::{Decode, Encode};
use types::Timestamp;

use super::{WORDS_LEFT_OUT, WORDS_MAX};

/// Why a record of a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// Which record of the request, from 0.
    pub record: u16,
    /// One of AWS's words: of a document, the status that it was answered with.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// Kept with the open cut, so that a restart changes no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RefusedRecords {
    /// Which piece of delivered records.
    pub part: u16,
    /// How often it was handed over. Never: it is tried again, and these records were not taken by
    /// any try so far.
    pub attempts: u32,
    /// When it was handed over last, in milliseconds since 1970.
    pub ended_at_ms: u64,
    /// A bit for each record, the lowest of the first byte for the first: whether it is refused.
    bits: Vec<u8>,
    /// What was said of the first of them, with their codes. Further ones have no words, so that
    /// the row has room for as many as there can be: a code without words is that of this one and
    /// of all that come after it until the next.
    words: Vec<(u16, String, String)>,
}

/// Times that the code changes from one record without words to the next, and is kept. After that
/// the code is the usual one of the destination.
const CODES_MAX: usize = 8;

impl RefusedRecords {
    /// Those of a request that was handed over so often, the last time then. So many have words.
    pub fn of(
        part: u16,
        faults: &[RecordFault],
        (attempts, now): (u32, Timestamp),
        words_max: usize,
    ) -> Self {
        let mut bits = Vec::new();
        for fault in faults {
            let (byte, bit) = place(fault.record);
            if bits.len() <= byte {
                bits.resize(byte + 1, 0);
            }
            if let Some(byte) = bits.get_mut(byte) {
                *byte |= bit;
            }
        }
        let (said, further) = faults.split_at(faults.len().min(words_max.min(WORDS_MAX)));
        let said = said.iter();
        let said = said.map(|fault| (fault.record, fault.code.clone(), fault.message.clone()));
        let mut words: Vec<_> = said.collect();
        words.extend(codes_of(further));
        Self {
            part,
            attempts,
            ended_at_ms: now.0,
            bits,
            words,
        }
    }

    /// The code and the words of a record, if it is refused. Where they were not kept, the code is
    /// the usual one of the destination.
    pub fn words<'a>(&'a self, record: u16, usual: &'a str) -> Option<(&'a str, &'a str)> {
        if !self.has(record) {
            return None;
        }
        let before = self.words.partition_point(|(known, ..)| *known <= record);
        let last = before.checked_sub(1).and_then(|last| self.words.get(last));
        Some(match last {
            Some((_, code, message)) if message.is_empty() && code.is_empty() => {
                (usual, WORDS_LEFT_OUT)
            }
            Some((_, code, message)) if message.is_empty() => (code, WORDS_LEFT_OUT),
            Some((known, code, message)) if *known == record => (code, message),
            _ => (usual, WORDS_LEFT_OUT),
        })
    }

    /// Whether these records are refused for good, and no try comes after.
    pub fn is_final(&self) -> bool {
        self.attempts > 0
    }

    /// The same once no try comes after so many, the last of which was then.
    pub fn finally(self, (attempts, now): (u32, Timestamp)) -> Self {
        Self {
            attempts,
            ended_at_ms: now.0,
            ..self
        }
    }

    /// Whether a record is among them.
    pub fn has(&self, record: u16) -> bool {
        let (byte, bit) = place(record);
        self.bits.get(byte).is_some_and(|byte| byte & bit != 0)
    }

    /// How many they are.
    pub fn count(&self) -> u64 {
        self.bits
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum()
    }

    /// How many of them have words.
    pub fn with_words(&self) -> usize {
        let has_words = |(.., message): &&(u16, String, String)| !message.is_empty();
        self.words.iter().filter(has_words).count()
    }
}

/// The codes of records whose words are not kept, each with the first record of those that have it
/// one after the other; no code where there are too many of them.
fn codes_of(faults: &[RecordFault]) -> Vec<(u16, String, String)> {
    let mut codes: Vec<(u16, String, String)> = Vec::new();
    for RecordFault { record, code, .. } in faults {
        if codes.last().is_some_and(|(_, last, _)| last == code) {
            continue;
        }
        if codes.len() == CODES_MAX {
            codes.push((*record, String::new(), String::new()));
            break;
        }
        codes.push((*record, code.clone(), String::new()));
    }
    codes
}

/// The byte and the bit of a record.
fn place(record: u16) -> (usize, u8) {
    (usize::from(record / 8), 1 << (record % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_record_is_known_and_the_first_have_their_words() {
        let faults: Vec<_> = (0..10_000)
            .step_by(3)
            .map(|record| RecordFault {
                record,
                code: "400".to_owned(),
                message: format!("no {record}{}", "x".repeat(150)),
            })
            .collect();
        let refused = RefusedRecords::of(7, &faults, (2, Timestamp(9)), usize::MAX);
        for record in 0..10_000 {
            let words = refused.words(record, "usual");
            assert_eq!(words.is_some(), record % 3 == 0, "{record}");
        }
        let (code, message) = refused.words(3, "usual").unwrap();
        assert!(code == "400" && message.starts_with("no 3x"), "{message}");
        assert_eq!(refused.words(9_999, "usual"), Some(("400", WORDS_LEFT_OUT)));
        assert_eq!(refused.words(u16::MAX, "usual"), None);
        assert_eq!(refused.with_words(), WORDS_MAX);
        let none = RefusedRecords::of(7, &faults, (2, Timestamp(9)), 0);
        assert_eq!(none.with_words(), 0);
        assert_eq!(none.words(0, "usual"), Some(("400", WORDS_LEFT_OUT)));
        let row = streams::codec::encode(&refused).unwrap();
        assert!(row.len() < 32 << 10, "{} bytes", row.len());
    }

    #[test]
    fn records_without_words_keep_their_codes_unless_these_are_too_many() {
        let fault = |(record, code): (u16, &str)| RecordFault {
            record,
            code: code.to_owned(),
            message: "no".to_owned(),
        };
        let faults: Vec<_> = (0..20_u16)
            .map(|record| match record {
                0..5 => "400",
                5..10 => "404",
                _ => ["400", "413"][usize::from(record % 2)],
            })
            .zip(0..)
            .map(|(code, record)| fault((record, code)))
            .collect();
        let refused = RefusedRecords::of(7, &faults, (2, Timestamp(9)), 2);
        let told = (0..20).map(|record| refused.words(record, "usual").unwrap());
        let mut wanted = vec![("400", "no"); 2];
        wanted.extend([("400", WORDS_LEFT_OUT); 3]);
        wanted.extend([("404", WORDS_LEFT_OUT); 5]);
        wanted.extend([("400", WORDS_LEFT_OUT), ("413", WORDS_LEFT_OUT)].repeat(3));
        wanted.extend([("usual", WORDS_LEFT_OUT); 4]);
        assert_eq!(told.collect::<Vec<_>>(), wanted);
        assert_eq!(refused.with_words(), 2);
    }
}
