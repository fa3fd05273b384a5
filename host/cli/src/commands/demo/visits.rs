//! Lines of a web server's log, of visits that nobody made.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::{Clock, SystemClock};

use crate::client::Client;
use crate::commands::stream::{Batch, Landed, Waiting};
use crate::failure::Failure;

/// Lines that are put together, and how often: 2,000 a second, half of what four shards take.
const LINES_PER_BATCH: u32 = 100;
const BATCH_EVERY: Duration = Duration::from_millis(50);
const VISITORS: u64 = 1_000;
/// Of so many lines one is by a bot, and one is cut off.
const BOT_EVERY: u64 = 7;
const CUT_OFF_EVERY: u64 = 499;
const PAGES: [&str; 6] = ["/", "/search", "/item", "/cart", "/pay", "/thanks"];
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const BOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// What was put, or why nothing more can be.
pub(super) type Gone = Result<Vec<(Waiting, Landed)>, Failure>;

/// Puts lines until the moment `end` and tells what was put.
pub(super) async fn feed(mut client: Client, stream: &str, end: Instant, gone: mpsc::Sender<Gone>) {
    let mut dice = Dice(SystemClock.now().0);
    let mut batch = Batch::new(stream);
    let mut turns = interval(BATCH_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while turns.tick().await < end {
        for _ in 0..LINES_PER_BATCH {
            let (visitor, line) = visit(&mut dice);
            batch.add(visitor, line.into_bytes());
        }
        let put = batch.put(&mut client).await;
        let failed = put.is_err();
        if gone.send(put).await.is_err() || failed {
            return;
        }
    }
}

/// A visitor's address, and a line: the partition key keeps a visitor's lines in order.
fn visit(dice: &mut Dice) -> (String, String) {
    let number = dice.below(VISITORS);
    let address = format!("10.0.{}.{}", number / 250, number % 250 + 1);
    let page = PAGES[(dice.next() % 6) as usize];
    let agent = match dice.below(BOT_EVERY) {
        0 => BOT,
        _ => BROWSER,
    };
    // "Thu Jan 22 01:22:02 UTC 2015" becomes "22/Jan/2015:01:22:02 +0000".
    let now = SystemClock.now().utc_text();
    let (month, day, year, clock) = (&now[4..7], &now[8..10], &now[24..], &now[11..19]);
    let time = format!("{day}/{month}/{year}:{clock}");
    let (query, bytes) = (dice.below(100_000), dice.below(50_000));
    let mut line = format!(
        "{address} - - [{time} +0000] \"GET {page}?n={query} HTTP/1.1\" 200 {bytes} \"-\" \
         \"{agent}\""
    );
    if dice.below(CUT_OFF_EVERY) == 0 {
        line.truncate(line.len() / 2);
    }
    (address, line)
}

/// Numbers that look random, by the generator SplitMix64.
struct Dice(u64);

impl Dice {
    /// A number from 0 to below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
