//! Many plugins in one server: what a thousand take that do nothing, how evenly a hundred share two
//! processors, and what looking at all of that costs others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::{METRICS_TOKEN, Server};
use crate::components::{self, Folder};
use crate::consumer_guest::ConsumerGuest;
use crate::generator::{Generator, Load, Pace};
use crate::puts;
use crate::report::{Goal, Line};
use crate::requests::Batch;
use crate::shards;

/// A plugin of this repository, of which there are many, each of another content.
const PLUGIN: &str = "drop-bots";
const IDLE_PLUGINS: usize = 1_000;
/// 1 GiB.
const IDLE_RESIDENT_GOAL_MB: f64 = 1_073.7;
const STREAM: &str = "bench";
/// Puts a second while somebody looks, and how much longer one may take for that.
const PUTS_PER_SECOND: f64 = 200.0;
const LOOKED_AT_GOAL: f64 = 1.5;
/// As Prometheus does it at its quickest.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(60);

const ACTIVE_PLUGINS: usize = 100;
/// Each record is worked on for so many turns of a loop: a batch of 1,000 takes some 10 ms.
const TURNS: u32 = 20_000;
/// A batch more or less is a few hundredths of what a plugin has done by half of the time.
const RECORDS_PER_PLUGIN: usize = 60_000;
const RECORDS_PER_CALL: usize = 500;
/// The part by which the plugin that got most may be before the one that got least.
const SPREAD_GOAL: f64 = 0.1;
/// When it is looked how far each plugin has come: by then as much is done as a half of all.
const HALF_DONE: f64 = 0.5;
const DONE_MAX: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);

/// A thousand plugins that nobody calls, and then ten thousand shards, looked at each second.
pub fn idle(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let component = components::built(bench, PLUGIN)?;
    let names: Vec<_> = (0..IDLE_PLUGINS).map(|it| format!("idle-{it}")).collect();
    let folder = Folder::of_many(bench, &names, |place| {
        components::numbered(&component, place)
    })?;
    let dir = bench.fresh_dir()?;
    let begin = Instant::now();
    let server = Server::start_with(bench, dir.path(), Some(&folder.plugins()))?;
    let loaded = begin.elapsed();
    let running = calls::page(server.address, "/_millrace/plugins")?;
    let running = running["plugins"].as_array().ok_or("no plugins")?;
    let running = running.iter().filter(|it| it["state"] == "running").count();
    if running != IDLE_PLUGINS {
        return Err(format!("{running} of {IDLE_PLUGINS} plugins are in force").into());
    }
    let resident = server.resident()?;
    let mut lines = vec![
        Line {
            goal: Some(Goal::AtMost(IDLE_RESIDENT_GOAL_MB)),
            note: format!(
                "{IDLE_PLUGINS} x {PLUGIN}, each of another content; at most {:.0} MB",
                resident.peak_mb
            ),
            ..Line::new("idle_plugins", resident.now_mb, "MB")
        },
        Line {
            note: "until all were compiled and in force".to_owned(),
            ..Line::new("idle_plugins/loaded", loaded.as_secs_f64(), "s")
        },
    ];
    lines.extend(looked_at(bench, &server)?);
    Ok(lines)
}

/// What a look at metrics takes, and what those notice of it who put records.
fn looked_at(bench: &Bench, server: &Server) -> Result<Vec<Line>, Failure> {
    let address = server.address;
    calls::create_stream(address, STREAM, shards::SHARDS)?;
    let requests = puts::requests(address, STREAM, &Batch::ONE)?;
    let mut generator = Generator::connect(address, bench.options.connections)?;
    let mut put = || {
        generator.run(&Load {
            requests: &requests,
            pace: Pace::PerSecond(PUTS_PER_SECOND),
            duration: bench.options.duration(),
            enough: u64::MAX,
        })
    };
    let alone = put()?;
    let is_over = AtomicBool::new(false);
    let (beside, looks) = thread::scope(|scope| {
        let looking = scope.spawn(|| look_until(address, &is_over));
        let beside = put();
        is_over.store(true, Ordering::Relaxed);
        let looks = looking.join();
        (beside, looks)
    });
    let beside = beside?;
    let looks = looks.map_err(|_| "looking at metrics panicked")??;
    let [alone_ms, beside_ms] = [&alone, &beside].map(|it| it.latency.p99_us / 1e3);
    let shards = shards::SHARDS;
    Ok(vec![
        Line {
            note: format!(
                "the longest of {}, {:.1} MB of text; {shards} shards, {IDLE_PLUGINS} plugins",
                looks.count,
                looks.bytes as f64 / 1e6
            ),
            ..Line::new(
                "idle_plugins/metrics",
                looks.longest.as_secs_f64() * 1e3,
                "ms",
            )
        },
        Line {
            latency: Some(alone.latency),
            note: format!("PutRecord, {PUTS_PER_SECOND} a second, while nobody looks"),
            ..Line::new("idle_plugins/alone_p99", alone_ms, "ms")
        },
        Line {
            latency: Some(beside.latency),
            note: "the same beside the looks".to_owned(),
            ..Line::new("idle_plugins/looked_at_p99", beside_ms, "ms")
        },
        Line {
            goal: Some(Goal::AtMost(LOOKED_AT_GOAL)),
            note: "times as long".to_owned(),
            ..Line::new("idle_plugins/looked_at", beside_ms / alone_ms, "")
        },
    ])
}

struct Looks {
    count: usize,
    longest: Duration,
    bytes: usize,
}

/// Looks at all metrics each second.
fn look_until(address: SocketAddr, is_over: &AtomicBool) -> Result<Looks, Failure> {
    let mut looks = Looks {
        count: 0,
        longest: Duration::ZERO,
        bytes: 0,
    };
    while looks.count == 0 || !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        looks.bytes = metrics(address)?.len();
        looks.longest = looks.longest.max(begin.elapsed());
        looks.count += 1;
        thread::sleep(SCRAPE_EVERY.saturating_sub(begin.elapsed()));
    }
    Ok(looks)
}

/// The metrics of all accounts.
fn metrics(address: SocketAddr) -> Result<Vec<u8>, Failure> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWER_MAX))?;
    write!(
        socket,
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {METRICS_TOKEN}\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(answer)
    } else {
        Err("no metrics".into())
    }
}

/// A hundred plugins that each work on all records of one stream: how far each has come when half
/// of all is done.
pub fn fair(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let works = format!(
        "(local.set $i (i32.mul (local.get $count) (i32.const {TURNS})))
         (loop $work
           (local.set $i (i32.sub (local.get $i) (i32.const 1)))
           (br_if $work (local.get $i)))"
    );
    let component = ConsumerGuest::processing(&works).component();
    let names: Vec<_> = (0..ACTIVE_PLUGINS)
        .map(|it| format!("active-{it}"))
        .collect();
    let folder = Folder::of_many(bench, &names, |place| {
        components::numbered(&component, place)
    })?;
    let dir = bench.fresh_dir()?;
    let server = Server::start_with(bench, dir.path(), Some(&folder.plugins()))?;
    let address = server.address;
    calls::create_stream(address, STREAM, 1)?;
    for name in &names {
        let path = format!("/_millrace/apps/{name}/create");
        calls::post(address, &path, &json!({"stream": STREAM, "plugin": name}))?;
    }
    // All of them wait by now, and begin with the first record.
    let records: Vec<_> = (0..RECORDS_PER_CALL)
        .map(|_| json!({"Data": "eA==", "PartitionKey": "x"}))
        .collect();
    let begin = Instant::now();
    for _ in 0..RECORDS_PER_PLUGIN / RECORDS_PER_CALL {
        let input = json!({"StreamName": STREAM, "Records": records});
        calls::call(address, "PutRecords", &input)?;
    }
    let all = (ACTIVE_PLUGINS * RECORDS_PER_PLUGIN) as f64;
    let (done, took) = loop {
        let done = done_of_each(address)?;
        if done.len() != ACTIVE_PLUGINS {
            return Err(format!("{} applications", done.len()).into());
        }
        if done.iter().sum::<f64>() >= HALF_DONE * all {
            break (done, begin.elapsed());
        }
        if begin.elapsed() > DONE_MAX {
            return Err(format!("half of all was not done: {done:?}").into());
        }
        thread::sleep(LOOK);
    };
    let (least, most) = done.iter().fold((f64::MAX, 0.0), |(least, most), it| {
        (it.min(least), it.max(most))
    });
    Ok(vec![
        Line {
            note: format!("{least} to {most} records of each of {ACTIVE_PLUGINS} plugins"),
            ..Line::new(
                "fair_plugins/rate",
                done.iter().sum::<f64>() / took.as_secs_f64(),
                "records/s",
            )
        },
        Line {
            goal: Some(Goal::AtMost(SPREAD_GOAL)),
            note: "between the least and the most, as a part of the most".to_owned(),
            ..Line::new("fair_plugins", (most - least) / most, "")
        },
    ])
}

/// Records that each application has worked on so far.
fn done_of_each(address: SocketAddr) -> Result<Vec<f64>, Failure> {
    let page = calls::page(address, "/_millrace/apps")?;
    let apps = page["apps"].as_array().ok_or("no applications")?;
    let done = apps.iter().map(|app| app["processed"].as_f64());
    let done: Option<Vec<f64>> = done.collect();
    done.ok_or_else(|| format!("an application without a count: {page}").into())
}
