//! The answers to what a consumer's guest calls: `table`, `emit` and `checkpoint`, checked and
//! counted before they reach the [`Effects`] of whoever runs it.

use std::time::Instant;

use bytes::Bytes;
use types::limits::{PARTITION_KEY_CHARS_MAX, RECORD_BYTES_MAX};

use crate::bindings::types::Slab as RawSlab;
use crate::bindings::{checkpoint, emit, table};
use crate::effect_access::Told;
use crate::effects::{EffectError, Effects, EffectsUnavailable};
use crate::limit_reached::LimitReached;
use crate::limits::{
    CallLimits, EFFECT_NAME_BYTES_MAX, EFFECT_OVERHEAD_BYTES, HOST_WAIT_MAX, SCANNED_MAX,
    STRINGS_PER_CALL_MAX, TABLE_KEY_BYTES_MAX, TABLE_KEYS_AT_ONCE, TABLE_VALUE_BYTES_MAX,
};
use crate::slab::{Slab, place};
use crate::state::State;

impl State {
    /// Counts one call that keeps so many bytes of so many strings until the batch is over.
    fn effect_call(&mut self, strings: usize, bytes: usize) -> wasmtime::Result<()> {
        self.host_call()?;
        if strings > STRINGS_PER_CALL_MAX {
            return Err(LimitReached::Strings(STRINGS_PER_CALL_MAX).into());
        }
        self.keep_bytes(strings, bytes)
    }

    /// Asks whoever runs the guest, for whom it waits meanwhile.
    fn ask<T>(&mut self, ask: impl FnOnce(&mut dyn Effects) -> Result<T, EffectError>) -> Told<T> {
        if self.call_time.waited() >= HOST_WAIT_MAX {
            let seconds = HOST_WAIT_MAX.as_secs();
            let why = format!("it has waited for its tables for {seconds} s, all that a call may");
            return Err(EffectsUnavailable(why).into());
        }
        let from = Instant::now();
        let told = self.effects.ask(ask);
        self.waited(from.elapsed());
        told
    }

    pub(crate) fn keep_bytes(&mut self, strings: usize, bytes: usize) -> wasmtime::Result<()> {
        let counted = strings
            .saturating_mul(EFFECT_OVERHEAD_BYTES)
            .saturating_add(bytes);
        self.effects.keep_bytes(counted)
    }

    fn look_up(&mut self, table: &str, keys: &Slab) -> Told<Vec<Option<Vec<u8>>>> {
        self.effect_call(keys.len(), keys.bytes())?;
        let refused = name_refusal("table", table).or_else(|| keys.iter().find_map(key_refusal));
        if let Some(why) = refused {
            return Ok(Err(why));
        }
        let mut values = Vec::with_capacity(keys.len());
        let mut room = Room::of(self.limits());
        // A few at a time: what lies in the host never is much more than may cross.
        while values.len() < keys.len() {
            let part = keys.part(values.len()..values.len() + place(TABLE_KEYS_AT_ONCE));
            let found = match self.ask(|effects| effects.get(table, &part))? {
                Ok(found) => found,
                Err(why) => return Ok(Err(why)),
            };
            if found.len() != part.len() {
                let (found, asked) = (found.len(), part.len());
                let why = format!("{found} values for {asked} keys of {table}");
                return Err(EffectsUnavailable(why).into());
            }
            for value in &found {
                room.take(value.as_ref().map_or(0, Bytes::len))?;
            }
            self.effects.carries(room.taken())?;
            values.extend(found.into_iter().map(|value| value.map(|it| it.to_vec())));
        }
        Ok(Ok(values))
    }

    fn write(&mut self, table: &str, entries: Vec<(Bytes, Option<Bytes>)>) -> Told<()> {
        let length = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let bytes = entries.iter().map(|(key, value)| key.len() + length(value));
        self.effect_call(entries.len(), bytes.sum())?;
        let mut all = entries.iter();
        let refused = name_refusal("table", table).or_else(|| {
            all.find_map(|(key, value)| key_refusal(key).or_else(|| value_refusal(length(value))))
        });
        match refused {
            Some(why) => Ok(Err(why)),
            None => self.ask(|effects| effects.write(table, entries)),
        }
    }

    fn look_through(
        &mut self,
        table: &str,
        (prefix, mut first): (&[u8], Vec<u8>),
        limit: u32,
    ) -> Told<Vec<table::Entry>> {
        self.effect_call(1, prefix.len() + first.len())?;
        let longest = prefix.len().max(first.len());
        let refused = name_refusal("table", table).or_else(|| length_refusal("a key", longest));
        if let Some(why) = refused {
            return Ok(Err(why));
        }
        let limit = limit.min(SCANNED_MAX);
        let mut entries = Vec::new();
        let mut room = Room::of(self.limits());
        loop {
            let left = limit.saturating_sub(u32::try_from(entries.len())?);
            let wanted = left.min(TABLE_KEYS_AT_ONCE);
            if wanted == 0 {
                return Ok(Ok(entries));
            }
            let scan = |effects: &mut dyn Effects| effects.scan(table, prefix, &first, wanted);
            let found = match self.ask(scan)? {
                Ok(found) => found,
                Err(why) => return Ok(Err(why)),
            };
            let is_last = found.len() < place(wanted);
            for (key, value) in &found {
                // Whoever runs the guest remembers which keys it saw.
                self.keep_bytes(1, key.len())?;
                room.take(key.len() + value.len())?;
            }
            self.effects.carries(room.taken())?;
            for (key, value) in found {
                first = key.to_vec();
                entries.push(table::Entry {
                    key: key.to_vec(),
                    value: value.to_vec(),
                });
            }
            if is_last {
                return Ok(Ok(entries));
            }
            // The key that comes right after the last one.
            first.push(0);
        }
    }
}

impl table::Host for State {
    fn get(&mut self, table: String, key: Vec<u8>) -> Told<Option<Vec<u8>>> {
        let found = self.look_up(&table, &one(&key)?)?;
        Ok(found.map(|mut values| values.pop().flatten()))
    }

    fn get_many(&mut self, table: String, keys: RawSlab) -> Told<Vec<Option<Vec<u8>>>> {
        self.look_up(&table, &slab("keys", keys)?)
    }

    fn put(&mut self, table: String, key: Vec<u8>, value: Vec<u8>) -> Told<()> {
        self.write(&table, vec![(key.into(), Some(value.into()))])
    }

    fn put_many(&mut self, table: String, keys: RawSlab, values: RawSlab) -> Told<()> {
        let (keys, values) = (slab("keys", keys)?, slab("values", values)?);
        same_count(("keys", &keys), ("values", &values))?;
        // Before anything is made of them: each takes far more here than in the guest.
        if keys.len() > STRINGS_PER_CALL_MAX {
            return Err(LimitReached::Strings(STRINGS_PER_CALL_MAX).into());
        }
        self.effects
            .carries(keys.bytes().saturating_add(values.bytes()))?;
        let own = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        let entries = keys.iter().zip(values.iter());
        let entries = entries.map(|(key, value)| (own(key), Some(own(value))));
        self.write(&table, entries.collect())
    }

    fn delete(&mut self, table: String, key: Vec<u8>) -> Told<()> {
        self.write(&table, vec![(key.into(), None)])
    }

    fn scan(
        &mut self,
        table: String,
        prefix: Vec<u8>,
        first: Vec<u8>,
        limit: u32,
    ) -> Told<Vec<table::Entry>> {
        self.look_through(&table, (&prefix, first), limit)
    }
}

impl emit::Host for State {
    fn put_records(&mut self, stream: String, keys: RawSlab, data: RawSlab) -> Told<()> {
        let (keys, data) = (slab("partition keys", keys)?, slab("records", data)?);
        same_count(("partition keys", &keys), ("records", &data))?;
        let bytes = keys.bytes().saturating_add(data.bytes());
        self.effect_call(data.len(), bytes)?;
        self.effects.carries(bytes)?;
        let records = || keys.iter().zip(data.iter());
        let refused = name_refusal("stream", &stream).or_else(|| {
            records().find_map(|(key, data)| {
                partition_key_refusal(key).or_else(|| record_refusal(key, data))
            })
        });
        match refused {
            Some(why) => Ok(Err(why)),
            None => self.ask(|effects| effects.emit(&stream, keys, data)),
        }
    }
}

impl checkpoint::Host for State {
    fn done(&mut self, records: u32) -> Told<()> {
        self.effect_call(0, 0)?;
        let (done, all) = (self.effects.done, self.effects.records);
        if records <= done || records > all {
            return Ok(Err(format!(
                "{records} records of {all} are done, after {done}"
            )));
        }
        let told = self.ask(|effects| effects.done(records))?;
        if told.is_ok() {
            self.effects.done = records;
        }
        Ok(told)
    }
}

/// What one call may still bring into the guest.
struct Room {
    left: usize,
    most: usize,
}

impl Room {
    fn of(limits: &CallLimits) -> Self {
        let most = limits.output_bytes_max;
        Self { left: most, most }
    }

    fn take(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let counted = bytes.saturating_add(EFFECT_OVERHEAD_BYTES);
        let left = self.left.checked_sub(counted);
        self.left = left.ok_or(LimitReached::InputBytes(self.most))?;
        Ok(())
    }

    /// Bytes so far.
    fn taken(&self) -> usize {
        self.most - self.left
    }
}

/// A slab that a guest gave; one that contradicts itself ends its call.
fn slab(what: &str, raw: RawSlab) -> wasmtime::Result<Slab> {
    let count = raw.ends.len();
    Slab::parse(raw, count).map_err(|why| wasmtime::Error::msg(format!("{what} with {why}")))
}

fn one(string: &[u8]) -> wasmtime::Result<Slab> {
    let mut slab = Slab::default();
    if slab.push(string) {
        Ok(slab)
    } else {
        Err(wasmtime::Error::msg("a string of more than 4 GiB"))
    }
}

fn same_count(left: (&str, &Slab), right: (&str, &Slab)) -> wasmtime::Result<()> {
    let (lefts, rights) = (left.1.len(), right.1.len());
    if lefts == rights {
        return Ok(());
    }
    let why = format!("{lefts} {} for {rights} {}", left.0, right.0);
    Err(wasmtime::Error::msg(why))
}

fn name_refusal(what: &str, name: &str) -> Option<String> {
    let bytes = name.len();
    let fits = (1..=EFFECT_NAME_BYTES_MAX).contains(&bytes);
    let why =
        || format!("the name of a {what} has {bytes} bytes, not 1 to {EFFECT_NAME_BYTES_MAX}");
    (!fits).then(why)
}

fn key_refusal(key: &[u8]) -> Option<String> {
    if key.is_empty() {
        return Some("a key is empty".to_owned());
    }
    length_refusal("a key", key.len())
}

fn length_refusal(what: &str, bytes: usize) -> Option<String> {
    let why = || format!("{what} has {bytes} bytes, not at most {TABLE_KEY_BYTES_MAX}");
    (bytes > TABLE_KEY_BYTES_MAX).then(why)
}

fn value_refusal(bytes: usize) -> Option<String> {
    let why = || format!("a value has {bytes} bytes, not at most {TABLE_VALUE_BYTES_MAX}");
    (bytes > TABLE_VALUE_BYTES_MAX).then(why)
}

fn partition_key_refusal(key: &[u8]) -> Option<String> {
    let Ok(text) = str::from_utf8(key) else {
        return Some("a partition key is not UTF-8".to_owned());
    };
    let chars = text.chars().count();
    let fits = (1..=PARTITION_KEY_CHARS_MAX).contains(&chars);
    let most = PARTITION_KEY_CHARS_MAX;
    (!fits).then(|| format!("a partition key has {chars} characters, not 1 to {most}"))
}

fn record_refusal(key: &[u8], data: &[u8]) -> Option<String> {
    let bytes = key.len() + data.len();
    let why = || format!("a record and its key have {bytes} bytes, not at most {RECORD_BYTES_MAX}");
    (bytes > RECORD_BYTES_MAX).then(why)
}
