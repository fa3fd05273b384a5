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
    /// the row has room for as many as there can be.
    words: Vec<(u16, String, String)>,
}

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
        let said = faults.iter().take(words_max.min(WORDS_MAX));
        Self {
            part,
            attempts,
            ended_at_ms: now.0,
            bits,
            words: said
                .map(|fault| (fault.record, fault.code.clone(), fault.message.clone()))
                .collect(),
        }
    }

    /// The code and the words of a record, if it is refused. Where they were not kept, the code is
    /// the usual one of the destination.
    pub fn words<'a>(&'a self, record: u16, usual: &'a str) -> Option<(&'a str, &'a str)> {
        let mut kept = self.words.iter();
        let kept = kept.find(|(known, ..)| *known == record);
        let words = kept.map(|(_, code, message)| (code.as_str(), message.as_str()));
        self.has(record)
            .then(|| words.unwrap_or((usual, WORDS_LEFT_OUT)))
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

    /// How many of them have words.
    pub fn with_words(&self) -> usize {
        self.words.len()
    }
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
        assert_eq!(
            refused.words(9_999, "usual"),
            Some(("usual", WORDS_LEFT_OUT))
        );
        assert_eq!(refused.words(u16::MAX, "usual"), None);
        assert_eq!(refused.with_words(), WORDS_MAX);
        let none = RefusedRecords::of(7, &faults, (2, Timestamp(9)), 0);
        assert_eq!(none.with_words(), 0);
        let row = streams::codec::encode(&refused).unwrap();
        assert!(row.len() < 32 << 10, "{} bytes", row.len());
    }
}
