//! The one list of what is measured.

use crate::bench::Bench;
use crate::report::Line;
use crate::{
    Failure, application_swap, applications, bare, bare_append, ceiling, deliveries, end_to_end,
    engine, engine_reads, fanout, hostile, http, idle, idle_deliveries, languages, machine,
    many_plugins, partitions, reader, reshard, restart, rollback, shards, split_pause, sql, swap,
    tail, transforms, unavoidable, versions,
};

/// Something to measure.
#[derive(Debug)]
pub struct Row {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// It runs once, because it takes long or repeats by itself.
    pub once: bool,
    /// Does it once.
    pub run: fn(&Bench) -> Result<Vec<Line>, Failure>,
}

const fn row(
    name: &'static str,
    about: &'static str,
    run: fn(&Bench) -> Result<Vec<Line>, Failure>,
) -> Row {
    Row {
        name,
        about,
        once: false,
        run,
    }
}

/// All rows in the order of the table.
pub const ROWS: &[Row] = &[
    row(
        "machine_sync",
        "fdatasync into a prewritten file",
        machine::sync,
    ),
    row(
        "machine_disk",
        "sequential write and read of a file",
        machine::disk,
    ),
    row("machine_bytes", "hashes, base64 and copies", machine::bytes),
    row(
        "unavoidable_500x1k",
        "PutRecords without a server: hash, base64, copy, checksum, durable write",
        unavoidable::large,
    ),
    row(
        "unavoidable_100x100",
        "PutRecords without a server: hash, base64, copy, checksum, durable write",
        unavoidable::small,
    ),
    row(
        "ceiling",
        "the load generator against canned bytes",
        ceiling::run,
    ),
    row(
        "ceiling_get_records",
        "the reader against canned bytes",
        ceiling::get_records,
    ),
    row(
        "bare_put_record",
        "nothing kept: PutRecord of 1 KiB",
        bare::put_record,
    ),
    row(
        "bare_put_records_500x1k",
        "nothing kept: PutRecords",
        bare::put_records_large,
    ),
    row(
        "bare_put_records_100x100",
        "nothing kept: PutRecords",
        bare::put_records_small,
    ),
    row(
        "bare_append_64",
        "a queue, a copy, a durable write; 64 at a time",
        bare_append::sixty_four,
    ),
    row(
        "bare_append_500",
        "a queue, a copy, a durable write; 500 at a time",
        bare_append::five_hundred,
    ),
    row(
        "engine_1",
        "the engine alone, 1 commit at a time",
        engine::one,
    ),
    row(
        "engine_64",
        "the engine alone, 64 at a time",
        engine::sixty_four,
    ),
    row(
        "engine_500",
        "the engine alone, 500 at a time",
        engine::five_hundred,
    ),
    row("put_record", "PutRecord of 1 KiB", http::put_record),
    row(
        "put_records_500x1k",
        "PutRecords of 500 x 1 KiB",
        http::put_records_large,
    ),
    row(
        "put_records_500x1k_cbor",
        "PutRecords of 500 x 1 KiB in CBOR",
        http::put_records_large_cbor,
    ),
    row(
        "put_record_tls",
        "PutRecord of 1 KiB within TLS",
        http::put_record_tls,
    ),
    row(
        "put_records_500x1k_tls",
        "PutRecords of 500 x 1 KiB within TLS",
        http::put_records_large_tls,
    ),
    row(
        "put_records_500x1k_encrypted",
        "PutRecords of 500 x 1 KiB into an encrypted stream",
        http::put_records_large_encrypted,
    ),
    row(
        "put_records_100x100",
        "PutRecords of 100 x 100 B",
        http::put_records_small,
    ),
    row(
        "get_records",
        "GetRecords of a whole stream",
        reader::get_records,
    ),
    row(
        "tail",
        "`millrace stream tail` of a backlog of 100 B records in 8 shards",
        tail::run,
    ),
    row(
        "fanout_push",
        "records pushed to 20 consumers of 5 shards",
        fanout::push,
    ),
    row(
        "fanout_bytes",
        "a backlog pushed to 2 consumers of 16 shards",
        fanout::bytes,
    ),
    row(
        "split_pause",
        "PutRecord while its shard is split and merged",
        split_pause::run,
    ),
    row(
        "reshard_under_load",
        "PutRecords while 1 shard becomes 8 and 3, with a kill -9",
        reshard::run,
    ),
    row(
        "memory",
        "resident before and after 200 MB put",
        http::memory,
    ),
    row(
        "memory_hostile",
        "resident while a plugin makes 250 MB of 210 KB",
        hostile::memory,
    ),
    row(
        "shards_engine",
        "10,000 logs, 10 commits/s each",
        shards::engine,
    ),
    row(
        "shards_http",
        "10,000 shards, 10 records/s each",
        shards::http,
    ),
    Row {
        once: true,
        ..row(
            "idle_shards",
            "10,000 shards with records, nobody doing anything",
            idle::run,
        )
    },
    row(
        "tail_readers",
        "20 readers at the tip of one log",
        engine_reads::tail,
    ),
    row("cold_read", "logs read from the disk", engine_reads::cold),
    row(
        "transform_1",
        "components, 1 record of 100 B a batch",
        transforms::one,
    ),
    row(
        "transform_100",
        "components, 100 records a batch",
        transforms::hundred,
    ),
    row(
        "transform_1000",
        "components, 1,000 records a batch",
        transforms::thousand,
    ),
    row(
        "one_by_one",
        "a batch at once and record by record",
        transforms::one_by_one,
    ),
    row(
        "instantiate",
        "a new instance, ready for a batch",
        versions::instantiate,
    ),
    row(
        "compile_cold",
        "a component never seen before",
        versions::compile_cold,
    ),
    row(
        "compile_cached",
        "a component compiled before",
        versions::compile_cached,
    ),
    row(
        "delivery_uncompressed",
        "a backlog into objects",
        deliveries::uncompressed,
    ),
    row(
        "delivery_parquet",
        "a backlog as rows of Parquet files",
        deliveries::parquet,
    ),
    Row {
        once: true,
        ..row(
            "idle_deliveries",
            "10,000 delivery streams with next to nothing to deliver",
            idle_deliveries::run,
        )
    },
    Row {
        once: true,
        ..row(
            "delivery_partitions",
            "a backlog into 1, 1,000 and 100,000 partitions",
            partitions::run,
        )
    },
    row(
        "delivery_gzip",
        "a backlog into compressed objects",
        deliveries::gzip,
    ),
    row(
        "delivery_transform_gzip",
        "a backlog through a plugin into compressed objects",
        deliveries::transform_gzip,
    ),
    row(
        "sql",
        "continuous queries over records of JSON, on one thread, without a log",
        sql::run,
    ),
    row(
        "application",
        "a backlog through a consumer into a table, and a swap",
        applications::run,
    ),
    row(
        "application_swap",
        "10,000 records a second through a consumer with state, swapped again and again",
        application_swap::run,
    ),
    row(
        "end_to_end",
        "PutRecords through a plugin into objects",
        end_to_end::run,
    ),
    Row {
        once: true,
        ..row(
            "fairness",
            "a delivery beside four whose plugins loop for ever",
            hostile::fairness,
        )
    },
    Row {
        once: true,
        ..row(
            "looping",
            "1,000 records/s of which one a second loops for ever",
            hostile::looping,
        )
    },
    Row {
        once: true,
        ..row(
            "idle_plugins",
            "1,000 plugins that nobody calls, and metrics of them and of 10,000 shards",
            many_plugins::idle,
        )
    },
    Row {
        once: true,
        ..row(
            "fair_plugins",
            "100 plugins that work on the same records",
            many_plugins::fair,
        )
    },
    row(
        "neighbour",
        "a delivery stream beside plugins that attack in four ways",
        hostile::neighbour,
    ),
    row(
        "languages",
        "a record through components of other languages, beside Rust",
        languages::run,
    ),
    row(
        "swap_under_load",
        "a component replaced at 10,000 records/s",
        swap::run,
    ),
    row(
        "rollback",
        "the version before in force again, noted and synced",
        rollback::run,
    ),
    row("start", "an empty server, start to ready", restart::empty),
    row(
        "restart_logs",
        "ready again after kill -9, 10,000 logs",
        restart::logs,
    ),
    Row {
        once: true,
        ..row(
            "restart_10000_shards",
            "first answer after kill -9, 20 streams of 500 shards",
            restart::shards,
        )
    },
    Row {
        once: true,
        ..row(
            "restart_data",
            "ready again after kill -9, much data",
            restart::data,
        )
    },
];
