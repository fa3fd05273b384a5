//! What becomes of each record: words are counted in a table, and each new one is told to a stream.

use millrace_sdk::{Assignment, Batch, Consumer, Error, emit, table};

const COUNTS: &str = "counts";

/// Counts words.
struct Words {
    /// The stream that new words are told to.
    new_words: Option<String>,
}

impl Consumer for Words {
    /// Called once for the shard of the instance.
    fn start(_: &Assignment) -> Result<Self, Error> {
        Ok(Self {
            new_words: millrace_sdk::config("new_words"),
        })
    }

    /// What this writes becomes durable with the batch, or not at all.
    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        for record in batch.iter() {
            let text = record.text()?.to_lowercase();
            let words = text.split(|c: char| !c.is_alphanumeric());
            for word in words.filter(|word| !word.is_empty()) {
                self.count(word)?;
            }
        }
        Ok(())
    }
}

impl Words {
    fn count(&self, word: &str) -> Result<(), Error> {
        let before: u64 = match table::get(COUNTS, word)? {
            Some(count) => String::from_utf8(count)?.parse()?,
            None => 0,
        };
        table::put(COUNTS, word, (before + 1).to_string())?;
        match &self.new_words {
            Some(stream) if before == 0 => emit::put(stream, word, word),
            _ => Ok(()),
        }
    }
}

millrace_sdk::consumer!(Words);
