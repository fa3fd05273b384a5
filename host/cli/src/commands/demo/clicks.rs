//! Clicks that nobody made.

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::{Clock, SystemClock};

use super::Gone;
use crate::client::Client;
use crate::commands::stream::Batch;

/// Clicks that are put together, and how often: 2,000 a second, half of what four shards take.
const CLICKS_PER_BATCH: u32 = 100;
const BATCH_EVERY: Duration = Duration::from_millis(50);
const USERS: u64 = 1_000;
const PAGES: [&str; 6] = ["/", "/search", "/item", "/cart", "/pay", "/thanks"];

/// Puts clicks until the moment `end` and tells what was put.
pub(super) async fn feed(mut client: Client, stream: &str, end: Instant, gone: mpsc::Sender<Gone>) {
    let mut dice = Dice(SystemClock.now().0);
    let mut batch = Batch::new(stream);
    let mut turns = interval(BATCH_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while turns.tick().await < end {
        for _ in 0..CLICKS_PER_BATCH {
            let (user, click) = click(&mut dice);
            batch.add(user, click);
        }
        let put = batch.put(&mut client).await;
        let failed = put.is_err();
        if gone.send(put).await.is_err() || failed {
            return;
        }
    }
}

/// A user, and what the user did: the partition key keeps a user's clicks in order.
fn click(dice: &mut Dice) -> (String, Vec<u8>) {
    let user = format!("user-{}", dice.below(USERS));
    let place = usize::try_from(dice.below(6)).unwrap_or_default();
    let click = json!({
        "user": user,
        "page": PAGES.get(place).unwrap_or(&"/"),
        "at": SystemClock.now().0,
        "took_ms": dice.below(900) + 20,
    });
    (user, click.to_string().into_bytes())
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    /// A number from 0 to below `end`, by the generator SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
