//! Plugins that take what others need, and what the server and a victim beside them notice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::components::{self, Folder};
use crate::delivering::Delivering;
use crate::destination::Destination;
use crate::echo;
use crate::end_to_end;
use crate::report::{Goal, Line};
use crate::requests::{ACCOUNT, REGION, Service};

/// Of every batch 12 MiB come out, all as its last record.
const AMPLIFY: &str = "
    (if (i32.lt_u (memory.size) (i32.const 200))
      (then (drop (memory.grow (i32.const 200)))))
    (i32.store offset=76 (i32.const 0) (i32.const 65536))
    (i32.store offset=80 (i32.const 0) (i32.const 12582912))
    (i32.store
      (i32.add (local.get $ends)
        (i32.shl (i32.sub (local.get $count) (i32.const 1)) (i32.const 2)))
      (i32.const 12582912))";
const LOOP: &str = "(loop $for_ever (br $for_ever))";
/// Plugins that harm, by their names.
const ATTACKS: [(&str, &str); 4] = [
    ("loops", LOOP),
    (
        "grows",
        "(loop $more (drop (memory.grow (i32.const 16))) (br $more))",
    ),
    ("traps", "(unreachable)"),
    ("amplifies", AMPLIFY),
];
/// Between two times that attackers are given records.
const ATTACK_PAUSE: Duration = Duration::from_millis(100);
const ATTACKER: &str = "attacker";
const VICTIM: &str = "parse-access-log";
/// 210 KB of records.
const AMPLIFIED_RECORDS: usize = 21_000;
const AMPLIFIED_RECORD: &[u8] = b"ten bytes\n";
/// What the server may hold at most meanwhile: its bounds are for a hundred times the input, and
/// one guest's own memory comes on top.
const RESIDENT_PEAK_GOAL_MB: f64 = 200.0;
/// Delivery streams whose plugin loops, and records of each: more than can be given up while a
/// victim is measured.
const LOOPS: usize = 4;
const LOOPED_RECORDS: usize = 5_000;
/// How much later a victim's records may be there than without them.
const RATIO_GOAL: f64 = 1.2;
/// Records of one PutRecordBatch.
const RECORDS_PER_CALL: usize = 500;
/// Longer than it takes to put everything, so that it is one cut.
const INTERVAL_SECONDS: u32 = 5;
/// Loops for ever with a batch in which a record has a `!`.
const LOOP_IF_MARKED: &str = "
    (local.set $source (i32.const 0))
    (block $unmarked
      (loop $look
        (br_if $unmarked (i32.ge_u (local.get $source) (local.get $length)))
        (if (i32.eq
              (i32.load8_u (i32.add (local.get $bytes) (local.get $source)))
              (i32.const 33))
          (then (loop $for_ever (br $for_ever))))
        (local.set $source (i32.add (local.get $source) (i32.const 1)))
        (br $look)))";
/// 1,000 records a second, of which one loops.
const PACED_CALLS_PER_SECOND: usize = 10;
const PACED_RECORDS_PER_CALL: usize = 100;
const MARKED_RECORD: &[u8] = b"loops now!\n";
/// No shorter than this: the first records that loop cost a whole deadline each.
const PACED_TIME_MIN: Duration = Duration::from_secs(30);
/// The part of what comes in that has to be done meanwhile.
const KEEPS_UP_GOAL: f64 = 0.95;
const ACTIVE_MAX: Duration = Duration::from_secs(10);
const DELIVERED_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// What the server keeps in memory while a plugin makes a thousand bytes of each.
pub fn memory(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, ATTACKER, &echo::component_with(AMPLIFY)?)?;
    let dir = bench.fresh_dir()?;
    let server = Server::start_with(bench, dir.path(), Some(&folder.plugins()))?;
    create(server.address, ATTACKER)?;
    let before = server.resident()?;
    put(
        server.address,
        ATTACKER,
        AMPLIFIED_RECORD,
        AMPLIFIED_RECORDS,
    )?;
    let page = until(server.address, ATTACKER, DELIVERED_MAX, |page| {
        page["delivered"] == AMPLIFIED_RECORDS
    })?;
    let after = server.resident()?;
    let out = page["bytesDelivered"].as_f64().unwrap_or_default() / 1e6;
    Ok(vec![
        Line::new("memory_hostile/before", before.now_mb, "MB"),
        Line {
            goal: Some(Goal::AtMost(RESIDENT_PEAK_GOAL_MB)),
            note: format!(
                "at most, while {:.2} MB became {out:.0} MB; {:.0} MB afterwards",
                (AMPLIFIED_RECORDS * AMPLIFIED_RECORD.len()) as f64 / 1e6,
                after.now_mb
            ),
            ..Line::new("memory_hostile", after.peak_mb, "MB")
        },
    ])
}

/// How much later records of one delivery stream are in objects while the plugins of others loop.
pub fn fairness(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let alone = victim(bench, 0)?;
    let beside = victim(bench, LOOPS)?;
    Ok(vec![
        Line {
            latency: alone.latency,
            note: "from the answer until records are in an object, nothing beside".to_owned(),
            ..Line::new("fairness/alone_p99", alone.value, "ms")
        },
        Line {
            latency: beside.latency,
            note: format!("beside {LOOPS} delivery streams whose plugins loop"),
            ..Line::new("fairness/beside_p99", beside.value, "ms")
        },
        Line {
            goal: Some(Goal::AtMost(RATIO_GOAL)),
            note: "times as long".to_owned(),
            ..Line::new("fairness", beside.value / alone.value, "")
        },
    ])
}

/// How much later records of one delivery stream are in objects while plugins beside it attack in
/// every way that costs others something.
pub fn neighbour(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let alone = beside(bench, &[])?;
    let mut lines = vec![Line {
        latency: alone.latency,
        note: "from the answer until records are in an object, nothing beside".to_owned(),
        ..Line::new("neighbour/alone_p99", alone.value, "ms")
    }];
    let each = ATTACKS
        .iter()
        .map(|attack| (attack.0, std::slice::from_ref(attack)));
    for (name, attacks) in each.chain([("all", &ATTACKS[..])]) {
        let beside = beside(bench, attacks)?;
        lines.push(Line {
            latency: beside.latency,
            goal: Some(Goal::AtMost(RATIO_GOAL)),
            note: format!("times as long: p99 {:.1} ms", beside.value),
            ..Line::new(format!("neighbour/{name}"), beside.value / alone.value, "")
        });
    }
    Ok(lines)
}

/// How long the victim's records take beside plugins that are given records to attack with all the
/// time.
fn beside(bench: &Bench, attacks: &[(&str, &str)]) -> Result<Line, Failure> {
    let component = components::built(bench, VICTIM)?;
    let folder = Folder::with(bench, VICTIM, &component)?;
    for (name, attack) in attacks {
        folder.replace(name, &echo::component_with(attack)?)?;
    }
    let destination = Destination {
        size_mib: 64,
        compression: "GZIP",
        plugin: Some(VICTIM),
        converts: false,
        partitions: false,
    };
    let delivering = Delivering::start(bench, folder, &destination)?;
    let address = delivering.server.address;
    for (name, _) in attacks {
        create_through(address, (name, name), 0)?;
    }
    let is_over = AtomicBool::new(false);
    let attack = || {
        while !is_over.load(Ordering::Relaxed) {
            for (name, _) in attacks {
                put(address, name, AMPLIFIED_RECORD, RECORDS_PER_CALL)?;
            }
            thread::sleep(ATTACK_PAUSE);
        }
        Ok::<_, Failure>(())
    };
    thread::scope(|scope| {
        let attacking = scope.spawn(attack);
        let line = end_to_end::latency(bench, &delivering);
        is_over.store(true, Ordering::Relaxed);
        attacking.join().map_err(|_| "an attack panicked")??;
        line
    })
}

/// Whether a lane keeps up with 1,000 records a second of which one loops for ever.
pub fn looping(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, ATTACKER, &echo::component_with(LOOP_IF_MARKED)?)?;
    let dir = bench.fresh_dir()?;
    let server = Server::start_with(bench, dir.path(), Some(&folder.plugins()))?;
    let address = server.address;
    create_with(address, ATTACKER, 0)?;
    let seconds = bench.options.duration().max(PACED_TIME_MIN).as_secs();
    let calls = usize::try_from(seconds)? * PACED_CALLS_PER_SECOND;
    let looping = calls.div_ceil(PACED_CALLS_PER_SECOND);
    let begin = Instant::now();
    let mut lag_max = 0;
    for call in 0..calls {
        let due = begin + Duration::from_secs_f64(call as f64 / PACED_CALLS_PER_SECOND as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut records = vec![AMPLIFIED_RECORD; PACED_RECORDS_PER_CALL];
        if call % PACED_CALLS_PER_SECOND == 0 {
            records[PACED_RECORDS_PER_CALL / 2] = MARKED_RECORD;
        }
        put_call(address, ATTACKER, &records)?;
        let waiting = page(address, ATTACKER)?["waitingRecords"].as_u64();
        lag_max = lag_max.max(waiting.ok_or("no number of waiting records")?);
    }
    let records = calls * PACED_RECORDS_PER_CALL;
    let came_in = records as f64 / begin.elapsed().as_secs_f64();
    let page = until(address, ATTACKER, DELIVERED_MAX, |page| {
        page["waitingRecords"] == 0
    })?;
    let done = records as f64 / begin.elapsed().as_secs_f64();
    if page["delivered"] != records - looping || page["failed"] != looping {
        return Err(format!("{looping} of {records} records loop: {page}").into());
    }
    Ok(vec![
        Line {
            goal: Some(Goal::AtLeast(KEEPS_UP_GOAL * came_in)),
            note: format!(
                "{came_in:.0} records/s came in for {seconds} s, one a second loops; until all \
                 were done, and no other failed"
            ),
            ..Line::new("looping", done, "records/s")
        },
        Line {
            note: "the most that waited at a time".to_owned(),
            ..Line::new("looping/lag", lag_max as f64, "records")
        },
    ])
}

/// How long the victim's records take beside so many delivery streams whose plugins loop.
fn victim(bench: &Bench, loops: usize) -> Result<Line, Failure> {
    let component = components::built(bench, VICTIM)?;
    let folder = Folder::with(bench, VICTIM, &component)?;
    folder.replace(ATTACKER, &echo::component_with(LOOP)?)?;
    let destination = Destination {
        size_mib: 64,
        compression: "GZIP",
        plugin: Some(VICTIM),
        converts: false,
        partitions: false,
    };
    let delivering = Delivering::start(bench, folder, &destination)?;
    let address = delivering.server.address;
    let names: Vec<String> = (0..loops).map(|number| format!("loop-{number}")).collect();
    for name in &names {
        create(address, name)?;
        put(address, name, AMPLIFIED_RECORD, LOOPED_RECORDS)?;
    }
    if loops > 0 {
        // Their cuts close, and their guests begin to loop.
        thread::sleep(Duration::from_secs(u64::from(2 * INTERVAL_SECONDS)));
    }
    let line = end_to_end::latency(bench, &delivering)?;
    for name in &names {
        if page(address, name)?["waitingRecords"] != LOOPED_RECORDS {
            return Err("a plugin that loops was given up before the end".into());
        }
    }
    Ok(line)
}

/// Makes a delivery stream for direct puts behind the attacker.
fn create(address: SocketAddr, name: &str) -> Result<(), Failure> {
    create_with(address, name, INTERVAL_SECONDS)
}

/// The same whose records wait for others for so long.
fn create_with(address: SocketAddr, name: &str, interval_seconds: u32) -> Result<(), Failure> {
    create_through(address, (name, ATTACKER), interval_seconds)
}

/// The same behind another plugin.
fn create_through(
    address: SocketAddr,
    (name, plugin): (&str, &str),
    interval_seconds: u32,
) -> Result<(), Failure> {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{plugin}");
    let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
    let processors = json!([{"Type": "Lambda", "Parameters": [parameter]}]);
    let input = json!({
        "DeliveryStreamName": name,
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": format!("arn:aws:iam::{ACCOUNT}:role/bench"),
            "BucketARN": format!("arn:aws:s3:::{name}"),
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": interval_seconds},
            "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
        },
    });
    calls::call_of(Service::DELIVERY, address, "CreateDeliveryStream", &input)?;
    until(address, name, ACTIVE_MAX, |page| page["status"] == "ACTIVE")?;
    Ok(())
}

fn put(address: SocketAddr, name: &str, record: &[u8], count: usize) -> Result<(), Failure> {
    let mut left = count;
    while left > 0 {
        let now = left.min(RECORDS_PER_CALL);
        put_call(address, name, &vec![record; now])?;
        left -= now;
    }
    Ok(())
}

fn put_call(address: SocketAddr, name: &str, records: &[&[u8]]) -> Result<(), Failure> {
    let record = |data: &&[u8]| json!({"Data": STANDARD.encode_to_string(data)});
    let records: Vec<Value> = records.iter().map(record).collect();
    let input = json!({"DeliveryStreamName": name, "Records": records});
    let answer = calls::call_of(Service::DELIVERY, address, "PutRecordBatch", &input)?;
    if answer["FailedPutCount"] != 0 {
        return Err("a record was not put".into());
    }
    Ok(())
}

fn page(address: SocketAddr, name: &str) -> Result<Value, Failure> {
    calls::page(address, &format!("/_millrace/delivery-streams/{name}"))
}

fn until(
    address: SocketAddr,
    name: &str,
    max: Duration,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let begin = Instant::now();
    loop {
        let page = page(address, name)?;
        if is_so(&page) {
            return Ok(page);
        }
        if begin.elapsed() > max {
            return Err(format!("waited for more than {max:?}: {page}").into());
        }
        thread::sleep(LOOK);
    }
}
