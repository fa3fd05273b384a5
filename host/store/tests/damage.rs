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
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use oracle::body;
use oracle::session::open;
use store::disk::Disk;
use store::disk::simulated::{Random, SimulatedDisk};
use store::embedded::Options;
use store::embedded::format::{FRAME_HEADER_BYTES, FrameHeader, Packing};
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
            ..Transaction::default()
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
        packing: Packing::plain(u32::try_from(forged.len()).unwrap()),
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

/// Such a read was an error without a way past it, for readers of all that the segment holds.
#[test]
fn a_sector_that_cannot_be_read_hides_only_the_frames_in_it() {
    for is_closed in [false, true] {
        block_on(async {
            let frames = (0..300).map(|n| body(n, 0, 300 + 7 * n)).collect();
            let (disk, all) = written(frames, is_closed).await;
            let path = segment(&disk);
            let end = all.last().unwrap().end();
            let mut random = Random::new(11);
            for _ in 0..20 {
                // The first one holds the header of the segment as well.
                let sector = random.below(end / SECTOR_BYTES) + 1;
                let bad = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                let damaged = disk.after_kill();
                damaged.spoil(&path, bad.clone());
                let is_hit = |one: &Written| one.offset < bad.end && bad.start < one.end();
                if all.iter().any(is_hit) {
                    check(&damaged, &all, is_hit).await;
                }
                // A disk that was put right gives all of it.
                damaged.forget_faults();
                let store: Arc<dyn Engine> = open(&damaged, options()).await.unwrap();
                assert_eq!(read_all(&store).await.1, 0);
                store.close().await.unwrap();
            }
        });
    }
}

/// What is told of the one place where the disk does not give back what was written.
fn told(store: &Arc<dyn Engine>) -> String {
    let [told] = &store.unreadable()[..] else {
        panic!("{:?}", store.unreadable())
    };
    told.clone()
}

#[test]
fn a_sector_is_told_in_the_words_of_the_system_and_looked_at_again() {
    block_on(async {
        let (disk, all) = written((0..40).map(|n| body(n, 0, 900)).collect(), true).await;
        let (path, hit) = (segment(&disk), &all[17]);
        let damaged = disk.after_kill();
        let store: Arc<dyn Engine> = open(&damaged, options()).await.unwrap();
        let (whole, _) = read_all(&store).await;
        damaged.spoil(&path, hit.offset..hit.end());
        let (found, damages) = read_all(&store).await;
        assert_eq!(damages, 1);
        assert!(!found.contains_key(&hit.position));
        let told = told(&store);
        assert!(told.contains("does not give it back: "), "{told}");
        assert!(told.contains("os error 5"), "{told}");
        damaged.forget_faults();
        assert_eq!(read_all(&store).await, (whole, 0));
        store.close().await.unwrap();
    });
}

/// Frames in several segments, as (base, end), of a store that was killed.
async fn in_segments() -> (
    SimulatedDisk,
    Vec<Written>,
    Vec<(PathBuf, Position, Position)>,
) {
    let disk = SimulatedDisk::new(1);
    let small = Options {
        segment_bytes_max: 4 << 10,
        ..options()
    };
    let store = open(&disk, small).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    let mut all = Vec::new();
    for n in 0..20 {
        let frame = body(n, 0, 900);
        let appends = vec![Append {
            log: LOG,
            frame: frame.clone(),
        }];
        let writes = vec![];
        let committed = store
            .commit(Transaction {
                appends,
                writes,
                ..Transaction::default()
            })
            .await;
        let position = committed.unwrap().positions[0];
        let offset = 0;
        all.push(Written {
            frame,
            position,
            offset,
        });
    }
    store.flush().await.unwrap();
    let killed = disk.after_kill();
    store.close().await.unwrap();
    let files = killed.files().into_iter().map(|(path, _)| path);
    let mut paths: Vec<_> = files.filter(|path| path.starts_with("logs")).collect();
    paths.sort_unstable();
    let base = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        Position(name.parse().unwrap())
    };
    let tip = all.last().unwrap();
    let tip = tip.position.after(tip.frame.count);
    let ends = paths.iter().skip(1).map(base).chain([tip]);
    let ends: Vec<_> = ends.collect();
    let segments = paths.into_iter().zip(ends);
    let segments: Vec<_> = segments
        .map(|(path, end)| (path.clone(), base(&path), end))
        .collect();
    assert!(segments.len() > 3, "{segments:?}");
    (killed, all, segments)
}

/// How a whole file may be kept from its reader.
#[derive(Clone, Copy, Debug)]
enum Withheld {
    Gone,
    Directory,
    Unreadable,
}

impl Withheld {
    fn apply(self, disk: &SimulatedDisk, path: &Path) {
        match self {
            Self::Gone => disk.remove(path).unwrap(),
            Self::Directory => {
                disk.remove(path).unwrap();
                disk.create_dir(path).unwrap();
            }
            Self::Unreadable => disk.spoil(path, 0..u64::MAX),
        }
    }
}

/// Reads failed without a way past it, and of an open segment nothing was flushed any more.
#[test]
fn a_segment_that_is_not_given_back_hides_its_own_frames_and_stops_no_flush() {
    block_on(async {
        let (disk, all, segments) = in_segments().await;
        for how in [Withheld::Gone, Withheld::Directory, Withheld::Unreadable] {
            for (path, base, end) in &segments {
                let damaged = disk.after_kill();
                how.apply(&damaged, path);
                let embedded = open(&damaged, options()).await.unwrap();
                let store: Arc<dyn Engine> = embedded.clone();
                let readable = store.readable_from(LOG, *base).await.unwrap();
                assert_eq!(readable, *end, "{how:?}");
                let (found, damages) = read_all(&store).await;
                assert_eq!(damages, 1, "{how:?}");
                let lost = |position: &Position| (*base..*end).contains(position);
                let sound = all.iter().filter(|written| !lost(&written.position));
                let sound = sound.map(|written| (written.position, written.frame.body.clone()));
                assert_eq!(found, sound.collect(), "{how:?}");
                let first = all.iter().find(|written| lost(&written.position)).unwrap();
                let sought = store.seek_time(LOG, first.frame.arrival).await.unwrap();
                assert_eq!(sought, *base);
                store.health().unwrap();
                let name = path.display().to_string();
                assert!(
                    store
                        .unreadable()
                        .iter()
                        .all(|told| told.starts_with(&name))
                );

                // Logs go on, and what is damaged goes with retention.
                let appends = vec![Append {
                    log: LOG,
                    frame: body(99, 0, 900),
                }];
                let writes = vec![];
                store
                    .commit(Transaction {
                        appends,
                        writes,
                        ..Transaction::default()
                    })
                    .await
                    .unwrap();
                embedded.flush().await.unwrap();
                store.health().unwrap();
                store.trim(LOG, *end).await.unwrap();
                embedded.flush().await.unwrap();
                store.health().unwrap();
                assert_eq!(store.unreadable(), Vec::<String>::new());
                assert_eq!(read_all(&store).await.1, 0);
                store.close().await.unwrap();
            }
        }
    });
}

#[test]
fn a_segment_that_comes_back_is_read_again() {
    block_on(async {
        let (disk, all, segments) = in_segments().await;
        let path = &segments[1].0;
        let damaged = disk.after_kill();
        let aside = PathBuf::from("logs/aside");
        damaged.rename(path, &aside).unwrap();
        let store: Arc<dyn Engine> = open(&damaged, options()).await.unwrap();
        assert_eq!(read_all(&store).await.1, 1);
        let told = told(&store);
        assert!(told.contains("does not give it back: "), "{told}");
        damaged.rename(&aside, path).unwrap();
        let (found, damages) = read_all(&store).await;
        assert_eq!((found.len(), damages), (all.len(), 0));
        store.close().await.unwrap();
    });
}

#[test]
fn a_process_that_may_open_no_more_files_finds_no_damage() {
    block_on(async {
        let (disk, all, _) = in_segments().await;
        let store: Arc<dyn Engine> = open(&disk, options()).await.unwrap();
        disk.set_open_files_max(0);
        let refused = store.read(LOG, Position::FIRST, 1).await;
        assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
        let refused = store.readable_from(LOG, Position::FIRST).await;
        assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
        assert_eq!(store.unreadable(), Vec::<String>::new());
        disk.set_open_files_max(u64::MAX);
        assert_eq!(read_all(&store).await.0.len(), all.len());
        store.close().await.unwrap();
    });
}

/// It cannot be told from its own header that it is another file. Nothing of it is served.
#[test]
fn a_file_of_another_segment_under_the_name_of_one_is_read_as_damage() {
    block_on(async {
        let (disk, all, segments) = in_segments().await;
        let damaged = disk.after_kill();
        let [(first, ..), (second, base, end), ..] = &segments[..] else {
            panic!("{segments:?}")
        };
        damaged.rename(first, second).unwrap();
        let store: Arc<dyn Engine> = open(&damaged, options()).await.unwrap();
        let readable = store.readable_from(LOG, *base).await.unwrap();
        assert_eq!(readable, *end);
        let (found, _) = read_all(&store).await;
        let behind = all.iter().filter(|written| *end <= written.position);
        let behind = behind.map(|written| (written.position, written.frame.body.clone()));
        assert_eq!(found, behind.collect());
        store.close().await.unwrap();
    });
}

/// Such a read was an error without a way past it, until the log was flushed.
#[test]
fn a_frame_that_cannot_be_read_in_the_write_ahead_log_hides_no_other() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let store = open(&disk, options()).await.unwrap();
        store.create_logs(&[LOG]).await.unwrap();
        let mut positions = Vec::new();
        for n in 0..5 {
            let appends = vec![Append {
                log: LOG,
                frame: body(n, 0, 900),
            }];
            let writes = vec![];
            let committed = store
                .commit(Transaction {
                    appends,
                    writes,
                    ..Transaction::default()
                })
                .await;
            positions.push(committed.unwrap().positions[0]);
        }
        let killed = disk.after_kill();
        store.close().await.unwrap();
        let store: Arc<dyn Engine> = open(&killed, options()).await.unwrap();
        let path = Path::new("wal/0000.wal");
        let mut content = vec![0; 1 << 20];
        let read = killed.open(path).unwrap().read_at(&mut content, 0).unwrap();
        let hit = body(2, 0, 900).body;
        let mut windows = content[..read].windows(hit.len());
        let at = windows.position(|window| window == hit).unwrap() as u64;
        killed.spoil(path, at..at + 1);
        let (found, damages) = read_all(&store).await;
        assert_eq!(damages, 1);
        positions.remove(2);
        assert!(found.keys().eq(&positions), "{:?}", found.keys());
        let told = told(&store);
        assert!(told.contains("does not give it back: "), "{told}");
        killed.forget_faults();
        store.close().await.unwrap();
    });
}

/// The header of a file was needed for all that is in it.
#[test]
fn a_flipped_byte_beside_the_frames_of_a_segment_hides_none() {
    for is_closed in [false, true] {
        block_on(async {
            let frames = (0..6).map(|n| body(n, 0, 40 + 31 * n)).collect();
            let (disk, all) = written(frames, is_closed).await;
            let path = segment(&disk);
            let store: Arc<dyn Engine> = open(&disk.after_kill(), options()).await.unwrap();
            let (whole, _) = read_all(&store).await;
            store.close().await.unwrap();
            let length = disk.open(&path).unwrap().length().unwrap();
            let footer = all.last().unwrap().end()..length;
            assert_eq!(footer.is_empty(), !is_closed);
            for offset in (0..SEGMENT_HEADER_BYTES).chain(footer) {
                let flipped = disk.after_kill();
                assert!(flipped.flip(&path, offset, 1 << (offset % 8)));
                let store: Arc<dyn Engine> = open(&flipped, options()).await.unwrap();
                assert_eq!(read_all(&store).await, (whole.clone(), 0), "byte {offset}");
                let is_told = offset < SEGMENT_HEADER_BYTES;
                assert_eq!(store.unreadable().len(), usize::from(is_told));
                store.health().unwrap();
                store.close().await.unwrap();
            }
        });
    }
}
