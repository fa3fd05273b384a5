//! The tables of the store that this crate keeps its own in, and the keys of their rows. Numbers
//! 32 to 39 are its own; a number is never used for anything else.

use bytes::Bytes;
use store::TableId;
use types::{AccountId, Caller, Region};

use crate::schema::TableName;
use crate::table::TableAddress;

/// Single values of this crate, by name.
pub const SETTINGS: TableId = TableId(32);
/// One row for each table, by address: see [`definition_key`].
pub const DEFINITIONS: TableId = TableId(33);
/// The items of all tables: `table id u64 BE | key`, see [`crate::key_order`].
pub const ITEMS: TableId = TableId(34);
/// The items of all indexes: `index id u64 BE | key of the index | key of the item`.
pub const INDEX_ITEMS: TableId = TableId(35);
/// Tables and indexes that are gone and whose items are being removed, one row for each: see
/// [`purge_key`].
pub const PURGES: TableId = TableId(36);

/// The row of [`SETTINGS`] with the next number for a table or an index.
pub const NUMBERS: &[u8] = b"numbers";

/// `account u64 BE | region | 0 | name`: tables lie together by caller, in order of their names.
pub fn definition_key(address: &TableAddress) -> Bytes {
    let mut key = address.owner.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(address.owner.region.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(address.name.as_str().as_bytes());
    Bytes::from(key)
}

/// The address that [`definition_key`] was made of.
pub fn parse_definition_key(key: &[u8]) -> Option<TableAddress> {
    let (account, rest) = key.split_first_chunk::<8>()?;
    let account = format!("{:012}", u64::from_be_bytes(*account));
    let end = rest.iter().position(|&byte| byte == 0)?;
    let (region, name) = (rest.get(..end)?, rest.get(end + 1..)?);
    Some(TableAddress {
        owner: Caller {
            account: AccountId::parse(&account).ok()?,
            region: Region::parse(std::str::from_utf8(region).ok()?).ok()?,
        },
        name: TableName::parse(std::str::from_utf8(name).ok()?).ok()?,
    })
}

/// What is being removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The items of a table.
    Items(u64),
    /// The items of an index.
    IndexItems(u64),
}

/// `0 or 1 | id u64 BE`.
pub fn purge_key(purge: Purge) -> Bytes {
    let (kind, id) = match purge {
        Purge::Items(id) => (0, id),
        Purge::IndexItems(id) => (1, id),
    };
    Bytes::from([&[kind][..], &id.to_be_bytes()[..]].concat())
}

/// What [`purge_key`] was made of.
pub fn parse_purge_key(key: &[u8]) -> Option<Purge> {
    let (kind, id) = key.split_first()?;
    let id = u64::from_be_bytes(id.try_into().ok()?);
    match kind {
        0 => Some(Purge::Items(id)),
        1 => Some(Purge::IndexItems(id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_from_its_key() {
        let address = TableAddress {
            owner: Caller {
                account: AccountId::parse("000000000042").unwrap(),
                region: Region::parse("eu-west-1").unwrap(),
            },
            name: TableName::parse("leases").unwrap(),
        };
        let key = definition_key(&address);
        assert_eq!(parse_definition_key(&key), Some(address));
        assert_eq!(parse_definition_key(&key[..8]), None);
    }

    #[test]
    fn what_is_purged_reads_back_from_its_key() {
        for purge in [Purge::Items(7), Purge::IndexItems(u64::MAX)] {
            let key = purge_key(purge);
            assert_eq!(parse_purge_key(&key), Some(purge));
            assert_eq!(parse_purge_key(&key[..8]), None);
        }
    }
}
