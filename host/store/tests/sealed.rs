//! Frames that are sealed: what of them lies on the disk, what becomes of them without their keys,
//! and what becomes of one that was changed, moved, or written by a build that knows more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::collections::HashSet;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use oracle::session::{give_keys, open};
use store::disk::Disk;
use store::disk::simulated::SimulatedDisk;
use store::embedded::format::{
    BLOCK_HEADER_BYTES, BlockHeader, FRAME_HEADER_BYTES, FRAME_START, FrameHeader, Packing,
};
use store::embedded::{Embedded, Options};
use store::{
    Append, BodyBuilder, CommitError, Engine, KeyId, KeyRefusal, LogId, NewFrame, Position,
    Records, StoreError, Transaction,
};
use types::Timestamp;

const LOG: LogId = LogId(1);
const OTHER: LogId = LogId(2);
const KEY: KeyId = KeyId(1);
const DATA: &str = "what only its readers may know";
const PARTITION_KEY: &str = "whose it is";
/// Bytes of a seal, as FORMAT.md has it, and where its salt and count lie in it.
const SEAL_BYTES: usize = 64;
const SALT_AND_COUNT: std::ops::Range<usize> = 24..48;

fn options() -> Options {
    Options {
        wal_file_bytes: 1 << 20,
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        // So that reads come from the disk.
        tail_cache_bytes: 0,
        ..Options::default()
    }
}

fn append(log: LogId, number: usize, key: Option<KeyId>) -> Transaction {
    let mut body = BodyBuilder::default();
    body.push(PARTITION_KEY, format!("{DATA}, {number}").as_bytes())
        .unwrap();
    let (body, count) = body.finish();
    let frame = NewFrame {
        count,
        arrival: Timestamp(1_000),
        body,
        key,
    };
    Transaction {
        appends: vec![Append { log, frame }],
        ..Transaction::default()
    }
}

/// Frames of two logs, one transaction each.
async fn written(frames: usize, key: Option<KeyId>) -> (SimulatedDisk, Arc<Embedded>) {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options()).await.unwrap();
    store.create_logs(&[LOG, OTHER]).await.unwrap();
    for number in 0..frames {
        for log in [LOG, OTHER] {
            store.commit(append(log, number, key)).await.unwrap();
        }
    }
    (disk, store)
}

async fn reopened(disk: &SimulatedDisk) -> Arc<Embedded> {
    let disk = Arc::new(disk.clone());
    let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, options()));
    opening.await.unwrap().unwrap()
}

fn contents(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// The files that hold a text.
fn files_with(disk: &SimulatedDisk, text: &str) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let holds = |path: &PathBuf| {
        let bytes = contents(disk, path);
        bytes.windows(text.len()).any(|at| at == text.as_bytes())
    };
    files.filter(holds).collect()
}

async fn numbers(store: &dyn Engine, log: LogId) -> Result<Vec<String>, StoreError> {
    let (mut found, mut next) = (Vec::new(), Position::FIRST);
    loop {
        let batch = store.read(log, next, 1 << 20).await?;
        if batch.frames.is_empty() {
            return Ok(found);
        }
        for frame in &batch.frames {
            let records = Records::new(&frame.body);
            found.extend(records.map(|one| String::from_utf8(one.data.to_vec()).unwrap()));
        }
        next = batch.next;
    }
}

fn expected(frames: usize) -> Vec<String> {
    (0..frames).map(|n| format!("{DATA}, {n}")).collect()
}

/// Where frames begin in a file.
fn frames_in(bytes: &[u8]) -> Vec<(usize, FrameHeader)> {
    let starts = bytes.windows(4).enumerate();
    let starts = starts.filter(|(_, window)| *window == FRAME_START);
    starts
        .filter_map(|(at, _)| Some((at, FrameHeader::decode(&bytes[at..])?.0)))
        .collect()
}

fn segment(disk: &SimulatedDisk, log: LogId) -> PathBuf {
    let within = PathBuf::from(format!("logs/{:016x}", log.0));
    let mut files = disk.files().into_iter().map(|(path, _)| path);
    files.find(|path| path.starts_with(&within)).unwrap()
}

#[tokio::test]
async fn of_a_sealed_frame_no_file_holds_data_or_partition_key() {
    for (key, is_found) in [(Some(KEY), false), (None, true)] {
        let (disk, store) = written(5, key).await;
        for is_flushed in [false, true] {
            if is_flushed {
                store.flush().await.unwrap();
            }
            for text in [DATA, PARTITION_KEY] {
                let found = files_with(&disk, text);
                assert_eq!(!found.is_empty(), is_found, "{key:?}: {found:?}");
            }
        }
        store.close().await.unwrap();
        let store = open(&disk, options()).await.unwrap();
        assert_eq!(numbers(&*store, LOG).await.unwrap(), expected(5));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn without_its_key_a_frame_is_kept_moved_and_trimmed_and_read_by_nobody() {
    let (disk, store) = written(6, Some(KEY)).await;
    store.commit(append(OTHER, 6, None)).await.unwrap();
    let killed = disk.after_kill();
    store.close().await.unwrap();
    let store = reopened(&killed).await;
    store.health().unwrap();
    assert_eq!(store.tip(LOG).unwrap(), Position(6));
    store.trim(LOG, Position(2)).await.unwrap();
    for is_flushed in [false, true] {
        if is_flushed {
            store.flush().await.unwrap();
        }
        let sought = store.seek_time(LOG, Timestamp(0)).await.unwrap();
        assert_eq!(sought, Position(2));
        let refused = store.read(LOG, Position(3), 1).await;
        let why = KeyRefusal::Absent;
        assert!(
            matches!(refused, Err(StoreError::Key { key: KEY, why: told }) if told == why),
            "{refused:?}"
        );
        // Whoever wants to go on without it is told where: it is all of it.
        let behind = store.readable_from(LOG, Position(3)).await.unwrap();
        assert_eq!(behind, Position(6));
        let refused = store.commit(append(LOG, 6, Some(KEY))).await;
        assert!(
            matches!(refused, Err(CommitError::Key { key: KEY, .. })),
            "{refused:?}"
        );
        let plain = store.read(OTHER, Position(6), 1).await.unwrap();
        assert_eq!(plain.frames.len(), 1);
    }
    assert!(store.unreadable().is_empty() && store.health().is_ok());
    give_keys(&*store);
    assert_eq!(numbers(&*store, LOG).await.unwrap(), expected(6)[2..]);
    store.keys().refuse(KEY, KeyRefusal::Disabled);
    let refused = numbers(&*store, LOG).await;
    assert!(matches!(
        refused,
        Err(StoreError::Key {
            why: KeyRefusal::Disabled,
            ..
        })
    ));
    store.close().await.unwrap();
}

/// What is in memory lies there as it came, and must not be given to anybody without a key.
#[tokio::test]
async fn what_is_in_memory_is_not_read_without_its_key_and_what_lies_before_it_is() {
    let disk = SimulatedDisk::new(1);
    let cached = Options {
        tail_cache_bytes: 1 << 20,
        ..options()
    };
    let store = open(&disk, cached).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    for (number, key) in [None, Some(KEY), None].into_iter().enumerate() {
        store.commit(append(LOG, number, key)).await.unwrap();
    }
    assert_eq!(numbers(&*store, LOG).await.unwrap(), expected(3));
    store.keys().refuse(KEY, KeyRefusal::Disabled);
    let batch = store.read_from_memory(LOG, Position::FIRST, 1 << 20);
    assert_eq!(batch.unwrap().unwrap().next, Position(1));
    for at in [1, 2] {
        let read = store.read_from_memory(LOG, Position(at), 1 << 20);
        assert_eq!(read.is_err(), at == 1);
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn no_byte_of_a_sealed_frame_can_change() {
    let (disk, store) = written(3, Some(KEY)).await;
    store.flush().await.unwrap();
    store.close().await.unwrap();
    let path = segment(&disk, LOG);
    let bytes = contents(&disk, &path);
    let (at, header) = frames_in(&bytes)[1];
    for offset in at..at + header.frame_bytes() {
        let flipped = disk.after_kill();
        assert!(flipped.flip(&path, offset as u64, 1 << (offset % 8)));
        let store = open(&flipped, options()).await.unwrap();
        let read = store.read(LOG, Position(1), 1).await;
        assert!(
            matches!(read, Err(StoreError::Corrupt { .. })),
            "byte {offset}: {read:?}"
        );
        // Neither can one that was made to have its checksums.
        let stored = at + FRAME_HEADER_BYTES..at + header.frame_bytes();
        let mut forged = bytes[stored.clone()].to_vec();
        if let Some(byte) = offset.checked_sub(stored.start) {
            forged[byte] ^= 1;
            forge(&flipped, &path, at, header, &forged);
            let _ = store.close().await;
            let store = open(&flipped, options()).await.unwrap();
            let read = store.read(LOG, Position(1), 1).await;
            assert!(read.is_err(), "byte {offset}: {read:?}");
            let _ = store.close().await;
        } else {
            let _ = store.close().await;
        }
    }
}

/// Writes a frame with this body and the checksums that it needs.
fn forge(disk: &SimulatedDisk, path: &Path, at: usize, header: FrameHeader, body: &[u8]) {
    let header = FrameHeader {
        length: u32::try_from(body.len()).unwrap(),
        body_crc: crc32c(body),
        ..header
    };
    let file = disk.open(path).unwrap();
    let (header, _) = header.encode();
    file.write_at(&[IoSlice::new(&header), IoSlice::new(body)], at as u64)
        .unwrap();
}

fn crc32c(bytes: &[u8]) -> u32 {
    // As the format has it, without the crate that the store itself uses.
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[tokio::test]
async fn a_sealed_frame_that_was_moved_is_refused() {
    let (disk, store) = written(3, Some(KEY)).await;
    store.flush().await.unwrap();
    store.close().await.unwrap();
    let (path, other) = (segment(&disk, LOG), segment(&disk, OTHER));
    let (bytes, others) = (contents(&disk, &path), contents(&disk, &other));
    let (frames, other_frames) = (frames_in(&bytes), frames_in(&others));
    let stored = |bytes: &[u8], (at, header): (usize, FrameHeader)| {
        bytes[at + FRAME_HEADER_BYTES..at + header.frame_bytes()].to_vec()
    };
    let (at, here) = frames[1];
    let later = Timestamp(here.arrival.0 + 1);
    let moved = [
        // Within its log, into another log, to another time, to another run.
        (here, stored(&bytes, frames[2])),
        (here, stored(&bytes, frames[0])),
        (here, stored(&others, other_frames[1])),
        (
            FrameHeader {
                arrival: later,
                ..here
            },
            stored(&bytes, frames[1]),
        ),
        (
            FrameHeader {
                epoch: here.epoch + 1,
                ..here
            },
            stored(&bytes, frames[1]),
        ),
    ];
    for (n, (header, body)) in moved.into_iter().enumerate() {
        let damaged = disk.after_kill();
        forge(&damaged, &path, at, header, &body);
        let store = open(&damaged, options()).await.unwrap();
        let read = store.read(LOG, Position(1), 1).await;
        let Err(StoreError::Corrupt { what, .. }) = read else {
            panic!("case {n}: {read:?}");
        };
        assert!(what.contains("seal"), "case {n}: {what}");
        assert_eq!(numbers(&*store, OTHER).await.unwrap(), expected(3));
        store.close().await.unwrap();
    }
    // The frame itself, with the checksums made in the same way, is read.
    let same = disk.after_kill();
    forge(&same, &path, at, here, &stored(&bytes, frames[1]));
    let store = open(&same, options()).await.unwrap();
    assert_eq!(numbers(&*store, LOG).await.unwrap(), expected(3));
    store.close().await.unwrap();
}

/// A build that knows no cipher took such a block for a torn tail, and dropped what had been
/// acknowledged.
#[tokio::test]
async fn a_cipher_or_codec_that_this_build_does_not_know_is_refused_by_name() {
    let unknown = |header: FrameHeader, codec, cipher| FrameHeader {
        packing: Packing {
            codec,
            cipher,
            ..header.packing
        },
        ..header
    };
    for (codec, cipher, named) in [(0, 9, "cipher 9"), (7, 0, "codec 7"), (7, 1, "codec 7")] {
        let (disk, store) = written(3, Some(KEY)).await;
        store.commit(append(LOG, 3, None)).await.unwrap();
        let killed = disk.after_kill();
        store.close().await.unwrap();
        // The last block has one frame, so that its header is all that its checksum is over.
        let path = PathBuf::from("wal/0000.wal");
        let bytes = contents(&killed, &path);
        let (at, header) = *frames_in(&bytes).last().unwrap();
        let block_at = at - BLOCK_HEADER_BYTES;
        let (block, _) = BlockHeader::decode(&bytes[block_at..]).unwrap();
        let (header, _) = unknown(header, codec, cipher).encode();
        let block = BlockHeader {
            entries_crc: crc32c(&header),
            ..block
        };
        let (block, _) = block.encode();
        let file = killed.open(&path).unwrap();
        let slices = [IoSlice::new(&block), IoSlice::new(&header)];
        file.write_at(&slices, block_at as u64).unwrap();
        let store = open(&killed, options()).await.unwrap();
        for is_flushed in [false, true] {
            if is_flushed {
                store.flush().await.unwrap();
            }
            assert_eq!(store.tip(LOG).unwrap(), Position(4));
            let read = store.read(LOG, Position(3), 1).await;
            let Err(StoreError::Unreadable { what, .. }) = read else {
                panic!("{read:?}");
            };
            assert!(what.contains(named), "{what}");
            assert!(store.health().is_ok() && store.unreadable().is_empty());
            let before = store.read(LOG, Position(2), 1 << 20).await.unwrap();
            assert_eq!(before.next, Position(3));
        }
        // The log goes on.
        store.commit(append(LOG, 4, Some(KEY))).await.unwrap();
        let behind = store.read(LOG, Position(4), 1).await.unwrap();
        assert_eq!(behind.next, Position(5));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn no_two_frames_of_a_key_have_the_same_salt_and_count_in_any_life_of_the_store() {
    let disk = SimulatedDisk::new(1);
    for life in 0..4 {
        let store = open(&disk, options()).await.unwrap();
        store.create_logs(&[LOG, OTHER]).await.unwrap();
        for number in 0..5 {
            let log = [LOG, OTHER][number % 2];
            store.commit(append(log, number, Some(KEY))).await.unwrap();
        }
        // Given anew while the store is open, the key seals with another salt.
        give_keys(&*store);
        store.commit(append(LOG, life, Some(KEY))).await.unwrap();
        store.flush().await.unwrap();
        store.close().await.unwrap();
    }
    let mut used = HashSet::new();
    let mut frames = 0;
    for log in [LOG, OTHER] {
        let bytes = contents(&disk, &segment(&disk, log));
        for (at, header) in frames_in(&bytes) {
            let end = at + header.frame_bytes();
            let seal = Bytes::copy_from_slice(&bytes[end - SEAL_BYTES..end]);
            used.insert(seal.slice(SALT_AND_COUNT));
            frames += 1;
        }
    }
    assert_eq!((frames, used.len()), (24, 24));
}
