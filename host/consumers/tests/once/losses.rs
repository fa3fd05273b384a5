//! Records that an application does not get: what retention took, and what the disk does not give
//! back. Nothing is passed over without being counted, nor what is damaged without an operator.

use store::LogChange;
use store::Transaction;
use store::disk::Disk;
use store::disk::simulated::SimulatedDisk;

use crate::counter::counter;
use crate::world::{Ground, TEXT, World, caller, counted, in_time, input, name};

/// Waits until all records came to something.
async fn until_counted(world: &World, records: u64) -> consumers::Counts {
    in_time("to count all", async {
        loop {
            let app = world.describe().await.unwrap();
            let counts = app.summary.counts;
            let sum = counts.processed + counts.lost + counts.left_out + counts.dead_letters;
            assert!(sum <= records, "{counts:?}");
            if sum == records && app.summary.waiting == 0 {
                return counts;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Waits until no lane is at work.
async fn until_it_rests(world: &World) {
    in_time("to rest", async {
        loop {
            let app = world.describe().await.unwrap();
            if app.shards.iter().all(|shard| shard.state != "here") {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_takes_while_an_application_stands_still_is_lost_and_counted() {
    let world = World::open(Ground::with(&counter().component())).await;
    world.make_streams(1).await;
    world.make_application().await;
    let all = input(90);
    world.put(&all[..30]).await;
    world.until_done(30).await;
    world.consumers.pause(&caller(), &name()).await.unwrap();
    until_it_rests(&world).await;
    for part in all[30..].chunks(10) {
        world.put(part).await;
    }
    let log = world.logs(TEXT)[0];
    // Within a frame, which is kept whole: its records from 50 on can still be read.
    let trim = LogChange::Trim(log, store::Position(55));
    let trimming = Transaction {
        changes: vec![trim],
        ..Transaction::default()
    };
    world.engine.commit(trimming).await.unwrap();
    world.consumers.resume(&caller(), &name()).await.unwrap();
    let counts = until_counted(&world, 90).await;
    assert_eq!((counts.lost, counts.processed), (20, 70));
    let kept: Vec<_> = all[..30].iter().chain(&all[50..]).cloned().collect();
    assert_eq!(world.words().await, counted(&kept).0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_has_changed_stops_a_shard_until_an_operator_skips_it() {
    let world = World::open(Ground::with(&counter().component())).await;
    world.make_streams(1).await;
    world.make_application().await;
    world.consumers.pause(&caller(), &name()).await.unwrap();
    let all = input(60);
    for part in all.chunks(20) {
        world.put(part).await;
    }
    // Closed, all records are in segments, and none is in memory.
    let ground = world.close().await;
    flip(&ground.disk, "w0");
    let world = World::open(ground).await;
    world.consumers.resume(&caller(), &name()).await.unwrap();
    let stuck = in_time("to stand still", async {
        loop {
            let app = world.describe().await.unwrap();
            if let Some(stuck) = &app.shards[0].stuck {
                return stuck.clone();
            }
            tokio::task::yield_now().await;
        }
    });
    let stuck = stuck.await;
    assert!(
        stuck.contains("20 records") && stuck.contains("cannot be read"),
        "{stuck}"
    );
    let heard = world.consumers.order(&caller(), &name(), (None, true));
    assert_eq!(heard, Some(1));
    let counts = until_counted(&world, 60).await;
    assert_eq!((counts.left_out, counts.processed), (20, 40));
    world.close().await;
}

/// Flips a bit in the middle of the first frame of a segment that holds a text.
fn flip(disk: &SimulatedDisk, text: &str) {
    let segments = disk.files().into_iter();
    for (path, bytes) in segments.filter(|(path, _)| path.starts_with("logs")) {
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        let read = disk.open(&path).unwrap().read_at(&mut content, 0).unwrap();
        content.truncate(read);
        let mut windows = content.windows(text.len());
        if let Some(place) = windows.position(|window| window == text.as_bytes()) {
            assert!(disk.flip(&path, u64::try_from(place).unwrap(), 1));
            return;
        }
    }
    panic!("no segment holds {text}");
}
