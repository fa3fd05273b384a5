//! A segment that is damaged: what lies before the damage and behind it is read, whatever was hit,
//! and nothing is read that was not written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use oracle::body;
use oracle::session::open;
use store::disk::Disk;
use store::disk::simulated::{Random, SimulatedDisk};
use store::embedded::Options;
use store::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use store::{Append, Engine, LogId, NewFrame, Position, StoreError, Transaction};
use types::Timestamp;

const LOG: LogId = LogId(1);
/// Bytes before the first frame of a segment.
const SEGMENT_HEADER_BYTES: u64 = 64;
/// A disk loses this much at once.
const SECTOR_BYTES: u64 = 4_096;

/// A frame as it was written, and where it lies in its segment.
struct Written {
    frame: NewFrame,
    position: Position,
    offset: u64,
}

impl Written {
    fn end(&self) -> u64 {
        self.offset + (FRAME_HEADER_BYTES + self.frame.body.len()) as u64
    }
}

fn options() -> Options {
    Options {
        wal_file_bytes: 1 << 20,
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        ..Options::default()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Frames in the one segment of a log, which is closed, with a footer, if it `is_closed`.
async fn written(frames: Vec<NewFrame>, is_closed: bool) -> (SimulatedDisk, Vec<Written>) {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options()).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    let (mut all, mut offset) = (Vec::new(), SEGMENT_HEADER_BYTES);
    for frame in frames {
        let appends = vec![Append {
            log: LOG,
            frame: frame.clone(),
        }];
        let transaction = Transaction {
            appends,
            writes: vec![],
        };
        let position = store.commit(transaction).await.unwrap().positions[0];
        all.push(Written {
            frame,
            position,
            offset,
        });
        offset = all.last().unwrap().end();
    }
    store.flush().await.unwrap();
    if is_closed {
        // An open segment that nothing is added to is closed when retention comes to it.
        store.trim(LOG, Position(1)).await.unwrap();
        store.flush().await.unwrap();
    }
    let killed = disk.after_kill();
    store.close().await.unwrap();
    (killed, all)
}

fn segment(disk: &SimulatedDisk) -> PathBuf {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let mut segments = files.filter(|path| path.starts_with("logs"));
    let only = segments.next().unwrap();
    assert_eq!(segments.next(), None);
    only
}

/// Reads a log from its start to its end as somebody does who passes damage. Returns the frames,
/// and how often there was damage.
async fn read_all(store: &Arc<dyn Engine>) -> (BTreeMap<Position, Bytes>, usize) {
    let (mut found, mut damages, mut next) = (BTreeMap::new(), 0, Position::FIRST);
    loop {
        match store.read(LOG, next, 2_000).await {
            Ok(batch) if batch.frames.is_empty() => {
                assert_eq!(next, store.tip(LOG).unwrap());
                return (found, damages);
            }
            Ok(batch) => {
                next = batch.next;
                for frame in batch.frames {
                    found.insert(frame.position, frame.body);
                }
            }
            Err(StoreError::Corrupt { .. }) => {
                damages += 1;
                let readable = store.readable_from(LOG, next).await.unwrap();
                assert!(next < readable, "{next} cannot be read");
                next = readable;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// All that was not hit is read, and nothing else.
async fn check(disk: &SimulatedDisk, all: &[Written], is_hit: impl Fn(&Written) -> bool) {
    let store: Arc<dyn Engine> = open(disk, options()).await.unwrap();
    let (found, damages) = read_all(&store).await;
    let horizon = store.horizon(LOG).unwrap();
    for written in all {
        let is_kept = horizon < written.position.after(written.frame.count);
        let expected = (is_kept && !is_hit(written)).then_some(&written.frame.body);
        let position = written.position;
        assert!(
            found.get(&position) == expected,
            "the frame at {position} is {}there",
            if expected.is_some() { "not " } else { "" }
        );
    }
    assert_eq!(store.unreadable().len(), damages, "each place is told once");
    store.health().unwrap();
    // What follows damage is found by its time.
    let hit = all.iter().position(&is_hit).unwrap();
    let behind = all.iter().skip(hit).skip_while(|written| is_hit(written));
    if let Some(second) = behind.skip(1).find(|written| !is_hit(written)) {
        let sought = store.seek_time(LOG, second.frame.arrival).await.unwrap();
        assert_eq!(sought, second.position);
    }
    store.close().await.unwrap();
}

/// A flipped byte of a header hid all that came after it in the segment.
#[test]
fn a_flipped_byte_of_a_segment_hides_no_other_frame() {
    for is_closed in [false, true] {
        block_on(async {
            let frames = (0..6).map(|n| body(n, 0, 40 + 31 * n)).collect();
            let (disk, all) = written(frames, is_closed).await;
            let path = segment(&disk);
            for hit in &all {
                for offset in hit.offset..hit.end() {
                    let is_of_body = offset > hit.offset + FRAME_HEADER_BYTES as u64;
                    if is_of_body && offset % 16 != 0 {
                        continue;
                    }
                    let flipped = disk.after_kill();
                    assert!(flipped.flip(&path, offset, 1 << (offset % 8)));
                    check(&flipped, &all, |one| one.position == hit.position).await;
                }
            }
        });
    }
}

#[test]
fn a_lost_sector_of_a_segment_hides_only_the_frames_in_it() {
    for is_closed in [false, true] {
        block_on(async {
            // A sector holds whole frames and parts of others; the index has several entries.
            let frames = (0..300).map(|n| body(n, 0, 300 + 7 * n)).collect();
            let (disk, all) = written(frames, is_closed).await;
            let path = segment(&disk);
            let end = all.last().unwrap().end();
            let mut random = Random::new(7);
            for _ in 0..40 {
                let lost = SEGMENT_HEADER_BYTES + random.below(end - SEGMENT_HEADER_BYTES);
                let lost = lost..end.min(lost + SECTOR_BYTES);
                let damaged = disk.after_kill();
                let zeros = vec![0; usize::try_from(lost.end - lost.start).unwrap()];
                let file = damaged.open(&path).unwrap();
                file.write_at(&[IoSlice::new(&zeros)], lost.start).unwrap();
                check(&damaged, &all, |one| {
                    one.offset < lost.end && lost.start < one.end()
                })
                .await;
            }
        });
    }
}

/// A record may be made to look like a frame of its own log.
#[test]
fn what_a_record_holds_is_never_taken_for_a_frame() {
    let forged = b"never appended";
    let (header, _) = FrameHeader {
        log: LOG,
        position: Position(1),
        epoch: 1,
        arrival: Timestamp(1_001),
        count: 1,
        length: u32::try_from(forged.len()).unwrap(),
        body_crc: crc32c::crc32c(forged),
        previous: 0,
    }
    .encode();
    let forged = Bytes::from([&header[..], forged].concat());
    for is_closed in [false, true] {
        block_on(async {
            let mut frames: Vec<_> = (0..4).map(|n| body(n, 0, 100)).collect();
            frames[1].body = forged.clone();
            let (disk, all) = written(frames, is_closed).await;
            let hit = &all[1];
            let damaged = disk.after_kill();
            let file = damaged.open(&segment(&disk)).unwrap();
            let zeros = [0; FRAME_HEADER_BYTES];
            file.write_at(&[IoSlice::new(&zeros)], hit.offset).unwrap();
            check(&damaged, &all, |one| one.position == hit.position).await;
        });
    }
}
