//! A consumer at work on one shard, as whoever runs consumers calls it, and what it asks for on the
//! way: tables, streams and a checkpoint in memory, which also say no.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tempfile::TempDir;
use types::{ManualClock, SequenceNumber, ShardId, Timestamp};
use wasm::{
    Assignment, Columns, Consumer, EffectError, Effects, Fault, GrantBook, GrantSettings, Limits,
    Moment, Options, PluginName, Plugins, Slab, Version,
};

/// When all batches are worked on.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// A table that is not granted, and one that cannot be read.
pub const SECRET: &str = "secret";
pub const GONE: &str = "gone";

/// What a consumer asked for.
#[derive(Debug, Default)]
pub struct Asked {
    pub tables: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Streams, partition keys and data.
    pub emitted: Vec<(String, String, Vec<u8>)>,
    pub done: Vec<u32>,
    /// Calls of [`Effects`].
    pub calls: usize,
}

/// Does what a guest asks for, in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub Arc<Mutex<Asked>>);

impl Memory {
    fn ask<T>(&self, name: &str, ask: impl FnOnce(&mut Asked) -> T) -> Result<T, EffectError> {
        let mut asked = self.0.lock().unwrap();
        asked.calls += 1;
        match name {
            SECRET => Err(EffectError::Refused(format!("{name} is not granted"))),
            GONE => Err(EffectError::Unavailable("the store is closed".to_owned())),
            _ => Ok(ask(&mut asked)),
        }
    }

    /// The entry of a key of a table, as text.
    pub fn entry(&self, table: &str, key: &str) -> Option<String> {
        let asked = self.0.lock().unwrap();
        let value = asked.tables.get(table)?.get(key.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

impl Effects for Memory {
    fn get(&mut self, table: &str, keys: &Slab) -> Result<Vec<Option<Bytes>>, EffectError> {
        self.ask(table, |asked| {
            let table = asked.tables.entry(table.to_owned()).or_default();
            let values = keys.iter().map(|key| table.get(key).cloned());
            values.map(|value| value.map(Bytes::from)).collect()
        })
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        self.ask(table, |asked| {
            let table = asked.tables.entry(table.to_owned()).or_default();
            for (key, value) in entries {
                match value {
                    Some(value) => table.insert(key.to_vec(), value.to_vec()),
                    None => table.remove(&key[..]),
                };
            }
        })
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, EffectError> {
        self.ask(table, |asked| {
            let table = asked.tables.entry(table.to_owned()).or_default();
            let from = table.range(first.to_vec()..);
            let all = from.filter(|(key, _)| key.starts_with(prefix));
            let own = |bytes: &Vec<u8>| Bytes::copy_from_slice(bytes);
            let limit = usize::try_from(limit).unwrap();
            all.take(limit)
                .map(|(key, value)| (own(key), own(value)))
                .collect()
        })
    }

    fn emit(&mut self, stream: &str, keys: Slab, data: Slab) -> Result<(), EffectError> {
        self.ask(stream, |asked| {
            for (key, data) in keys.iter().zip(data.iter()) {
                let key = String::from_utf8(key.to_vec()).unwrap();
                asked.emitted.push((stream.to_owned(), key, data.to_vec()));
            }
        })
    }

    fn done(&mut self, records: u32) -> Result<(), EffectError> {
        self.ask("", |asked| asked.done.push(records))
    }
}

/// A version of a consumer, and what its instances ask for.
pub struct Shard {
    pub version: Arc<Version>,
    pub memory: Memory,
    _plugins: Plugins,
    _directory: TempDir,
}

impl Shard {
    /// Of this component.
    pub fn of(component: &[u8]) -> Self {
        Self::within(component, Limits::default()).unwrap()
    }

    /// Of this component, whose instances may use this.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn within(component: &[u8], limits: Limits) -> Result<Self, String> {
        let manifest = "name = 'own'\nversion = '1'\n";
        Self::open(component, manifest, limits, BTreeMap::new())
    }

    /// Of this component and manifest, which are granted this.
    pub fn granted(
        component: &[u8],
        manifest: &str,
        grants: BTreeMap<PluginName, GrantSettings>,
    ) -> Self {
        Self::open(component, manifest, Limits::default(), grants).unwrap()
    }

    fn open(
        component: &[u8],
        manifest: &str,
        limits: Limits,
        grants: BTreeMap<PluginName, GrantSettings>,
    ) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("plugins");
        fs::create_dir_all(folder.join("own")).unwrap();
        fs::write(folder.join("own/own.wasm"), component).unwrap();
        fs::write(folder.join("own/plugin.toml"), manifest).unwrap();
        let options = Options {
            directory: Some(folder),
            keep: directory.path().join("keep"),
            limits,
            cache_key: [7; 32],
            compiler: None,
            rollout: wasm::RolloutRules::default(),
            signatures: wasm::SignatureRules::default(),
            grants: Arc::new(GrantBook::open(grants)),
        };
        let plugins = Plugins::open(options, Arc::new(ManualClock::new(NOW))).unwrap();
        let name = PluginName::parse("own").unwrap();
        match plugins.current(&name) {
            Some(version) => Ok(Self {
                version,
                memory: Memory::default(),
                _plugins: plugins,
                _directory: directory,
            }),
            None => Err(plugins.absence(&name).unwrap().to_string()),
        }
    }

    /// An instance for the shard.
    ///
    /// # Errors
    /// Why it did not begin.
    pub fn start(&self) -> Result<Consumer, Fault> {
        let moment = Moment { now: NOW, seed: 1 };
        let limits = self.version.call_limits();
        let effects = Box::new(self.memory.clone());
        Consumer::start(&self.version, moment, limits, &assignment(), effects)
    }

    /// What becomes of a batch on an instance of its own.
    ///
    /// # Errors
    /// Why it was not worked on.
    pub fn process(&self, records: &[&str]) -> Result<(), Fault> {
        process(&mut self.start()?, records)
    }
}

/// What all instances are for.
pub fn assignment() -> Assignment {
    Assignment {
        application: "counting".to_owned(),
        stream: "arn:aws:kinesis:us-east-1:111111111111:stream/words".to_owned(),
        shard: "shardId-000000000000".to_owned(),
    }
}

/// What becomes of a batch. Each record has its own text as its partition key, and arrived a second
/// after the one before it.
///
/// # Errors
/// Why it was not worked on.
pub fn process(consumer: &mut Consumer, records: &[&str]) -> Result<(), Fault> {
    let (mut data, mut columns) = (Slab::default(), Columns::default());
    for (place, record) in (0_u64..).zip(records) {
        assert!(data.push(record.as_bytes()) && columns.partition_keys.push(record.as_bytes()));
        let arrival = Timestamp(NOW.0 + 1_000 * place);
        let created = types::Second::of(NOW);
        let number = SequenceNumber::of_record(ShardId(0), created, place, arrival);
        columns.arrivals_ms.push(arrival.0);
        columns.sequence_numbers.push(number);
        columns.sub_sequence_numbers.push(place % 2);
    }
    let assignment = assignment();
    (columns.arn, columns.shard) = (assignment.stream, Some(assignment.shard));
    let time = consumer.version().call_limits().batch_time_max;
    consumer.process(&data, &Arc::new(columns), 17, time)
}
