//! The tables of this crate and the keys of their rows. Numbers 48 to 63 are its own; a number is
//! never used for anything else.

use bytes::Bytes;
use store::TableId;
use types::{AccountId, Caller, Region};

use crate::application::ApplicationId;
use crate::arn::{ApplicationArn, ApplicationName};

/// Single values, by name.
pub const SETTINGS: TableId = TableId(48);
/// One row for each application, by address: see [`application_key`].
pub const APPLICATIONS: TableId = TableId(49);
/// The configuration of each version that is kept: see [`numbered_key`].
pub const VERSIONS: TableId = TableId(50);
/// The operations on each application that are remembered: see [`numbered_key`].
pub const OPERATIONS: TableId = TableId(51);
/// How far each application came: see [`work_key`].
pub const PLACES: TableId = TableId(52);
/// The state of the operators of applications: see `running/state.rs`.
pub const STATES: TableId = TableId(53);
/// What applications have decided and not done yet: see [`journal_key`].
pub const JOURNALS: TableId = TableId(54);

/// The row of [`SETTINGS`] with the next number of an application.
pub const NUMBERS: &[u8] = b"numbers";

/// `account u64 BE | region | 0 | name`: applications lie together by caller, in order of their
/// names.
pub fn application_key(arn: &ApplicationArn) -> Bytes {
    let mut key = arn.owner.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(arn.owner.region.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(arn.name.as_str().as_bytes());
    Bytes::from(key)
}

/// The address that [`application_key`] was made of.
pub fn parse_application_key(key: &[u8]) -> Option<ApplicationArn> {
    let (account, rest) = key.split_first_chunk::<8>()?;
    let account = format!("{:012}", u64::from_be_bytes(*account));
    let end = rest.iter().position(|&byte| byte == 0)?;
    let (region, name) = (rest.get(..end)?, rest.get(end + 1..)?);
    let owner = Caller {
        account: AccountId::parse(&account).ok()?,
        region: Region::parse(std::str::from_utf8(region).ok()?).ok()?,
    };
    let name = ApplicationName::parse(std::str::from_utf8(name).ok()?).ok()?;
    Some(ApplicationArn { owner, name })
}

/// `application u64 BE | number u64 BE`.
pub fn numbered_key(id: ApplicationId, number: u64) -> Bytes {
    Bytes::from([id.0.to_be_bytes(), number.to_be_bytes()].concat())
}

/// The number of [`numbered_key`].
pub fn parse_numbered_key(key: &[u8]) -> Option<u64> {
    let (_, number) = key.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// `application u64 BE`.
pub fn work_key(id: ApplicationId) -> Bytes {
    Bytes::copy_from_slice(&id.0.to_be_bytes())
}

/// `application u64 BE | number u32 BE`.
pub fn journal_key(id: ApplicationId, number: u32) -> Bytes {
    Bytes::from([&id.0.to_be_bytes()[..], &number.to_be_bytes()[..]].concat())
}

/// The rows of an application's state: those of one start, or all. From this key to before the
/// other.
pub fn state_range(id: ApplicationId, start: Option<u64>) -> (Bytes, Bytes) {
    let (first, last) = (start.unwrap_or(0), start.unwrap_or(u64::MAX));
    let key = |start: u64, rest: &[u8]| {
        Bytes::from([&id.0.to_be_bytes()[..], &start.to_be_bytes()[..], rest].concat())
    };
    // No kind of row has the number 255.
    (key(first, &[]), key(last, &[u8::MAX]))
}

/// The rows of an application: from this key to before the other.
pub fn rows_of(id: ApplicationId) -> (Bytes, Bytes) {
    let last = numbered_key(id, u64::MAX);
    (numbered_key(id, 0), store::key_after(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_application_reads_back_as_its_address() {
        let text = "arn:aws:kinesisanalytics:eu-west-1:000000000042:application/a.b";
        let arn = ApplicationArn::parse(text).unwrap();
        assert_eq!(parse_application_key(&application_key(&arn)), Some(arn));
        assert_eq!(parse_application_key(b"short"), None);
    }

    #[test]
    fn the_rows_of_an_application_lie_between_those_of_its_neighbours() {
        let (from, to) = rows_of(ApplicationId(7));
        assert!(numbered_key(ApplicationId(6), u64::MAX) < from);
        assert!(numbered_key(ApplicationId(7), u64::MAX) < to);
        assert!(to <= numbered_key(ApplicationId(8), 0));
        assert_eq!(
            parse_numbered_key(&numbered_key(ApplicationId(7), 9)),
            Some(9)
        );
    }
}
