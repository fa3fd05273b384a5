//! What a server does with ten thousand delivery streams of which hardly any has something to
//! deliver: five thousand, the most that one account may have, in each of two accounts.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::bench::Bench;
use crate::calls::{self, As};
use crate::child::Server;
use crate::report::Line;
use crate::requests::Service;

const ACCOUNTS: [As; 2] = [As::Bench, As::Other];
const PER_ACCOUNT: usize = 5_000;
/// How long the last one may take to become ACTIVE, and to deliver its record.
const DONE_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
/// Longer than a lane keeps what it delivered with.
const SETTLE: Duration = Duration::from_secs(20);
/// For so long one record is put after the other, each into another delivery stream.
const IDLE: Duration = Duration::from_secs(60);
const BETWEEN_PUTS: Duration = Duration::from_millis(100);

/// Memory, and the share of a processor, once each of them has delivered something.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    let address = server.address;
    let empty = server.resident()?.now_mb;
    let begin = Instant::now();
    for (who, number) in all() {
        of(address, who, "CreateDeliveryStream", &input(number))?;
    }
    let made = begin.elapsed();
    for (who, number) in all() {
        is_active(address, who, number)?;
        put(address, who, number)?;
    }
    thread::sleep(SETTLE);
    let (idle, cpu) = (server.resident()?, server.cpu()?);
    let begin = Instant::now();
    let mut puts = 0_usize;
    while begin.elapsed() < IDLE {
        // A prime, so that they are far apart.
        let number = puts * 7_919 % PER_ACCOUNT;
        put(address, ACCOUNTS[puts % ACCOUNTS.len()], number)?;
        puts += 1;
        thread::sleep(BETWEEN_PUTS);
    }
    let cpu = server.cpu()?.saturating_sub(cpu);
    let busy = server.resident()?;
    let count = ACCOUNTS.len() * PER_ACCOUNT;
    Ok(vec![
        Line {
            note: format!(
                "{count} delivery streams, made in {:.0} s",
                made.as_secs_f64()
            ),
            ..Line::new("idle_deliveries/resident", idle.now_mb, "MB")
        },
        Line {
            note: format!("beyond {empty:.0} MB of a server without any"),
            ..Line::new(
                "idle_deliveries/each",
                1e3 * (idle.now_mb - empty) / count as f64,
                "KB",
            )
        },
        Line {
            note: format!(
                "{puts} records meanwhile, each into another one and delivered; then {:.0} MB",
                busy.now_mb
            ),
            ..Line::new(
                "idle_deliveries/processor",
                100.0 * cpu.as_secs_f64() / begin.elapsed().as_secs_f64(),
                "% of one",
            )
        },
    ])
}

fn all() -> impl Iterator<Item = (As, usize)> {
    let accounts = ACCOUNTS.into_iter();
    accounts.flat_map(|who| (0..PER_ACCOUNT).map(move |number| (who, number)))
}

fn name(number: usize) -> String {
    format!("idle-{number}")
}

fn input(number: usize) -> Value {
    json!({
        "DeliveryStreamName": name(number),
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/bench",
            "BucketARN": "arn:aws:s3:::bench",
            "Prefix": format!("{}/", name(number)),
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    })
}

fn is_active(address: SocketAddr, who: As, number: usize) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let asked = json!({"DeliveryStreamName": name(number)});
        let described = of(address, who, "DescribeDeliveryStream", &asked)?;
        let status = &described["DeliveryStreamDescription"]["DeliveryStreamStatus"];
        if status == "ACTIVE" {
            return Ok(());
        }
        if DONE_MAX < begin.elapsed() {
            return Err(format!("{} is {status}", name(number)).into());
        }
        thread::sleep(LOOK);
    }
}

fn put(address: SocketAddr, who: As, number: usize) -> Result<(), Failure> {
    // "a line", in base64.
    let input = json!({"DeliveryStreamName": name(number), "Record": {"Data": "YSBsaW5l"}});
    of(address, who, "PutRecord", &input)?;
    Ok(())
}

fn of(address: SocketAddr, who: As, operation: &str, input: &Value) -> Result<Value, Failure> {
    calls::call_as(who, (Service::DELIVERY, address), operation, input)
}
