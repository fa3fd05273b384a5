//! What becomes of the records of a shard: they and their words are counted, and every so many
//! records the totals are told to a stream.

use millrace_sdk::{Assignment, Batch, Consumer, Error, emit};

const TOTALS: &str = "totals";
const EVERY_DEFAULT: u64 = 1000;

/// Counts the records and words of a shard.
struct Totals {
    shard: String,
    every: u64,
    records: u64,
    words: u64,
}

impl Consumer for Totals {
    const STATE_VERSION: u32 = 1;

    /// Called once for the shard of the instance.
    fn start(assignment: &Assignment) -> Result<Self, Error> {
        let every = match millrace_sdk::config("every") {
            Some(every) => every.parse()?,
            None => EVERY_DEFAULT,
        };
        if every == 0 {
            return Err(Error::new("config every: not a number from 1 on"));
        }
        Ok(Self {
            shard: assignment.shard.clone(),
            every,
            records: 0,
            words: 0,
        })
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        for record in batch.iter() {
            let words = record.text()?.split(|c: char| !c.is_alphanumeric());
            self.words += words.map(|word| u64::from(!word.is_empty())).sum::<u64>();
            self.records += 1;
            if self.records.is_multiple_of(self.every) {
                let text = format!("{} records, {} words", self.records, self.words);
                emit::put(TOTALS, &self.shard, text)?;
            }
        }
        Ok(())
    }

    /// Asked for after each batch, and kept with it.
    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        Ok(format!("{} {}", self.records, self.words).into_bytes())
    }

    /// Takes over what an instance before this one kept: `version` is its `STATE_VERSION`.
    fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Error> {
        let (records, words) = match (version, str::from_utf8(state)?.split_once(' ')) {
            (Self::STATE_VERSION, Some(kept)) => kept,
            _ => return Err(Error::new(format!("a state of version {version}"))),
        };
        (self.records, self.words) = (records.parse()?, words.parse()?);
        Ok(())
    }
}

millrace_sdk::consumer!(Totals);
