//! The tables of this crate and the keys of their rows. Numbers 40 to 47 are its own; a number is
//! never used for anything else. So are the numbers of logs from [`LOGS_FIRST`] on.

use bytes::Bytes;
use store::{LogId, TableId};
use streams::StreamId;
use types::{AccountId, Caller, Region, ShardId};

use crate::application::{ApplicationId, ApplicationName};

/// Single values, by name.
pub const SETTINGS: TableId = TableId(40);
/// One row for each application, by address: see [`application_key`].
pub const APPLICATIONS: TableId = TableId(41);
/// Who works on a shard of an application: see [`ShardKey`].
pub const LEASES: TableId = TableId(42);
/// How far an application has come in a shard, besides the row of its pump: see [`ShardKey`].
pub const SHARDS: TableId = TableId(43);
/// What an application keeps in its memory from batch to batch, for each shard: see [`ShardKey`].
pub const STATES: TableId = TableId(44);
/// The workers that live, one row for each: see [`worker_key`].
pub const WORKERS: TableId = TableId(45);
/// Records that could not be worked on, one row for each: see
/// [`LetterKey`](crate::dead_letters::LetterKey).
pub const DEAD_LETTERS: TableId = TableId(46);
/// How many of them an application has, by its number.
pub const DEAD_LETTER_SUMS: TableId = TableId(47);

/// The row of [`SETTINGS`] with the next number of an application.
pub const NUMBERS: &[u8] = b"numbers";

/// The logs of dead letters have the numbers from here on, by the number of their application.
/// Those below belong to streams and to delivery streams.
pub const LOGS_FIRST: u64 = 1 << 49;

/// What the names of the pumps of applications begin with.
const PUMPS: &str = "application/";

/// The log that keeps an application's dead letters.
pub fn dead_letter_log(id: ApplicationId) -> LogId {
    LogId(LOGS_FIRST.saturating_add(id.0))
}

/// `account u64 BE | region | 0 | name`: applications lie together by caller, in order of their
/// names.
pub fn application_key(owner: &Caller, name: &ApplicationName) -> Bytes {
    let mut key = owner.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(owner.region.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(name.as_str().as_bytes());
    Bytes::from(key)
}

/// The address that [`application_key`] was made of.
pub fn parse_application_key(key: &[u8]) -> Option<(Caller, ApplicationName)> {
    let (account, rest) = key.split_first_chunk::<8>()?;
    let account = format!("{:012}", u64::from_be_bytes(*account));
    let end = rest.iter().position(|&byte| byte == 0)?;
    let (region, name) = (rest.get(..end)?, rest.get(end + 1..)?);
    let owner = Caller {
        account: AccountId::parse(&account).ok()?,
        region: Region::parse(std::str::from_utf8(region).ok()?).ok()?,
    };
    let name = ApplicationName::parse(std::str::from_utf8(name).ok()?).ok()?;
    Some((owner, name))
}

/// `application u64 BE`.
pub fn sum_key(id: ApplicationId) -> Bytes {
    Bytes::copy_from_slice(&id.0.to_be_bytes())
}

/// `worker u64 BE`.
pub fn worker_key(worker: u64) -> Bytes {
    Bytes::copy_from_slice(&worker.to_be_bytes())
}

/// The worker that [`worker_key`] was made of.
pub fn parse_worker_key(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// A shard as one application has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardKey {
    /// The application.
    pub application: ApplicationId,
    /// The stream: one that is made anew under its name is another.
    pub stream: StreamId,
    /// The shard.
    pub shard: ShardId,
}

impl ShardKey {
    /// Bytes of [`ShardKey::row`].
    pub const BYTES: usize = 20;

    /// The key of its rows: `application u64 BE | stream u64 BE | shard u32 BE`.
    pub fn row(&self) -> Bytes {
        let mut key = self.application.0.to_be_bytes().to_vec();
        key.extend_from_slice(&self.stream.0.to_be_bytes());
        key.extend_from_slice(&self.shard.0.to_be_bytes());
        Bytes::from(key)
    }

    /// The shard that [`ShardKey::row`] was made of.
    pub fn parse_row(key: &[u8]) -> Option<Self> {
        let (application, rest) = key.split_first_chunk::<8>()?;
        let (stream, shard) = rest.split_first_chunk::<8>()?;
        Some(Self {
            application: ApplicationId(u64::from_be_bytes(*application)),
            stream: StreamId(u64::from_be_bytes(*stream)),
            shard: ShardId(u32::from_be_bytes(shard.try_into().ok()?)),
        })
    }

    /// In the place of all shards that are gone: what became of their records together.
    pub fn gone(application: ApplicationId) -> Self {
        Self {
            application,
            stream: StreamId(u64::MAX),
            shard: ShardId(u32::MAX),
        }
    }

    /// The rows of all shards of an application: from this key to before the next.
    pub fn rows_of(id: ApplicationId) -> (Bytes, Bytes) {
        let key = |number: u64| Bytes::copy_from_slice(&number.to_be_bytes());
        (key(id.0), key(id.0.saturating_add(1)))
    }

    /// The name of its pump.
    pub fn pump_name(&self) -> String {
        let pumps = Self::pumps_of(self.application);
        format!("{pumps}{}/{}", self.stream.0, self.shard.0)
    }

    /// What the names of all pumps of an application begin with.
    pub fn pumps_of(id: ApplicationId) -> String {
        format!("{PUMPS}{}/", id.0)
    }

    /// The shard that [`ShardKey::pump_name`] was made of.
    pub fn parse_pump_name(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix(PUMPS)?.split('/');
        let key = Self {
            application: ApplicationId(numbers.next()?.parse().ok()?),
            stream: StreamId(numbers.next()?.parse().ok()?),
            shard: ShardId(numbers.next()?.parse().ok()?),
        };
        numbers.next().is_none().then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_keep_their_order() {
        let owner = Caller {
            account: AccountId::parse("000000000042").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
        };
        let name = |text| ApplicationName::parse(text).unwrap();
        let key = application_key(&owner, &name("counts"));
        assert_eq!(
            parse_application_key(&key),
            Some((owner.clone(), name("counts")))
        );
        assert!(key < application_key(&owner, &name("counts-2")));
        for length in 0..key.len() - "counts".len() + 1 {
            assert_eq!(parse_application_key(&key[..length]), None);
        }
        let shard = ShardKey {
            application: ApplicationId(7),
            stream: StreamId(1 << 40),
            shard: ShardId(3),
        };
        assert_eq!(ShardKey::parse_row(&shard.row()), Some(shard));
        assert_eq!(ShardKey::parse_row(&shard.row()[1..]), None);
        assert_eq!(shard.row().len(), ShardKey::BYTES);
        let pump = shard.pump_name();
        assert_eq!(ShardKey::parse_pump_name(&pump), Some(shard));
        for wrong in ["", "application/7/1", &format!("{pump}/1"), &pump[1..]] {
            assert_eq!(ShardKey::parse_pump_name(wrong), None, "{wrong}");
        }
        let (from, to) = ShardKey::rows_of(ApplicationId(7));
        assert!(from < shard.row() && shard.row() < to);
        assert_eq!(parse_worker_key(&worker_key(9)), Some(9));
    }
}
