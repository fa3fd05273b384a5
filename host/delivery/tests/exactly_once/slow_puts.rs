//! Stores that take everything and take long for it: what waits for them leaves memory and places
//! to deliveries to others.

use delivery::{DeliveryStatus, WorkLimits};
use serde_json::json;

use crate::buckets::Does;
use crate::skipped::skipped;
use crate::world::{Components, NAME, Origin, World, call, caller, destination, in_time};

/// Memory for all deliveries, and for each delivery stream.
const BYTES_MAX: u64 = 8 << 20;
/// Delivery streams to the slow store: what they put is more than all the memory.
const SLOW: usize = 40;
const RECORD_BYTES: usize = 400_000;
const VICTIM: &str = "victim";

async fn create(world: &World, name: &str, bucket: &str) {
    let input = json!({
        "DeliveryStreamName": name,
        "ExtendedS3DestinationConfiguration": destination(bucket, "a/"),
    });
    let created = delivery::ops::create_delivery_stream::handle(&world.delivery, call(&input));
    created.await.unwrap();
    until(world, name, |status| status.status == "ACTIVE").await;
}

async fn put(world: &World, name: &str) {
    let data = base64_simd::STANDARD.encode_to_string(vec![b'x'; RECORD_BYTES]);
    let input = json!({"DeliveryStreamName": name, "Record": {"Data": data}});
    let put = delivery::ops::put_record::handle(&world.delivery, call(&input));
    put.await.unwrap();
}

async fn until(world: &World, name: &str, is_so: impl Fn(&DeliveryStatus) -> bool) {
    let asking = async {
        while !is_so(&world.delivery.status(&caller(), name).unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    in_time(name, asking).await;
}

/// The store answered after 15 s, and what was on its way to it was all the memory meanwhile.
#[tokio::test]
async fn a_store_that_is_slow_and_takes_everything_leaves_half_of_the_memory_to_others() {
    let mut ground = Components::none().ground(1);
    ground.work_limits = WorkLimits::new(BYTES_MAX, BYTES_MAX / 2).unwrap();
    let world = World::open(ground).await;
    let buckets = world.ground.buckets.clone();
    buckets.rule(|_, bucket| match bucket {
        "slow" => Does::HangBefore,
        _ => Does::Well,
    });
    let names: Vec<_> = (0..SLOW).map(|number| format!("slow-{number}")).collect();
    for name in &names {
        create(&world, name, "slow").await;
        put(&world, name).await;
    }
    create(&world, VICTIM, "quick").await;
    put(&world, VICTIM).await;
    until(&world, VICTIM, |status| status.delivered == 1).await;
    let held = world.delivery.work().held;
    assert!(held.slow_bytes > 0, "{held:?}");
    assert!(held.slow_bytes <= BYTES_MAX / 2, "{held:?}");
    buckets.release();
    for name in &names {
        until(&world, name, |status| status.delivered == 1).await;
    }
    assert_eq!(buckets.clashes(), []);
    assert_eq!(buckets.objects().len(), SLOW + 1);
    world.close().await;
}

/// All places were held by skips whose error outputs did not answer.
#[tokio::test]
async fn a_skip_whose_error_output_does_not_answer_holds_no_place_and_counts_as_slow() {
    let skipped = skipped(|_| Does::HangBefore).await;
    let only_memory = async {
        let mut held = skipped.world.delivery.work().held;
        while held.bytes == 0 || held.cuts > 0 {
            tokio::task::yield_now().await;
            held = skipped.world.delivery.work().held;
        }
        held
    };
    let held = in_time("the error output does not answer", only_memory).await;
    assert_eq!(held.slow_bytes, held.bytes, "{held:?}");
    skipped.buckets.release();
    assert!(skipped.world.flush().await);
    assert_eq!(skipped.world.status().unwrap().failed, 6);
    skipped.world.close().await;
}

#[tokio::test]
async fn what_is_put_slowly_counts_as_slow() {
    let world = World::open(Components::none().ground(1)).await;
    world
        .create(Origin::Direct, &destination("first", "a/"))
        .await;
    let buckets = world.ground.buckets.clone();
    buckets.rule(|_, _| Does::HangBefore);
    put(&world, NAME).await;
    buckets.until_begun(1).await;
    let turns_slow = async {
        let mut held = world.delivery.work().held;
        while held.bytes == 0 || held.slow_bytes < held.bytes {
            tokio::task::yield_now().await;
            held = world.delivery.work().held;
        }
    };
    in_time("a put turns slow", turns_slow).await;
    buckets.release();
    assert!(world.flush().await);
    world.close().await;
}
