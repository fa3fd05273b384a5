//! What a batch has asked for, while it is worked on: what it read and wants done, counted as it
//! will be stored, within the batch's share of memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use store::codec::damaged;
use store::{Expect, RowCheck, Transaction, Version};
use tables::Tables;
use tables::application::{
    ApplicationError, Row, SCAN_BYTES_MAX, TableRef, VALUE_BYTES_MAX, stored_bytes,
};
use types::StreamName;
use wasm::{EffectError, Slab};

use crate::limits::{
    EMITTED_BYTES_MAX, EMITTED_PER_BATCH_MAX, READ_BYTES_MAX, READ_KEY_BYTES_MAX,
    ROWS_PER_BATCH_MAX, WRITE_BYTES_MAX,
};
use crate::memory::Memory;

/// What a row that a batch keeps in memory costs besides its bytes.
const ROW_OVERHEAD_BYTES: usize = 128;
/// What there is in memory while one row is read: it, and the value that is taken out of it.
const READING_BYTES: usize = 2 * VALUE_BYTES_MAX;
/// The same while a table is scanned: a page of rows, of which one may begin at its end.
const SCANNING_BYTES: usize = 2 * (SCAN_BYTES_MAX + VALUE_BYTES_MAX);

/// What the batch at work has asked for. The instance has it in its hands while it is called, and
/// whoever calls it takes what is in it afterwards.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Gathered>>);

/// What a batch has read and wants done.
#[derive(Default)]
pub struct Gathered {
    /// Tables by name: those that were used since the last conflict.
    tables: HashMap<String, TableRef>,
    /// What was read, by table and key.
    reads: BTreeMap<RowName, Option<(Bytes, Version)>>,
    /// What is written, by table and key: a value, or the row's removal.
    writes: BTreeMap<RowName, Option<Bytes>>,
    /// Records for streams, in the order in which they were emitted.
    emitted: Vec<(StreamName, Slab, Slab)>,
    /// The first so many records of the batch are done, and stand alone.
    done: u32,
    sizes: Sizes,
    memory: Memory,
    /// Bytes of memory that the batch would have had to have, where it was left for lack of some.
    lacked: Option<u64>,
}

/// A row by the name of its table and its key.
pub type RowName = (String, Bytes);

#[derive(Clone, Copy, Default)]
struct Sizes {
    read_keys: usize,
    read: usize,
    /// As it will be stored.
    written: usize,
    emitted_records: usize,
    emitted: usize,
    /// What is there during one call alone, at most so far: on its way into the guest or out of it,
    /// and what a table gave.
    carried: usize,
    passing: usize,
}

/// What became of a batch's wishes, with what it takes to commit them.
#[derive(Default)]
pub struct Wishes {
    /// Records for streams.
    pub emitted: Vec<(StreamName, Slab, Slab)>,
    /// Rows that are written.
    pub rows: u64,
    /// The batch's memory.
    pub memory: Memory,
}

impl Desk {
    /// A batch begins, within this memory. Nothing is left of the one before.
    pub fn begin(&self, memory: Memory) {
        let mut gathered = self.lock();
        let tables = std::mem::take(&mut gathered.tables);
        *gathered = Gathered {
            tables,
            memory,
            ..Gathered::default()
        };
    }

    /// Forgets what tables are like: one of them may be another by now.
    pub fn forget_tables(&self) {
        self.lock().tables.clear();
    }

    /// Takes what the batch wants, and puts rows and checks into `effects`.
    ///
    /// # Errors
    /// A row cannot be one, which the calls have refused.
    pub fn take(
        &self,
        tables: &Tables,
        effects: &mut Transaction,
    ) -> Result<Wishes, ApplicationError> {
        let mut gathered = self.lock();
        let reads = std::mem::take(&mut gathered.reads);
        let writes = std::mem::take(&mut gathered.writes);
        let mut used = BTreeSet::new();
        for (name, value) in &writes {
            let table = gathered.table(&name.0)?;
            let read = reads.get(name);
            let expect = read.map_or(Expect::Any, |read| expected(read.as_ref()));
            let write = tables.write(table, &name.1, value.as_deref(), expect)?;
            effects.writes.push(write);
            used.insert(name.0.clone());
        }
        for (name, read) in &reads {
            let table = gathered.table(&name.0)?;
            used.insert(name.0.clone());
            if !writes.contains_key(name) {
                let (table, key) = table.place(&name.1)?;
                let expect = expected(read.as_ref());
                effects.checks.push(RowCheck { table, key, expect });
            }
        }
        for name in used {
            let (table, key, version) = gathered.table(&name)?.definition();
            let expect = Expect::Version(version);
            effects.checks.push(RowCheck { table, key, expect });
        }
        Ok(Wishes {
            emitted: std::mem::take(&mut gathered.emitted),
            rows: writes.len() as u64,
            memory: std::mem::take(&mut gathered.memory),
        })
    }

    /// Bytes of memory that the batch would have had to have, if it has ended for lack of some.
    pub fn lacked(&self) -> Option<u64> {
        self.lock().lacked
    }

    /// What the batch sees of a row without a look at its table: `None` if it has not read it.
    pub fn known(&self, name: &RowName) -> Option<Option<Bytes>> {
        self.lock().known(name)
    }

    /// A table that was used since the last conflict.
    pub fn table(&self, name: &str) -> Option<TableRef> {
        self.lock().tables.get(name).cloned()
    }

    /// A table is used.
    pub fn uses_table(&self, name: &str, table: TableRef) {
        self.lock().tables.insert(name.to_owned(), table);
    }

    /// A row is to be read.
    ///
    /// # Errors
    /// The batch may read no more, or there is no memory for it.
    pub fn may_read(&self, key: &Bytes) -> Result<(), EffectError> {
        let mut gathered = self.lock();
        gathered.passes(READING_BYTES)?;
        gathered.may_read(key)
    }

    /// A row was read.
    ///
    /// # Errors
    /// As [`Desk::may_read`].
    pub fn has_read(
        &self,
        name: RowName,
        row: Option<(Bytes, Version)>,
    ) -> Result<(), EffectError> {
        self.lock().has_read(name, row)
    }

    /// A page of a table is to be read.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn may_scan(&self) -> Result<(), EffectError> {
        self.lock().passes(SCANNING_BYTES)
    }

    /// A page of a table was read, from `begin` on to its last row, or to the end of what begins
    /// with the prefix (`None`). Adds what the batch sees there to `merged`.
    ///
    /// # Errors
    /// As [`Desk::may_read`].
    pub fn has_scanned(
        &self,
        (table, prefix): (&str, &[u8]),
        rows: Vec<Row>,
        (begin, end): (&Bytes, Option<&Bytes>),
        merged: &mut BTreeMap<Bytes, Bytes>,
    ) -> Result<(), EffectError> {
        let mut gathered = self.lock();
        for row in rows {
            let name = (table.to_owned(), row.key);
            if !gathered.reads.contains_key(&name) {
                gathered.may_read(&name.1)?;
                gathered.has_read(name.clone(), Some((row.value, row.version)))?;
            }
            // What was read before counts: the commit finds out whether it is so still.
            if let Some(value) = gathered.known(&name).flatten() {
                merged.insert(name.1, value);
            }
        }
        gathered.add_written(table, (prefix, begin, end), merged);
        Ok(())
    }

    /// Rows are to be written.
    ///
    /// # Errors
    /// The batch may write no more, or there is no memory for it.
    pub fn write(
        &self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        self.lock().write(table, entries)
    }

    /// Records are to be put to a stream.
    ///
    /// # Errors
    /// The batch may emit no more, or there is no memory for it.
    pub fn emit(&self, stream: StreamName, keys: Slab, data: Slab) -> Result<(), EffectError> {
        self.lock().emit(stream, keys, data)
    }

    /// The call at work has so many bytes on their way into the guest or out of it.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn carries(&self, bytes: usize) -> Result<(), EffectError> {
        let mut gathered = self.lock();
        let more = bytes.saturating_sub(gathered.sizes.carried);
        gathered.grow(more)?;
        gathered.sizes.carried += more;
        Ok(())
    }

    /// The first so many records of the batch are done.
    pub fn done(&self, records: u32) {
        self.lock().done = records;
    }

    /// The batch came to nothing: how many of its first records the guest said are done, and its
    /// memory.
    pub fn leave(&self) -> (u32, Memory) {
        let mut gathered = self.lock();
        let left = std::mem::take(&mut *gathered);
        // It may have failed for a table that is another one by now, which no commit would notice:
        // none is known any more.
        gathered.lacked = left.memory.lacked();
        (left.done, left.memory)
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // Each call under the lock leaves what was gathered whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expected(read: Option<&(Bytes, Version)>) -> Expect {
    read.map_or(Expect::Absent, |(_, version)| Expect::Version(*version))
}

impl Gathered {
    /// The table of a row that was read or written: it was found before that.
    fn table(&self, name: &str) -> Result<&TableRef, ApplicationError> {
        let table = self.tables.get(name);
        table.ok_or_else(|| damaged("the table of a batch's row").into())
    }

    /// What the batch sees of a row without a look at its table: `None` if it has not read it.
    fn known(&self, name: &RowName) -> Option<Option<Bytes>> {
        if let Some(written) = self.writes.get(name) {
            return Some(written.clone());
        }
        let read = self.reads.get(name)?;
        Some(read.as_ref().map(|(value, _)| value.clone()))
    }

    fn may_read(&mut self, key: &Bytes) -> Result<(), EffectError> {
        let bytes = key.len();
        if self.reads.len() >= ROWS_PER_BATCH_MAX {
            let what = format!("a batch reads at most {ROWS_PER_BATCH_MAX} rows");
            return Err(EffectError::Refused(what));
        }
        if self.sizes.read_keys + bytes > READ_KEY_BYTES_MAX {
            let what = format!("a batch reads keys of at most {READ_KEY_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        self.sizes.read_keys += bytes;
        self.grow(bytes + ROW_OVERHEAD_BYTES)
    }

    fn has_read(
        &mut self,
        name: RowName,
        row: Option<(Bytes, Version)>,
    ) -> Result<(), EffectError> {
        let bytes = row.as_ref().map_or(0, |(value, _)| value.len());
        if self.sizes.read + bytes > READ_BYTES_MAX {
            let what = format!("a batch reads values of at most {READ_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        self.sizes.read += bytes;
        self.grow(bytes)?;
        self.reads.insert(name, row);
        Ok(())
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        let bytes_of =
            |key: &Bytes, value: Option<&Bytes>| stored_bytes(key.len(), value.map(Bytes::len));
        for (key, value) in entries {
            let name = (table.to_owned(), key);
            let new = bytes_of(&name.1, value.as_ref());
            let old = self.writes.get(&name);
            let old_bytes = old.map_or(0, |old| bytes_of(&name.1, old.as_ref()));
            let bytes = self.sizes.written - old_bytes + new;
            if old.is_none() && self.writes.len() >= ROWS_PER_BATCH_MAX {
                let what = format!("a batch writes at most {ROWS_PER_BATCH_MAX} rows");
                return Err(EffectError::Refused(what));
            }
            if bytes > WRITE_BYTES_MAX {
                let what = format!(
                    "a batch writes at most {WRITE_BYTES_MAX} bytes, where each key counts twice"
                );
                return Err(EffectError::Refused(what));
            }
            // Twice: as it was asked for, and as it is written.
            self.grow(2 * new + ROW_OVERHEAD_BYTES)?;
            self.sizes.written = bytes;
            self.writes.insert(name, value);
        }
        Ok(())
    }

    fn emit(&mut self, stream: StreamName, keys: Slab, data: Slab) -> Result<(), EffectError> {
        let records = self.sizes.emitted_records + data.len();
        let bytes = self.sizes.emitted + keys.bytes() + data.bytes();
        if records > EMITTED_PER_BATCH_MAX {
            let what = format!("a batch emits at most {EMITTED_PER_BATCH_MAX} records");
            return Err(EffectError::Refused(what));
        }
        if bytes > EMITTED_BYTES_MAX {
            let what = format!("a batch emits at most {EMITTED_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        let new = bytes - self.sizes.emitted;
        // Twice: as it was asked for, and as frames.
        self.grow(2 * new + data.len() * ROW_OVERHEAD_BYTES)?;
        (self.sizes.emitted_records, self.sizes.emitted) = (records, bytes);
        self.emitted.push((stream, keys, data));
        Ok(())
    }

    /// Adds what the batch wrote between two keys, to before a last one that is not known.
    fn add_written(
        &self,
        table: &str,
        (prefix, from, to): (&[u8], &Bytes, Option<&Bytes>),
        merged: &mut BTreeMap<Bytes, Bytes>,
    ) {
        let begin = Bound::Included((table.to_owned(), from.clone()));
        for ((of, key), value) in self.writes.range((begin, Bound::Unbounded)) {
            let is_beyond = to.is_some_and(|to| key > to);
            if of != table || !key.starts_with(prefix) || is_beyond {
                return;
            }
            if let Some(value) = value {
                merged.insert(key.clone(), value.clone());
            }
        }
    }

    /// There are so many bytes more in memory for as long as one look at a table takes.
    fn passes(&mut self, bytes: usize) -> Result<(), EffectError> {
        let more = bytes.saturating_sub(self.sizes.passing);
        self.grow(more)?;
        self.sizes.passing += more;
        Ok(())
    }

    /// Takes more memory for the batch, and waits for it for a moment.
    fn grow(&mut self, bytes: usize) -> Result<(), EffectError> {
        if self.memory.uses(u64::try_from(bytes).unwrap_or(u64::MAX)) {
            return Ok(());
        }
        let why = "there is no memory for what the batch asks for; it waits for more";
        Err(EffectError::Unavailable(why.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use store::{Append, BodyBuilder, Engine, LogChange, LogId, NewFrame, TableId, TableWrite};
    use tables::application::KEY_BYTES_MAX;
    use types::{AccountId, Caller, ManualClock, Region, Timestamp};

    use super::*;

    const LOG: LogId = LogId(7);

    fn engine() -> Arc<dyn Engine> {
        let options = Options {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..Options::default()
        };
        Embedded::open(Arc::new(SimulatedDisk::new(1)), options).unwrap()
    }

    fn long_key(number: usize) -> Bytes {
        Bytes::from(format!("{number:0width$}", width = KEY_BYTES_MAX))
    }

    /// Calls until the desk refuses, and says how often it did not.
    fn until_refused(mut call: impl FnMut(usize) -> Result<(), EffectError>) -> usize {
        let mut done = 0;
        loop {
            match call(done) {
                Ok(()) => done += 1,
                Err(EffectError::Refused(_)) => return done,
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// The longest keys with the shortest values are what takes most beside what is counted.
    #[tokio::test]
    async fn the_most_that_a_batch_may_want_is_taken_by_one_commit() {
        let engine = engine();
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
        let tables = Tables::open(Arc::clone(&engine), clock).await.unwrap();
        let owner = Caller {
            account: AccountId::parse("000000000000").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
        };
        let table = tables.ensure_application_table(&owner, "words").await;
        let desk = Desk::default();
        desk.begin(Memory::default());
        desk.uses_table("words", table.unwrap());
        let written = until_refused(|number| {
            desk.write("words", vec![(long_key(number), Some(Bytes::new()))])
        });
        let read = until_refused(|number| {
            let key = long_key(100_000 + number);
            desk.may_read(&key)?;
            desk.has_read(("words".to_owned(), key), None)
        });
        // Each of them is in the commit twice, so that half of what was counted once may be.
        assert!(
            written * 2 * KEY_BYTES_MAX <= WRITE_BYTES_MAX,
            "{written} rows"
        );
        assert!(read * KEY_BYTES_MAX <= READ_KEY_BYTES_MAX, "{read} rows");
        let mut effects = Transaction::default();
        let wishes = desk.take(&tables, &mut effects).unwrap();
        assert_eq!(wishes.rows, written as u64);
        effects.changes.push(LogChange::Create(LOG));
        engine
            .commit(Transaction {
                changes: effects.changes.drain(..).collect(),
                ..Transaction::default()
            })
            .await
            .unwrap();
        // As many records for streams as there may be, and the largest state.
        let mut body = BodyBuilder::default();
        let data = vec![b'r'; EMITTED_BYTES_MAX / EMITTED_PER_BATCH_MAX];
        for _ in 0..EMITTED_PER_BATCH_MAX {
            body.push("k", &data[1..]).unwrap();
        }
        let (body, count) = body.finish();
        let frame = NewFrame {
            count,
            arrival: Timestamp(0),
            body,
            key: None,
        };
        effects.appends.push(Append { log: LOG, frame });
        effects.writes.push(TableWrite {
            table: TableId(44),
            key: Bytes::from_static(b"state"),
            value: Some(Bytes::from(vec![b's'; wasm::STATE_BYTES_MAX])),
            expect: Expect::Any,
        });
        engine.commit(effects).await.unwrap();
    }

    #[test]
    fn what_calls_carry_and_look_at_counts_once_for_the_largest() {
        let desk = Desk::default();
        desk.begin(Memory::default());
        desk.carries(1_000).unwrap();
        desk.carries(3_000).unwrap();
        desk.carries(2_000).unwrap();
        desk.may_scan().unwrap();
        desk.may_scan().unwrap();
        let (_, memory) = desk.leave();
        assert_eq!(memory.used(), 3_000 + SCANNING_BYTES as u64);
    }
}
