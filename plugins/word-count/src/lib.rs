//! Counts the words of a stream's records in a table, and emits an alert when a word was seen
//! often.

use std::collections::BTreeMap;

use millrace_sdk::{Assignment, Batch, Consumer, Counter, Error, config, done, emit, table};

/// The table of counts: words in lower case to decimal numbers.
const WORDS: &str = "words";
/// The stream of alerts: the partition key is the word, the data are `word count`.
const ALERTS: &str = "alerts";
/// Bytes of the longest word that is counted: a table's key has no more.
const WORD_BYTES_MAX: usize = 900;
/// Characters of the longest word that there are alerts of: a partition key has no more.
const ALERT_CHARS_MAX: usize = 256;
/// Words that are counted at once: the host takes no more keys in one call.
const WORDS_AT_ONCE: usize = 5_000;
/// Where nothing is configured.
const ALERT_EVERY_DEFAULT: u64 = 100;

static TOO_LONG: Counter = Counter::new("words_too_long");

struct WordCount {
    /// Never 0.
    alert_every: u64,
}

impl Consumer for WordCount {
    fn start(_: &Assignment) -> Result<Self, Error> {
        let alert_every = match config("alert_every") {
            Some(text) => text
                .parse()
                .map_err(|_| Error::new(format!("config alert_every: '{text}' is no number")))?,
            None => ALERT_EVERY_DEFAULT,
        };
        match alert_every {
            0 => Err(Error::new(
                "config alert_every: 0 is no multiple of anything",
            )),
            _ => Ok(Self { alert_every }),
        }
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        for record in batch.iter() {
            let text = match record.text() {
                Ok(text) => text,
                Err(error) => {
                    // The words before it count, whatever becomes of it.
                    self.add(&seen)?;
                    done(record.index())?;
                    return Err(error);
                }
            };
            for word in text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|it| !it.is_empty())
            {
                if word.len() > WORD_BYTES_MAX / 2 {
                    TOO_LONG.add(1);
                    continue;
                }
                *seen.entry(word.to_lowercase()).or_insert(0) += 1;
            }
        }
        self.add(&seen)
    }
}

impl WordCount {
    /// Adds to the counts of words.
    fn add(&self, seen: &BTreeMap<String, u64>) -> Result<(), Error> {
        let words: Vec<_> = seen.iter().collect();
        for words in words.chunks(WORDS_AT_ONCE) {
            let before = table::get_many(WORDS, words.iter().map(|(word, _)| word.as_bytes()))?;
            let (mut after, mut alerts) = (Vec::with_capacity(words.len()), Vec::new());
            for ((word, more), before) in words.iter().zip(before) {
                let before = before.map_or(Ok(0), |before| number(&before))?;
                let count = before.saturating_add(**more);
                after.push((word.as_bytes(), count.to_string()));
                if let Some(reached) = self.reached(before, count)
                    && word.chars().count() <= ALERT_CHARS_MAX
                {
                    alerts.push((word, format!("{word} {reached}")));
                }
            }
            table::put_many(WORDS, after)?;
            if !alerts.is_empty() {
                emit::put_many(ALERTS, alerts)?;
            }
        }
        Ok(())
    }

    /// The highest multiple that a count has reached on its way from `before`.
    fn reached(&self, before: u64, count: u64) -> Option<u64> {
        let times = count / self.alert_every;
        (times > before / self.alert_every).then(|| times * self.alert_every)
    }
}

fn number(value: &[u8]) -> Result<u64, Error> {
    let text = str::from_utf8(value)?;
    text.parse()
        .map_err(|_| Error::new(format!("table {WORDS}: a count that is no number")))
}

millrace_sdk::consumer!(WordCount);

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::{Shard, with_config};

    use super::*;

    fn shard(alert_every: &str) -> Shard<WordCount> {
        with_config(&[("alert_every", alert_every)], Shard::start).unwrap()
    }

    fn count(shard: &Shard<WordCount>, word: &str) -> Option<String> {
        let value = shard.entry(WORDS, word)?;
        Some(String::from_utf8(value).unwrap())
    }

    #[test]
    fn words_are_counted_in_lower_case_over_all_batches() {
        let mut shard = shard("100");
        shard.process(["The cat, the dog.", "THE END"]).unwrap();
        shard.process(["the-cat"]).unwrap();
        assert_eq!(count(&shard, "the").as_deref(), Some("4"));
        assert_eq!(count(&shard, "cat").as_deref(), Some("2"));
        assert_eq!(count(&shard, "dog").as_deref(), Some("1"));
        assert_eq!(shard.table(WORDS).len(), 4);
        assert!(shard.emitted().is_empty());
    }

    #[test]
    fn a_batch_with_which_a_count_reaches_a_multiple_is_one_alert() {
        let mut shard = shard("2");
        shard.process(["a a a a a", "b"]).unwrap();
        shard.process(["a b"]).unwrap();
        let alerts = shard.emitted().iter();
        let alerts: Vec<_> = alerts
            .map(|alert| {
                let data = str::from_utf8(&alert.data).unwrap();
                (alert.stream.as_str(), alert.partition_key.as_str(), data)
            })
            .collect();
        assert_eq!(
            alerts,
            [
                ("alerts", "a", "a 4"),
                ("alerts", "a", "a 6"),
                ("alerts", "b", "b 2"),
            ]
        );
    }

    #[test]
    fn a_record_that_is_no_text_fails_and_what_came_before_it_counts() {
        let mut shard = shard("100");
        let records: [&[u8]; 3] = [b"one", b"\xff", b"two"];
        let error = shard.process(records).unwrap_err();
        assert_eq!(error.reason(), "byte 1 is not UTF-8");
        assert_eq!(count(&shard, "one").as_deref(), Some("1"));
        assert_eq!(count(&shard, "two"), None);
    }

    #[test]
    fn a_word_that_no_key_can_be_is_left_out() {
        let mut shard = shard("1");
        shard.process([format!("{} b", "x".repeat(901))]).unwrap();
        assert_eq!(shard.table(WORDS).len(), 1);
    }

    #[test]
    fn a_configuration_that_is_no_number_is_refused() {
        for (bad, why) in [("0", "0 is no multiple"), ("x", "'x' is no number")] {
            let started = with_config(&[("alert_every", bad)], Shard::<WordCount>::start);
            let error = started.err().unwrap();
            assert!(error.reason().contains(why), "{error}");
        }
    }
}
