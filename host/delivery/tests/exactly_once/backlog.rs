//! Cuts that come after each other while more waits than goes together: the next one is worked on
//! while the objects of the one before are put, and nothing of it leaves before its turn.

use std::sync::Arc;

use serde_json::json;
use wasm::Plugins;

use crate::buckets::{Buckets, Does};
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, Origin, World, destination, in_time, processing};

const FILTER: &str = "drop-bots";
/// Calls whose records go together: a third is more than a mebibyte.
const CALLS_PER_CUT: usize = 3;
const RECORDS_PER_CALL: usize = 11;
const RECORDS_PER_CUT: u64 = (CALLS_PER_CUT * RECORDS_PER_CALL) as u64;
const CUTS: usize = 4;

/// A delivery stream with four cuts' records, whose first object is under way to a store that does
/// not answer, and whose second cut was worked on.
struct Backlog {
    world: World,
    ledger: Ledger,
    buckets: Buckets,
    components: Arc<Components>,
}

impl Backlog {
    async fn behind(does: Does) -> Self {
        let components = Arc::new(Components::of(&[FILTER]));
        let world = World::open(components.ground(1)).await;
        let mut first = destination("first", "a/");
        first["ProcessingConfiguration"] = processing(Some(FILTER));
        first["BufferingHints"] = json!({"SizeInMBs": 1, "IntervalInSeconds": 900});
        world.create(Origin::Direct, &first).await;
        let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
        buckets.rule(move |call, _| match call {
            1 => does,
            _ => Does::Well,
        });
        components.remove(FILTER).await;
        let mut kinds = [Kind::Line; RECORDS_PER_CALL];
        kinds[4] = Kind::Bot;
        for _ in 0..CUTS * CALLS_PER_CUT {
            assert!(world.put(&ledger, Origin::Direct, &kinds, 0).await);
        }
        components.add(FILTER).await;
        let backlog = Self {
            world,
            ledger,
            buckets,
            components,
        };
        let ahead = async {
            while backlog.cuts_worked_on() < 2 {
                tokio::task::yield_now().await;
            }
        };
        in_time("work on the second cut", ahead).await;
        assert_eq!(backlog.buckets.calls(), 1, "nothing of it leaves");
        backlog
    }

    /// Cuts that the plugin was given all records of.
    fn cuts_worked_on(&self) -> u64 {
        cuts_worked_on(&self.components.plugins)
    }

    /// All is delivered; how many objects lie in the buckets `first` and `second`.
    async fn finished(self) -> (usize, usize) {
        assert!(self.world.flush().await, "{:?}", self.world.status());
        let status = self.world.status().unwrap();
        check(&self.ledger, &self.buckets, &status, Through::Filter);
        self.world.close().await;
        let names = self.buckets.objects().into_keys();
        let (first, second): (Vec<_>, Vec<_>) = names.partition(|(bucket, _)| bucket == "first");
        (first.len(), second.len())
    }

    /// The same with the next process, after the one before was killed.
    async fn killed(self) -> Self {
        let ground = self.world.ground.clone();
        let (disk, buckets) = self.buckets.cut_off(|| ground.disk.after_kill());
        self.world.give_up().await;
        let ground = Ground {
            disk,
            buckets: buckets.clone(),
            ..ground
        };
        let world = World::open(ground).await;
        Self {
            world,
            buckets,
            ..self
        }
    }
}

fn cuts_worked_on(plugins: &Plugins) -> u64 {
    let plugins = plugins.list();
    let version = plugins[0].version.as_ref().unwrap();
    version.counters().records.value() / RECORDS_PER_CUT
}

const HANGS: [Does; 2] = [Does::HangBefore, Does::HangAfter];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_worked_on_ahead_is_put_in_its_turn() {
    for does in HANGS {
        let backlog = Backlog::behind(does).await;
        let components = Arc::clone(&backlog.components);
        backlog.buckets.release();
        assert_eq!(backlog.finished().await, (CUTS, 0));
        let worked_on = cuts_worked_on(&components.plugins);
        assert_eq!(worked_on, CUTS as u64, "each once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_worked_on_ahead_goes_by_a_configuration_that_came_meanwhile() {
    for does in HANGS {
        let backlog = Backlog::behind(does).await;
        let second = json!({"BucketARN": "arn:aws:s3:::second"});
        backlog.world.update(1, &second).await.unwrap();
        backlog.buckets.release();
        assert_eq!(backlog.finished().await, (1, CUTS - 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_worked_on_ahead_is_forgotten_with_the_process() {
    for does in HANGS {
        let backlog = Backlog::behind(does).await.killed().await;
        assert_eq!(backlog.finished().await, (CUTS, 0));
    }
}
