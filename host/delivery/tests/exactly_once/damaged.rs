//! A log of which the disk has changed a byte: all that can be read is delivered, what cannot be
//! read is shown, and only an operator passes it over, once and counted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use delivery::{DeliveryStatus, LaneAnswer, Order, Outcome};
use serde_json::json;
use store::disk::Disk;
use store::disk::simulated::SimulatedDisk;

use crate::buckets::Does;
use crate::check::found;
use crate::ledger::{Id, Kind, Ledger};
use crate::told::Told;
use crate::world::{Components, Ground, NAME, Origin, World, caller, destination};

const LONG: Duration = Duration::from_secs(900);
/// What the page says of records that cannot be read.
const UNREADABLE: &str = "cannot be read";
const IN_VAIN: &str = "the store broke off";
/// Records of a call, which are a frame.
const PER_FRAME: usize = 3;
/// What the header of a frame begins with.
const FRAME_START: &[u8] = b"MRFR";
/// A byte of the header: of the position.
const IN_HEADER: usize = 32;

/// Which part of a frame the disk has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
}

/// A process on a disk that changed a part of the frame with the record `hit`.
struct Damaged {
    world: World,
    ledger: Ledger,
    /// The byte that was changed.
    place: (PathBuf, u64),
}

/// The segment that holds a record, what is in it, and where the record is.
fn segment_of(disk: &SimulatedDisk, id: Id) -> (PathBuf, Vec<u8>, usize) {
    let segments = disk.files().into_iter();
    for (path, bytes) in segments.filter(|(path, _)| path.starts_with("logs")) {
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        let read = disk.open(&path).unwrap().read_at(&mut content, 0).unwrap();
        content.truncate(read);
        let record = format!("id={id:08}/");
        let mut windows = content.windows(record.len());
        if let Some(body) = windows.position(|window| window == record.as_bytes()) {
            return (path, content, body);
        }
    }
    panic!("no segment holds record {id}");
}

/// Flips a bit of the frame in a segment that holds a record. The file and the place in it.
fn flip(disk: &SimulatedDisk, hit: Id, part: Part) -> (PathBuf, u64) {
    let (path, content, body) = segment_of(disk, hit);
    let place = match part {
        Part::Body => body,
        Part::Header => {
            let mut starts = content[..body].windows(FRAME_START.len());
            starts.rposition(|window| window == FRAME_START).unwrap() + IN_HEADER
        }
    };
    let place = u64::try_from(place).unwrap();
    assert!(disk.flip(&path, place, 1));
    (path, place)
}

impl Damaged {
    /// Five frames wait, of which the one with record `hit` is damaged. Where a cut of all of them
    /// `is_open`, an object of it may exist.
    async fn wait(origin: Origin, (hit, part): (Id, Part), is_open: bool) -> Self {
        Self::wait_on(origin, is_open, |disk| flip(disk, hit, part)).await
    }

    /// The same, of a disk to which this happens.
    async fn wait_on(
        origin: Origin,
        is_open: bool,
        happens: impl FnOnce(&SimulatedDisk) -> (PathBuf, u64),
    ) -> Self {
        let world = World::open(Components::none().ground(1)).await;
        let mut first = destination("first", "a/");
        first["BufferingHints"]["IntervalInSeconds"] = json!(LONG.as_secs());
        world.create(origin, &first).await;
        let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
        buckets.rule(|_, _| Does::FailBefore);
        for _ in 0..5 {
            let kinds = [Kind::Line; PER_FRAME];
            assert!(world.put(&ledger, origin, &kinds, 0).await);
        }
        if is_open {
            world.ground.clock.advance(LONG);
            world.until_trouble(IN_VAIN).await;
        }
        let ground = world.close().await;
        let disk = ground.disk.after_kill();
        let place = happens(&disk);
        buckets.rule(|_, _| Does::Well);
        let world = World::open(Ground { disk, ..ground }).await;
        Self {
            world,
            ledger,
            place,
        }
    }

    async fn until(&self, is_so: impl Fn(&DeliveryStatus) -> bool) {
        self.world
            .until(|status| is_so(&status.expect("the delivery stream is there")))
            .await;
    }

    /// Waits until the lane stands before what cannot be read, with so many records delivered.
    async fn until_it_stands(&self, delivered: u64) {
        self.until(|status| {
            let stands = status.stuck.iter().any(|lane| lane.unreadable);
            stands && status.delivered == delivered
        })
        .await;
    }

    async fn order(&self, order: Order) -> (Outcome, u64) {
        let answers = self
            .world
            .delivery
            .order(&caller(), NAME, order, None)
            .await;
        let [
            LaneAnswer {
                outcome, records, ..
            },
        ] = answers.unwrap()[..]
        else {
            panic!("one lane")
        };
        (outcome, records)
    }

    /// The next process, on what the disk holds if this one is killed now.
    async fn killed(self) -> Self {
        let ground = self.world.ground.clone();
        let (disk, buckets) = ground.buckets.cut_off(|| ground.disk.after_kill());
        self.world.give_up().await;
        let ground = Ground {
            disk,
            buckets,
            ..ground
        };
        Self {
            world: World::open(ground).await,
            ledger: self.ledger,
            place: self.place,
        }
    }

    /// All records are delivered but for these, which are lost.
    async fn assert_lost(self, lost: std::ops::Range<Id>) {
        let all = self.ledger.entries();
        let count = lost.end - lost.start;
        self.until(|status| status.waiting_records == 0).await;
        let status = self.world.status().unwrap();
        assert_eq!((status.lost, status.left_out), (count, count));
        assert_eq!(status.delivered, all.len() as u64 - count);
        assert_eq!((status.trouble, status.stuck.len()), (None, 0));
        let found = found(&all, &self.world.ground.buckets);
        let delivered: BTreeSet<Id> = found.delivered.iter().copied().collect();
        assert_eq!(found.delivered.len(), delivered.len(), "one is there twice");
        let expected = all.keys().copied().filter(|id| !lost.contains(id));
        assert_eq!(delivered, expected.collect());
        self.world.close().await;
    }
}

/// Not even what lay before the damage was delivered, no order helped, and after a day all was
/// lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_damaged_frame_of_a_log_is_lost_and_only_once_an_operator_leaves_it_out() {
    let told = Told::listen();
    for origin in [Origin::Direct, Origin::Stream] {
        for part in [Part::Header, Part::Body] {
            let damaged = Damaged::wait(origin, (7, part), false).await;
            damaged.until_it_stands(6).await;
            let status = damaged.world.status().unwrap();
            let [lane] = &status.stuck[..] else {
                panic!("{status:?}")
            };
            assert_eq!((lane.records, lane.objects_that_may_exist), (3, 0));
            assert_eq!((status.lost, status.waiting_records), (0, 9));
            let (why, says) = (&lane.why, "3 records of log ");
            assert!(
                why.contains(says) && why.contains("from position 6 on"),
                "{why}"
            );
            assert!(why.contains(".seg at byte "), "{why}");
            assert!(why.contains("--leave-out"), "{why}");
            assert!(!told.lines_anywhere(UNREADABLE).is_empty());
            // There is nothing that could be put anywhere.
            for order in [Order::Skip, Order::Move] {
                assert_eq!(damaged.order(order).await, (Outcome::Unreadable, 3));
                damaged.until_it_stands(6).await;
            }
            assert_eq!(damaged.order(Order::Retry).await, (Outcome::Done, 3));
            damaged.until_it_stands(6).await;
            assert_eq!(damaged.order(Order::LeaveOut).await, (Outcome::Done, 3));
            let damaged = damaged.killed().await;
            damaged.world.ground.clock.advance(LONG);
            damaged.assert_lost(6..9).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_and_the_last_frame_of_a_log_are_passed_over_like_any_other() {
    for (hit, delivered) in [(0, 0), (14, 12)] {
        let damaged = Damaged::wait(Origin::Direct, (hit, Part::Body), false).await;
        damaged.until_it_stands(delivered).await;
        assert_eq!(damaged.order(Order::LeaveOut).await, (Outcome::Done, 3));
        damaged.until(|status| status.lost == 3).await;
        damaged.world.ground.clock.advance(LONG);
        damaged.assert_lost(delivered..delivered + 3).await;
    }
}

/// A disk that was put right gives what it did not, and the lane looks again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_read_again_is_delivered_and_nothing_is_lost() {
    let damaged = Damaged::wait(Origin::Direct, (7, Part::Body), false).await;
    damaged.until_it_stands(6).await;
    let (path, offset) = &damaged.place;
    assert!(damaged.world.ground.disk.flip(path, *offset, 1));
    damaged.world.ground.clock.advance(LONG);
    damaged.assert_lost(0..0).await;
}

/// The first frame of a cut of which an object may exist cannot be read: the rest is another cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_frame_at_the_start_of_a_cut_that_was_begun_is_passed_over_alone() {
    let damaged = Damaged::wait(Origin::Direct, (1, Part::Body), true).await;
    damaged.until_it_stands(0).await;
    assert_eq!(damaged.order(Order::LeaveOut).await, (Outcome::Done, 3));
    damaged.killed().await.assert_lost(0..3).await;
}

/// Behind the start of such a cut it is told, and moving delivers what lies before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_frame_within_a_cut_that_was_begun_is_told_and_moving_leads_on() {
    let damaged = Damaged::wait(Origin::Direct, (7, Part::Body), true).await;
    damaged.world.until_trouble(UNREADABLE).await;
    let trouble = damaged.world.status().unwrap().trouble.unwrap();
    let moves = "`millrace delivery move hose --lane direct`";
    assert!(
        trouble.contains("3 records of log ") && trouble.contains(moves),
        "{trouble}"
    );
    // It was answered as done, and could never be.
    assert_eq!(damaged.order(Order::Skip).await, (Outcome::Unreadable, 15));
    damaged.world.until_trouble(moves).await;
    assert_eq!(damaged.order(Order::Move).await, (Outcome::Done, 15));
    damaged.until_it_stands(6).await;
    let lane = &damaged.world.status().unwrap().stuck[0];
    assert_eq!(lane.objects_that_may_exist, 0, "the rest is in none");
    assert_eq!(damaged.order(Order::LeaveOut).await, (Outcome::Done, 3));
    damaged.killed().await.assert_lost(6..9).await;
}

/// How the disk keeps all of a segment from its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Withheld {
    Gone,
    Directory,
    Unreadable,
}

fn withhold(disk: &SimulatedDisk, how: Withheld) -> (PathBuf, u64) {
    let (path, ..) = segment_of(disk, 0);
    match how {
        Withheld::Gone => disk.remove(&path).unwrap(),
        Withheld::Directory => {
            disk.remove(&path).unwrap();
            disk.create_dir(&path).unwrap();
        }
        Withheld::Unreadable => disk.spoil(&path, 0..u64::MAX),
    }
    (path, 0)
}

/// The lane was started again each second, with an error each time, and no order reached it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_does_not_give_back_is_lost_only_once_an_operator_leaves_it_out() {
    for origin in [Origin::Direct, Origin::Stream] {
        for how in [Withheld::Gone, Withheld::Directory, Withheld::Unreadable] {
            let damaged = Damaged::wait_on(origin, false, |disk| withhold(disk, how)).await;
            damaged.until_it_stands(0).await;
            let kinds = [Kind::Line; PER_FRAME];
            assert!(damaged.world.put(&damaged.ledger, origin, &kinds, 0).await);
            let status = damaged.world.status().unwrap();
            let [lane] = &status.stuck[..] else {
                panic!("{status:?}")
            };
            assert_eq!(lane.records, 15);
            let (why, file) = (&lane.why, damaged.place.0.display().to_string());
            assert!(why.contains(&file), "{why}");
            assert!(why.contains("the disk does not give it back"), "{why}");
            for order in [Order::Skip, Order::Move] {
                assert_eq!(damaged.order(order).await, (Outcome::Unreadable, 15));
                damaged.until_it_stands(0).await;
            }
            assert_eq!(damaged.order(Order::Retry).await, (Outcome::Done, 15));
            damaged.until_it_stands(0).await;
            let told = damaged.world.engine.unreadable();
            assert!(!told.is_empty());
            assert!(told.iter().all(|told| told.starts_with(&file)), "{told:?}");
            damaged.world.engine.health().unwrap();
            assert_eq!(damaged.order(Order::LeaveOut).await, (Outcome::Done, 15));
            let damaged = damaged.killed().await;
            damaged.world.ground.clock.advance(LONG);
            damaged.assert_lost(0..15).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_gives_back_a_file_again_is_looked_at_again_and_nothing_is_lost() {
    let withheld = |disk: &SimulatedDisk| withhold(disk, Withheld::Unreadable);
    let damaged = Damaged::wait_on(Origin::Direct, false, withheld).await;
    damaged.until_it_stands(0).await;
    damaged.world.ground.disk.forget_faults();
    damaged.world.ground.clock.advance(LONG);
    damaged.assert_lost(0..0).await;
}

/// Leaving out a flipped byte of the file's own header lost every sound record in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_header_of_a_file_keeps_no_record_from_being_delivered() {
    let damaged = Damaged::wait_on(Origin::Direct, false, |disk| {
        let (path, ..) = segment_of(disk, 0);
        assert!(disk.flip(&path, 10, 1));
        (path, 10)
    });
    let damaged = damaged.await;
    damaged.world.ground.clock.advance(LONG);
    damaged.until(|status| status.delivered == 15).await;
    assert_eq!(damaged.world.engine.unreadable().len(), 1);
    damaged.assert_lost(0..0).await;
}
