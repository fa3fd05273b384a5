//! The limits of working with dead letters.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Calls that read objects of failed records at a time, three quarters of them of one account at
/// most. Each holds a stretch of an object, the record that it ends in, and what is made of both;
/// others wait for their turn, as many as there are requests.
pub const CALLS_AT_ONCE_MAX: usize = 4;

/// Bytes of an object that are read at once.
pub const CHUNK_BYTES: u64 = MIB;
/// The same of the first stretch, and of an object that is packed: a stretch of gzip may become a
/// thousand times as much.
pub const PACKED_CHUNK_BYTES: u64 = 16 * 1024;
/// Bytes of an object that is read. Those that are made here have 16 MiB and a record; a larger one
/// is shown by its name alone.
pub const OBJECT_BYTES_MAX: u64 = 128 * MIB;
/// Bytes of its text once it is unpacked. One with more is none of ours.
pub const TEXT_BYTES_MAX: u64 = 1024 * MIB;
/// Bytes of a line: a record of 10 MiB in base64, and what is said of it. An object with a longer
/// one is none of ours.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Objects of one listing, and how many there are where nobody says. More are refused.
pub const LISTED_MAX: usize = 100;
pub const LISTED_DEFAULT: usize = 20;
/// Times that the bucket is asked for one listing, each time for a hundred names. Where these are
/// not enough, the listing says where it goes on.
pub const ASKED_MAX: usize = 10;
/// Bytes of objects that are read for one listing; those beyond are shown without what they hold.
pub const LISTING_BYTES_MAX: u64 = 32 * MIB;
/// Codes of failed records that are counted apart in an object; further ones count together.
pub const CODES_MAX: usize = 16;
/// Characters of a code or a sentence that are shown; the rest is left out.
pub const WORDS_CHARS_MAX: usize = 1_000;
/// Records of an object that are shown, and how many where nobody says. More are refused.
pub const SHOWN_MAX: usize = 100;
pub const SHOWN_DEFAULT: usize = 10;
/// Bytes of a record's data that are shown; the rest is left out.
pub const SHOWN_DATA_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the data of all records that are shown together; no more records are shown then.
pub const SHOWN_BYTES_MAX: usize = 1024 * 1024;

/// Records that are put into the log of replays in one commit, and bytes of them. One that is
/// larger goes alone.
pub const COMMIT_RECORDS_MAX: usize = 1_000;
pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;
/// How long one call looks for objects whose notes can go. Those that were found by then go.
pub const ROOM_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a call may take: then a listing says where it goes on, and a replay how far it came.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes of records that wait in the log of replays of a delivery stream. A replay that would add
/// more says how far it came, and goes on when it is asked again.
pub const WAITING_BYTES_MAX: u64 = 256 * MIB;
/// Stretches of that log that are known apart; there is room for another once the first of them is
/// delivered.
pub const STRETCHES_MAX: usize = 64;
/// Objects of a delivery stream of which something is noted. Beyond it those are forgotten that are
/// not in the bucket any more; while there is none of them, no other is replayed or discarded.
pub const NOTES_MAX: u64 = 10_000;
/// Notes that are looked at to find such ones, the oldest first.
pub const NOTES_LOOKED_AT_MAX: usize = 100;
/// How long it may take until a key is there that what is replayed is sealed with.
pub const KEY_TIME_MAX: Duration = Duration::from_secs(10);
