//! The host's part in a native test: what a component would import.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::testing::{Emitted, Known};

/// The entries of one table.
pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What calls over HTTP are answered, or why they are not.
pub(crate) type Servers =
    Box<dyn Fn(&crate::http::Request) -> Result<crate::http::Response, String>>;

/// What a consumer asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) tables: BTreeMap<String, Entries>,
    pub(crate) emitted: Vec<Emitted>,
    /// As all was after the records that are done, and how many these are.
    pub(crate) done: Option<(u32, Box<Self>)>,
}

// Tests run side by side, each on a thread of its own.
thread_local! {
    /// What `config` answers.
    pub(crate) static CONFIG: RefCell<BTreeMap<String, String>> = const {
        RefCell::new(BTreeMap::new())
    };
    /// Who answers calls over HTTP, if somebody does.
    pub(crate) static SERVERS: RefCell<Option<Servers>> = const { RefCell::new(None) };
    /// What `secret` answers.
    pub(crate) static SECRETS: RefCell<BTreeMap<String, Vec<u8>>> = const {
        RefCell::new(BTreeMap::new())
    };
    /// What has been counted.
    pub(crate) static COUNTERS: RefCell<BTreeMap<String, u64>> = const {
        RefCell::new(BTreeMap::new())
    };
    /// What `now_ms` answers; none is the machine's clock.
    pub(crate) static NOW_MS: Cell<Option<u64>> = const { Cell::new(None) };
    /// What is known of the records of the batch at work.
    pub(crate) static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    /// What a consumer has written and emitted.
    pub(crate) static EFFECTS: RefCell<Effects> = RefCell::default();
}

pub(crate) mod context {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::{CONFIG, COUNTERS, NOW_MS};
    use crate::bindings::imports::context::Level;

    pub(crate) fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    pub(crate) fn counter(name: &str, by: u64) {
        COUNTERS.with_borrow_mut(|counters| {
            let count = counters.entry(name.to_owned()).or_default();
            *count = count.saturating_add(by);
        });
    }

    pub(crate) fn config(key: &str) -> Option<String> {
        CONFIG.with_borrow(|config| config.get(key).cloned())
    }

    pub(crate) fn now_ms() -> u64 {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 counts as 1970.
        let elapsed = || clock().unwrap_or_default().as_millis();
        let of_machine = || u64::try_from(elapsed()).unwrap_or(u64::MAX);
        NOW_MS.get().unwrap_or_else(of_machine)
    }
}

pub(crate) mod records {
    use super::KNOWN;
    use crate::bindings::imports::records::{Origin, SequenceNumber};
    use crate::bindings::imports::types::Slab;
    use crate::slab;

    pub(crate) fn source() -> Origin {
        KNOWN.with_borrow(|known| {
            let source = known.first().map(|known| known.source.clone());
            let source = source.unwrap_or_default();
            Origin {
                arn: source.arn,
                shard: source.shard,
            }
        })
    }

    pub(crate) fn partition_keys() -> Slab {
        KNOWN.with_borrow(|known| slab::of(known.iter().map(|known| &known.partition_key)))
    }

    pub(crate) fn arrivals_ms() -> Vec<u64> {
        KNOWN.with_borrow(|known| known.iter().map(|known| known.arrival_ms).collect())
    }

    pub(crate) fn sequence_numbers() -> Vec<SequenceNumber> {
        KNOWN.with_borrow(|known| {
            let numbers = known.iter().map(|known| known.sequence_number.words());
            numbers
                .map(|[high, middle, low]| SequenceNumber { high, middle, low })
                .collect()
        })
    }

    pub(crate) fn sub_sequence_numbers() -> Vec<u64> {
        KNOWN.with_borrow(|known| {
            let places = known.iter().map(|known| known.sub_sequence_number);
            places.collect()
        })
    }
}

pub(crate) mod http {
    use super::SERVERS;
    pub(crate) use crate::bindings::imports::http::{Error, Request, Response};
    use crate::http;

    pub(crate) fn fetch(request: &Request) -> Result<Response, Error> {
        let mut asked = http::Request::new(&request.method, &request.url);
        for (name, value) in &request.headers {
            asked = asked.header(name, value.clone());
        }
        let asked = asked.with_body(request.body.clone());
        let answer = SERVERS.with_borrow(|servers| servers.as_ref().map(|answer| answer(&asked)));
        match answer {
            Some(Ok(answer)) => Ok(Response {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            }),
            Some(Err(why)) => Err(Error::Failed(why)),
            None => Err(Error::Refused(
                "no calls are made in a native test".to_owned(),
            )),
        }
    }
}

pub(crate) mod secrets {
    use super::SECRETS;

    pub(crate) fn get(name: &str) -> Result<Vec<u8>, String> {
        let value = SECRETS.with_borrow(|secrets| secrets.get(name).cloned());
        value.ok_or_else(|| format!("the secret {name} is not granted"))
    }
}

pub(crate) mod table {
    use super::{EFFECTS, Entries};
    use crate::bindings::imports::table::Entry;
    use crate::bindings::imports::types::Slab;
    use crate::slab;

    fn with<T>(table: &str, work: impl FnOnce(&mut Entries) -> T) -> T {
        EFFECTS.with_borrow_mut(|effects| work(effects.tables.entry(table.to_owned()).or_default()))
    }

    pub(crate) fn get(table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(with(table, |entries| entries.get(key).cloned()))
    }

    pub(crate) fn get_many(table: &str, keys: &Slab) -> Result<Vec<Option<Vec<u8>>>, String> {
        Ok(with(table, |entries| {
            slab::strings(keys)
                .map(|key| entries.get(key).cloned())
                .collect()
        }))
    }

    pub(crate) fn put(table: &str, key: &[u8], value: &[u8]) -> Result<(), String> {
        if key.is_empty() || key.len() > 900 {
            return Err(format!("a key has {} bytes, not 1 to 900", key.len()));
        }
        with(table, |entries| {
            entries.insert(key.to_vec(), value.to_vec())
        });
        Ok(())
    }

    pub(crate) fn put_many(table: &str, keys: &Slab, values: &Slab) -> Result<(), String> {
        let mut entries = slab::strings(keys).zip(slab::strings(values));
        entries.try_for_each(|(key, value)| put(table, key, value))
    }

    pub(crate) fn delete(table: &str, key: &[u8]) -> Result<(), String> {
        with(table, |entries| entries.remove(key));
        Ok(())
    }

    pub(crate) fn scan(
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<Entry>, String> {
        Ok(with(table, |entries| {
            let from = entries.range(first.to_vec()..);
            let all = from.filter(|(key, _)| key.starts_with(prefix));
            let all = all.take(limit.min(1_000) as usize);
            all.map(|(key, value)| Entry {
                key: key.clone(),
                value: value.clone(),
            })
            .collect()
        }))
    }
}

pub(crate) mod emit {
    use super::EFFECTS;
    use crate::bindings::imports::types::Slab;
    use crate::slab;
    use crate::testing::Emitted;

    pub(crate) fn put_records(stream: &str, keys: &Slab, data: &Slab) -> Result<(), String> {
        let records = slab::strings(keys).zip(slab::strings(data));
        EFFECTS.with_borrow_mut(|effects| {
            effects.emitted.extend(records.map(|(key, data)| Emitted {
                stream: stream.to_owned(),
                partition_key: String::from_utf8_lossy(key).into_owned(),
                data: data.to_vec(),
            }));
        });
        Ok(())
    }
}

pub(crate) mod checkpoint {
    use super::EFFECTS;

    pub(crate) fn done(records: u32) -> Result<(), String> {
        EFFECTS.with_borrow_mut(|effects| {
            let last = effects.done.as_ref().map_or(0, |(last, _)| *last);
            if records <= last {
                return Err(format!("{records} records are done, after {last}"));
            }
            effects.done = None;
            effects.done = Some((records, Box::new(effects.clone())));
            Ok(())
        })
    }
}
