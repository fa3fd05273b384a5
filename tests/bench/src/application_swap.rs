//! A consumer that keeps state, swapped again and again while records flow: how long a record waits
//! then, and whether any was lost or counted twice, in its table and in its state.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use store::{BodyBuilder, LogId};

use crate::Failure;
use crate::bench::Bench;
use crate::components::Folder;
use crate::consumer_guest::ConsumerGuest;
use crate::counter::counter_that;
use crate::engine::append;
use crate::hosting::{PLUGIN, World};
use crate::report::{Goal, Line};

/// Records of one frame, and how often one is put: 10,000 records a second.
const RECORDS_PER_FRAME: u64 = 100;
const FRAME_EVERY: Duration = Duration::from_millis(10);
/// Different records: rows of the table.
const WORDS: u64 = 1_000;
/// How often another version is put in the place of the one at work.
const SWAP_EVERY: Duration = Duration::from_millis(1_500);
/// A record that arrives this long after a version came into force may have waited for the swap.
const SWAP_SPAN: Duration = Duration::from_millis(500);
/// Enough for three swaps.
const TIME_MIN: Duration = Duration::from_secs(6);
/// What a word begins with.
const WORD: &str = "word-";
/// More rows than the table has.
const ROWS_MAX: usize = 2_000;
/// As for a delivery stream.
const GOAL_MS: f64 = 1_000.0;
/// A record that begins so is answered with the state, in the row of its key.
const ASKS: &str = "?";

/// Counts words; asked, puts how many records its state has seen. `number` tells it from others.
fn counter(number: usize) -> ConsumerGuest {
    let mut guest = counter_that(
        "(if (call $begins (local.get $at) (local.get $length) (i32.const 63))
           (then (call $put (i32.const 256) (i32.const 5) (local.get $at) (local.get $length)
             (i32.const 336) (i32.const 8) (i32.const 96))))",
    );
    let number = format!("(global $number i32 (i32.const {number}))");
    guest.fields.push_str(&number);
    guest
}

/// Records at an even pace, with a swap every one and a half seconds.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &counter(0).component())?;
    let dir = bench.fresh_dir()?;
    bench.runtime()?.block_on(async {
        let world = World::open(dir.path(), folder.open()?).await?;
        let logs = world.make().await?;
        world.make_application().await?;
        let mut flow = Flow::begin(&world, &logs);
        let lasting = bench.options.duration().max(TIME_MIN);
        let waits = flow.run(&folder, lasting).await?;
        let put = flow.put;
        let counted = Counted::in_table(&world, &logs, put).await?;
        world.close().await?;
        Ok(lines(&waits, &counted, put))
    })
}

/// Records on their way.
struct Flow<'a> {
    world: &'a World,
    logs: &'a [LogId],
    put: u64,
    /// How many there were after a frame, and when it was put.
    on_the_way: VecDeque<(u64, Instant)>,
}

/// How long records waited.
#[derive(Default)]
struct Waits {
    swaps: usize,
    /// The longest of a record that arrived around a swap, and of all others.
    around: Duration,
    between: Duration,
}

impl<'a> Flow<'a> {
    fn begin(world: &'a World, logs: &'a [LogId]) -> Self {
        Self {
            world,
            logs,
            put: 0,
            on_the_way: VecDeque::new(),
        }
    }

    async fn run(&mut self, folder: &Folder, lasting: Duration) -> Result<Waits, Failure> {
        let mut waits = Waits::default();
        let begin = Instant::now();
        let (mut next_frame, mut next_swap) = (begin, begin + SWAP_EVERY);
        let (mut version, mut swapped) = (self.world.version()?, None);
        while begin.elapsed() < lasting || !self.on_the_way.is_empty() {
            let now = Instant::now();
            if now >= next_frame && begin.elapsed() < lasting {
                self.put_frame().await?;
                next_frame += FRAME_EVERY;
            }
            if now >= next_swap && begin.elapsed() < lasting {
                waits.swaps += 1;
                folder.replace(PLUGIN, &counter(waits.swaps).component())?;
                next_swap += SWAP_EVERY;
            }
            let in_force = self.world.version()?;
            if in_force != version {
                (version, swapped) = (in_force, Some(now));
            }
            self.take_what_is_done(&mut waits, swapped)?;
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok(waits)
    }

    async fn put_frame(&mut self) -> Result<(), Failure> {
        let mut body = BodyBuilder::default();
        for number in self.put..self.put + RECORDS_PER_FRAME {
            let word = format!("{WORD}{}", number % WORDS);
            body.push("key", word.as_bytes()).ok_or("a frame is full")?;
        }
        let shard = usize::try_from(self.put / RECORDS_PER_FRAME)? % self.logs.len();
        let begin = Instant::now();
        append(&self.world.engine, self.logs[shard], &body.finish()).await?;
        self.put += RECORDS_PER_FRAME;
        self.on_the_way.push_back((self.put, begin));
        Ok(())
    }

    /// The oldest frame is done when as many records are processed as there were after it.
    fn take_what_is_done(
        &mut self,
        waits: &mut Waits,
        swapped: Option<Instant>,
    ) -> Result<(), Failure> {
        let status = self.world.status()?;
        if let Some(why) = status.told_trouble() {
            return Err(why.into());
        }
        let processed = status.summary().counts.processed;
        while let Some((count, put)) = self.on_the_way.front().copied() {
            if count > processed {
                return Ok(());
            }
            self.on_the_way.pop_front();
            let is_around = swapped.is_some_and(|at| put + SWAP_SPAN > at && put < at + SWAP_SPAN);
            let longest = if is_around {
                &mut waits.around
            } else {
                &mut waits.between
            };
            *longest = (*longest).max(put.elapsed());
        }
        Ok(())
    }
}

/// What the table and the states say in the end.
struct Counted {
    /// The sum of all words' rows.
    words: u64,
    /// How many records the states have seen.
    seen: u64,
    /// Rows that are not what each word was put.
    wrong: usize,
}

impl Counted {
    async fn in_table(world: &World, logs: &[LogId], put: u64) -> Result<Self, Failure> {
        for (shard, log) in logs.iter().enumerate() {
            let mut body = BodyBuilder::default();
            let asks = format!("{ASKS}{shard}");
            body.push("key", asks.as_bytes()).ok_or("a frame is full")?;
            append(&world.engine, *log, &body.finish()).await?;
        }
        world.until_done(put + logs.len() as u64).await?;
        let mut counted = Self {
            words: 0,
            seen: 0,
            wrong: 0,
        };
        for (key, value) in world.rows(ROWS_MAX).await? {
            let value = u64::from_le_bytes(value.as_ref().try_into()?);
            if key.starts_with(ASKS.as_bytes()) {
                // The record that asked was counted after it was answered.
                counted.seen += value - 1;
            } else {
                let number: u64 = std::str::from_utf8(&key)?
                    .trim_start_matches(WORD)
                    .parse()?;
                let expected = (put - number).div_ceil(WORDS);
                counted.words += value;
                counted.wrong += usize::from(value != expected);
            }
        }
        Ok(counted)
    }
}

fn lines(waits: &Waits, counted: &Counted, put: u64) -> Vec<Line> {
    let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
    let none_of = |name: &str, count: u64| Line {
        goal: Some(Goal::AtMost(0.0)),
        ..Line::new(format!("application_swap/{name}"), count as f64, "")
    };
    vec![
        Line {
            goal: Some(Goal::AtMost(GOAL_MS)),
            note: format!(
                "the longest from a put until its effects are durable, around {} swaps; at other \
                 times {:.1} ms",
                waits.swaps,
                ms(waits.between)
            ),
            ..Line::new("application_swap", ms(waits.around), "ms")
        },
        none_of("lost", put.saturating_sub(counted.words)),
        none_of("repeated", counted.words.saturating_sub(put)),
        none_of("wrong_rows", counted.wrong as u64),
        Line {
            note: "records that states have seen more or less than were put".to_owned(),
            ..none_of("state", counted.seen.abs_diff(put))
        },
    ]
}
