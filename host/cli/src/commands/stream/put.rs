//! `millrace stream put`.

mod batch;

use std::io::{BufRead, Read};

use clap::Args;
use tokio::sync::mpsc;

pub(crate) use batch::{Batch, Waiting};

use super::shapes::{Landed, NewRecord, PutRecord};
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Data that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// Bytes of one line: the most that a record of any stream may have.
const LINE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Lines that are read ahead of being put.
const LINES_AHEAD_MAX: usize = 1_000;

#[derive(Args)]
pub(crate) struct PutArgs {
    /// The stream's name
    name: String,
    /// What picks the shard; without it, records are spread over all shards
    #[arg(long, value_name = "KEY")]
    partition_key: Option<String>,
    /// The record's data; '-' puts one record for every line of standard input. A record that its
    /// shard refuses for a moment is put again, and may then come after later lines
    #[arg(default_value = STANDARD_INPUT)]
    data: String,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &PutArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    match args.data.as_str() {
        STANDARD_INPUT => put_lines(&mut client, args).await,
        data => put_one(&mut client, args, data).await,
    }
}

async fn put_one(client: &mut Client, args: &PutArgs, data: &str) -> Result<(), Failure> {
    let spread = spread_key(0);
    let input = PutRecord {
        stream_name: &args.name,
        record: NewRecord {
            data: base64_simd::STANDARD.encode_to_string(data),
            partition_key: args.partition_key.as_deref().unwrap_or(&spread),
        },
    };
    let Landed {
        shard_id,
        sequence_number,
    } = client.call("PutRecord", &input).await?;
    Ok(output::lines(&format!("{shard_id} {sequence_number}"))?)
}

async fn put_lines(client: &mut Client, args: &PutArgs) -> Result<(), Failure> {
    let (lines, mut read) = mpsc::channel(LINES_AHEAD_MAX);
    // A thread of its own: reading a terminal cannot be given up.
    std::thread::spawn(move || read_lines(&lines));
    let mut count = 0;
    let mut batch = Batch::new(&args.name);
    while let Some(line) = read.recv().await {
        let mut next = Some(line);
        while let Some(line) = next {
            count += 1;
            let key = args.partition_key.clone();
            if !batch.add(key.unwrap_or_else(|| spread_key(count)), line?) {
                batch.put(client).await?;
            }
            // Lines that are there already go with the same call.
            next = read.try_recv().ok();
        }
        batch.put(client).await?;
    }
    let word = if count == 1 { "record" } else { "records" };
    Ok(output::lines(&format!(
        "{} {word} put",
        output::count(count)
    ))?)
}

/// Sends every line without its end, until there are no more or nobody takes them.
fn read_lines(lines: &mpsc::Sender<Result<Vec<u8>, String>>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let sent = match (&mut input)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => return,
            Ok(_) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                match u64::try_from(line.len()) {
                    Ok(length) if length <= LINE_BYTES_MAX => lines.blocking_send(Ok(line)),
                    _ => lines.blocking_send(Err("a line is longer than 10 MiB".to_owned())),
                }
            }
            Err(error) => lines.blocking_send(Err(format!("read standard input: {error}"))),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// A partition key for the record that is number `count`.
fn spread_key(count: u64) -> String {
    format!("{}-{count}", std::process::id())
}
