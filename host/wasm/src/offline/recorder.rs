//! The tables and streams of a consumer under trial: kept in memory for as long as the trial lives,
//! and told as what became of each batch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::application::Grants;
use crate::effects::{EffectError, Effects};
use crate::slab::Slab;

/// Bytes that all tables of a trial may have together; a batch that writes more fails. They are in
/// memory, and nobody tries that much by hand.
const TABLE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a consumer did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// An entry of a table has this value from now on, or is gone.
    Write {
        /// The table's name.
        table: String,
        /// The entry's key.
        key: Bytes,
        /// Its value; `None`: it is deleted.
        value: Option<Bytes>,
    },
    /// A record for another stream.
    Emit {
        /// The stream's name.
        stream: String,
        /// What the consumer chose to share a shard.
        partition_key: Bytes,
        /// The record.
        data: Bytes,
    },
}

/// The tables by name and key. What the manifest asks for is granted, and nothing else.
#[derive(Clone, Default)]
pub(super) struct Recorder {
    recorded: Arc<Mutex<Recorded>>,
    grants: Arc<Grants>,
}

#[derive(Default)]
struct Recorded {
    tables: BTreeMap<(String, Bytes), Bytes>,
    bytes: usize,
    /// What the batch at work did so far, and how much of it is kept whatever becomes of the rest.
    effects: Vec<Effect>,
    done: usize,
}

impl Recorder {
    pub(super) fn new(grants: &Grants) -> Self {
        Self {
            recorded: Arc::default(),
            grants: Arc::new(grants.clone()),
        }
    }

    fn check_table(&self, table: &str) -> Result<(), EffectError> {
        if self.grants.tables.contains(table) {
            return Ok(());
        }
        let why = format!("the table {table} is not granted: [grants] of plugin.toml lacks it");
        Err(EffectError::Refused(why))
    }

    fn check_stream(&self, stream: &str) -> Result<(), EffectError> {
        if self.grants.emit.iter().any(|it| it.as_str() == stream) {
            return Ok(());
        }
        let why = format!("the stream {stream} is not granted: [grants] of plugin.toml lacks it");
        Err(EffectError::Refused(why))
    }

    /// Ends a batch: what it did, all of it or only what was done before it failed.
    pub(super) fn end(&self, well: bool) -> Vec<Effect> {
        let mut recorded = self.lock();
        if !well {
            let done = recorded.done;
            recorded.effects.truncate(done);
        }
        recorded.done = 0;
        let effects = std::mem::take(&mut recorded.effects);
        for effect in &effects {
            recorded.keep(effect);
        }
        effects
    }

    /// All entries of all tables, in order.
    pub(super) fn all(&self) -> Vec<(String, Bytes, Bytes)> {
        let recorded = self.lock();
        let entries = recorded.tables.iter();
        let entry = |((table, key), value): (&(String, Bytes), &Bytes)| {
            (table.clone(), key.clone(), value.clone())
        };
        entries.map(entry).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        // Each change under the lock leaves the tables whole.
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    fn keep(&mut self, effect: &Effect) {
        let Effect::Write { table, key, value } = effect else {
            return;
        };
        let place = (table.clone(), key.clone());
        let size = |value: &Bytes| key.len() + value.len();
        let before = match value {
            Some(value) => {
                self.bytes += size(value);
                self.tables.insert(place, value.clone())
            }
            None => self.tables.remove(&place),
        };
        self.bytes -= before.as_ref().map_or(0, size);
    }

    /// The value of an entry, as the batch at work left it.
    fn value(&self, table: &str, key: &[u8]) -> Option<Bytes> {
        let written = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Write {
                table: other,
                key: at,
                value,
            } if other == table && at == key => Some(value.clone()),
            _ => None,
        });
        let place = (table.to_owned(), Bytes::copy_from_slice(key));
        written.unwrap_or_else(|| self.tables.get(&place).cloned())
    }

    /// The entries of a table, as the batch at work left them.
    fn entries(&self, table: &str) -> BTreeMap<Bytes, Bytes> {
        let kept = self.tables.iter();
        let kept = kept.filter(|((name, _), _)| name == table);
        let mut entries: BTreeMap<Bytes, Bytes> = kept
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        for effect in &self.effects {
            let Effect::Write {
                table: name,
                key,
                value,
            } = effect
            else {
                continue;
            };
            if name != table {
                continue;
            }
            match value {
                Some(value) => drop(entries.insert(key.clone(), value.clone())),
                None => drop(entries.remove(key)),
            }
        }
        entries
    }
}

impl Effects for Recorder {
    fn get(&mut self, table: &str, keys: &Slab) -> Result<Vec<Option<Bytes>>, EffectError> {
        self.check_table(table)?;
        let recorded = self.lock();
        Ok(keys.iter().map(|key| recorded.value(table, key)).collect())
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        self.check_table(table)?;
        let mut recorded = self.lock();
        let more: usize = entries
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len))
            .sum();
        if recorded.bytes.saturating_add(more) > TABLE_BYTES_MAX {
            let why = format!("the tables of a trial have at most {TABLE_BYTES_MAX} bytes");
            return Err(EffectError::Refused(why));
        }
        let effects = entries.into_iter().map(|(key, value)| Effect::Write {
            table: table.to_owned(),
            key,
            value,
        });
        recorded.effects.extend(effects);
        Ok(())
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, EffectError> {
        self.check_table(table)?;
        let entries = self.lock().entries(table).into_iter();
        let found = entries.filter(|(key, _)| key.starts_with(prefix) && first <= &key[..]);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(found.take(limit).collect())
    }

    fn emit(&mut self, stream: &str, keys: Slab, data: Slab) -> Result<(), EffectError> {
        self.check_stream(stream)?;
        let records = keys.iter().zip(data.iter());
        let effects = records.map(|(key, data)| Effect::Emit {
            stream: stream.to_owned(),
            partition_key: Bytes::copy_from_slice(key),
            data: Bytes::copy_from_slice(data),
        });
        self.lock().effects.extend(effects);
        Ok(())
    }

    fn done(&mut self, _records: u32) -> Result<(), EffectError> {
        let mut recorded = self.lock();
        recorded.done = recorded.effects.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, value: Option<&'static str>) -> (Bytes, Option<Bytes>) {
        (Bytes::from(key), value.map(Bytes::from))
    }

    fn recorder() -> Recorder {
        Recorder::new(&Grants {
            tables: ["t".to_owned(), "other".to_owned()].into(),
            ..Grants::default()
        })
    }

    fn slab(strings: &[&str]) -> Slab {
        let mut slab = Slab::default();
        assert!(strings.iter().all(|it| slab.push(it.as_bytes())));
        slab
    }

    #[test]
    fn a_batch_sees_what_it_wrote_and_one_that_failed_leaves_what_was_done() {
        let recorder = recorder();
        let mut effects = recorder.clone();
        effects.write("t", vec![put("a", Some("1"))]).unwrap();
        effects.done(1).unwrap();
        effects
            .write("t", vec![put("a", None), put("b", Some("2"))])
            .unwrap();
        let seen = effects.get("t", &slab(&["a", "b"])).unwrap();
        assert_eq!(seen, [None, Some(Bytes::from("2"))]);
        let kept = recorder.end(false);
        assert_eq!(kept.len(), 1, "{kept:?}");
        let seen = effects.get("t", &slab(&["a", "b"])).unwrap();
        assert_eq!(seen, [Some(Bytes::from("1")), None]);
    }

    #[test]
    fn a_scan_goes_through_what_was_kept_and_what_is_being_written() {
        let recorder = recorder();
        let mut effects = recorder.clone();
        let entries = vec![
            put("xa", Some("1")),
            put("xb", Some("2")),
            put("y", Some("3")),
        ];
        effects.write("t", entries).unwrap();
        recorder.end(true);
        effects
            .write("t", vec![put("xb", None), put("xc", Some("4"))])
            .unwrap();
        let found = effects.scan("t", b"x", b"xa", 9).unwrap();
        let keys: Vec<_> = found.iter().map(|(key, _)| &key[..]).collect();
        assert_eq!(keys, [b"xa", b"xc"]);
        assert_eq!(effects.scan("t", b"x", b"xb", 9).unwrap().len(), 1);
        assert!(effects.scan("other", b"", b"", 9).unwrap().is_empty());
    }

    #[test]
    fn what_the_manifest_does_not_ask_for_is_refused_by_name() {
        let mut effects = recorder();
        let refused = |error: EffectError| {
            matches!(error, EffectError::Refused(why) if
            why.contains("mine is not granted"))
        };
        assert!(refused(effects.get("mine", &slab(&["a"])).unwrap_err()));
        assert!(refused(effects.write("mine", Vec::new()).unwrap_err()));
        assert!(refused(effects.scan("mine", b"", b"", 1).unwrap_err()));
        let emitted = effects.emit("mine", slab(&["a"]), slab(&["b"]));
        assert!(refused(emitted.unwrap_err()));
    }
}
