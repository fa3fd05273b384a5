//! What was before with a failed record that is delivered once more. It stands in the place of its
//! partition key in the log of replays, which nobody but a lane of replays reads:
//!
//! ```text
//! attempts, in decimal | space | arrival in milliseconds | space | hash of a version, or "-"
//! ```
//!
//! So all that the outcome depends on is durable together with the record: how often it was tried,
//! when it arrived at first, and which version it was replayed through, if one was named.

use types::Timestamp;
use wasm::ContentHash;

/// In the place of a version where none was named.
const NO_VERSION: &str = "-";

/// What was before with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// When it arrived.
    pub arrival: Timestamp,
    /// How often it was tried before it came to its lane.
    pub attempts: u32,
}

/// What is kept of a record in the log of replays besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// What was before with it.
    pub history: History,
    /// The version that it goes through whatever is in force; `None`: the one in force.
    pub version: Option<ContentHash>,
}

impl Former {
    /// The text in the place of the partition key.
    pub fn write(&self) -> String {
        let History { arrival, attempts } = self.history;
        let version = self.version.map(|version| version.to_string());
        let version = version.as_deref().unwrap_or(NO_VERSION);
        format!("{attempts} {} {version}", arrival.0)
    }

    /// What [`Former::write`] wrote.
    ///
    /// # Errors
    /// A sentence that says that it did not write this.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("a record of a log of replays has the partition key '{text}'");
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or_else(wrong);
        let (attempts, arrival, version) = (next()?, next()?, next()?);
        let version = match version {
            NO_VERSION => None,
            hash => Some(ContentHash::parse(hash).ok_or_else(wrong)?),
        };
        let former = Self {
            history: History {
                arrival: Timestamp(arrival.parse().map_err(|_| wrong())?),
                attempts: attempts.parse().map_err(|_| wrong())?,
            },
            version,
        };
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_reads_back_and_nothing_else_does() {
        for version in [None, Some(ContentHash([7; 32]))] {
            let former = Former {
                history: History {
                    arrival: Timestamp(1_700_000_000_000),
                    attempts: 4,
                },
                version,
            };
            let text = former.write();
            assert_eq!(Former::read(&text), Ok(former));
            for wrong in [
                "",
                "4",
                "4 5",
                "a 5 -",
                "4 b -",
                "4 5 c",
                &format!("{text} 1"),
            ] {
                assert!(Former::read(wrong).is_err(), "{wrong}");
            }
        }
    }
}
