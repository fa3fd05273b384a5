//! How much memory a cut needs while it is worked on. Pure.

use store::Position;
use types::Timestamp;
use types::aggregate::USER_RECORD_BYTES_MIN;
use types::limits::DATA_BYTES_MAX;

use crate::compression::Compression;
use crate::content::{BACKUP_OBJECT_BYTES_MAX, CHUNK_BYTES, FAILED_OBJECT_BYTES_MAX};
use crate::cut::{self, Cut, OBJECT_BYTES_MAX};
use crate::delivery_stream::Destination;
use crate::open_cut::WHY_CHARS_MAX;
use crate::packed::zstandard;
use crate::partitions::BEGUN_BYTES_MAX;
use crate::pins::Pins;
use crate::sink::envelope::{BODY_BYTES_MAX, Envelope, RECORDS_MAX};
use crate::worker::UNPACKED_BYTES_AT_ONCE;

/// Bytes that are read of a log at once.
pub const READ_BYTES: usize = 1024 * 1024;
/// No less than a frame: what the store takes in one transaction.
const FRAME_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// No less than the records of a frame, whatever they are and whether or not they are aggregated.
const FRAME_RECORDS_MAX: u64 = FRAME_BYTES_MAX / USER_RECORD_BYTES_MIN as u64;
/// Frames that are worked on, those that are read meanwhile, and those before them that the batch
/// at work began with: a guest may ask for their records' metadata.
const FRAMES_BYTES_MAX: u64 = 3 * (READ_BYTES as u64 + FRAME_BYTES_MAX);
/// What a compressor takes, and an object of each kind that has only begun.
const BEGUN_BYTES: u64 = 2 * CHUNK_BYTES as u64 + COMPRESSOR_BYTES;
const COMPRESSOR_BYTES: u64 = 512 * 1024;
/// What the largest compressor takes besides.
const COMPRESSOR_MORE_BYTES_MAX: u64 = zstandard::ENCODER_BYTES as u64 - COMPRESSOR_BYTES;
/// No less than the lines of all records of a batch that fail, or of one large record: data in
/// base64, and 10 KiB a record of a reason in which every character is escaped.
const FAILED_BATCH_BYTES_MAX: u64 = 24 * 1024 * 1024;
/// What the host is charged for an output of a plugin besides its bytes, at least: its source, its
/// status and its end. So many outputs a batch can have, each of which gets a delimiter.
const OUTPUT_HEAD_BYTES: u64 = 12;

/// What a byte of a record that was packed likely becomes. Where it becomes more, the cut is worked
/// on anew with more memory.
const UNPACKED_PER_BYTE: u64 = 8;

/// Bytes of columns that most objects of rows have in memory at a time.
const ROWS_BYTES_LIKELY: usize = 16 * 1024 * 1024;

/// No less than what a line of a skipped record has besides the record and the reason.
const SKIPPED_LINE_BYTES: u64 = 512;
/// No less than a character of the reason takes in a line, where it may be escaped.
const WHY_CHAR_BYTES_MAX: u64 = 6;

/// Bytes of partitions that are in memory together, at least, however much else is.
const PARTITIONS_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// Bytes that a cut needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Frames that were read, and the batch that is made of them.
    pub records: u64,
    /// An answer, which is read while the request is there: none where nothing is sent.
    pub answer: u64,
    /// All of it, if it becomes what most cuts become.
    pub likely: u64,
}

impl Need {
    /// What a cut needs that is read while it is worked on.
    pub fn of(cut: &Cut, destination: &Destination) -> Self {
        let frames = cut.bytes.min(FRAMES_BYTES_MAX);
        Self::with_frames(frames, cut, destination)
    }

    /// What a cut needs whose frames are all in memory.
    pub fn of_held(cut: &Cut, destination: &Destination) -> Self {
        Self::with_frames(cut.bytes, cut, destination)
    }

    fn with_frames(frames: u64, cut: &Cut, destination: &Destination) -> Self {
        let batch = cut.plugin.map_or(0, |pins| pins.batch_bytes_max as u64);
        let batch = batch.min(cut.bytes);
        let records = frames + batch;
        let cut = &as_unpacked(cut, destination);
        let envelope = Envelope::of(destination);
        let answer = envelope.as_ref().map(Envelope::answer_bytes_max);
        let answer = answer.map_or(0, |bytes| bytes as u64);
        let becomes = match envelope {
            None => {
                let packed = match destination.partitioning {
                    // They are packed when they end.
                    Some(_) => cut.bytes + cut.bytes / 2,
                    None => packed_bytes(cut, destination.compression),
                };
                packed.min(cut.object_bytes_max)
            }
            Some(envelope) => envelope.bytes_likely((cut.records, cut.bytes)),
        };
        let becomes = becomes + backup_bytes(cut, destination);
        let begun = BEGUN_BYTES + compressor_bytes(destination.compression);
        let rows = rows_bytes(cut.bytes, destination);
        Self {
            records,
            answer,
            likely: records + begun + becomes + rows + answer,
        }
    }

    /// The most that a cut can need whose records become failed records as they are: the frames of
    /// one read, and one object with the line that ends it.
    pub fn skipped(cut: &Cut, object_bytes_max: u64) -> u64 {
        let frames = cut.bytes.min(READ_BYTES as u64 + FRAME_BYTES_MAX);
        let record = cut.bytes.min(DATA_BYTES_MAX as u64);
        let lines = cut.records.saturating_mul(skipped_line_bytes_max(0));
        let lines = lines.saturating_add(base64_bytes(cut.bytes));
        let chunk = CHUNK_BYTES as u64;
        // The line is in the object, and in the place where it was written before.
        frames + lines.min(object_bytes_max) + 2 * skipped_line_bytes_max(record) + chunk
    }

    /// The most that a cut can need, whatever a plugin makes of it that may give so many bytes for
    /// a batch. A batch is packed as a whole before objects of it are put.
    pub fn most(cut: &Cut, destination: &Destination, output_bytes_max: Option<usize>) -> u64 {
        let frames = cut.bytes.min(FRAMES_BYTES_MAX);
        // Without one nothing is between records.
        let delimiter = destination.delimiter.as_deref().unwrap_or_default().len() as u64;
        let batch = match output_bytes_max {
            Some(output) => {
                let outputs = output as u64 / OUTPUT_HEAD_BYTES;
                let delivered = output as u64 + outputs * delimiter;
                let failed = FAILED_OBJECT_BYTES_MAX as u64 + FAILED_BATCH_BYTES_MAX;
                cut.bytes.min(FRAME_BYTES_MAX) + delivered + failed
            }
            // Each record and its delimiter, of one frame.
            None => FRAME_BYTES_MAX + cut.records.min(FRAME_RECORDS_MAX) * delimiter,
        };
        let batch = batch + unpacked_bytes_max(destination);
        let pieces = match Envelope::of(destination) {
            None => cut.object_bytes_max + backup_bytes_max(destination),
            Some(envelope) => {
                let body = BODY_BYTES_MAX as u64;
                // A refused request is lines instead, and what comes of one record waits beside.
                let lines = cut.records.saturating_mul(skipped_line_bytes_max(0));
                let lines = lines.min(RECORDS_MAX as u64 * skipped_line_bytes_max(0));
                body.max(base64_bytes(cut.bytes) + lines)
                    + 2 * base64_bytes(batch)
                    + backup_bytes_max(destination)
                    + envelope.answer_bytes_max() as u64
            }
        };
        let begun = BEGUN_BYTES + compressor_bytes(destination.compression);
        let partitioning = partitioning_bytes_max(output_bytes_max, destination);
        let lines = lines_bytes_max(output_bytes_max, destination);
        let besides = partitioning + lines + unpacking_bytes_max(destination);
        frames + begun + pieces + batch + besides + rows_bytes_max(destination)
    }
}

/// The most that any cut of a destination can need, where a plugin may give so many bytes for a
/// batch, if there is one.
pub fn most_of_any(destination: &Destination, output_bytes_max: Option<usize>) -> u64 {
    let bytes = u64::from(destination.size_mib) * 1024 * 1024 + FRAME_BYTES_MAX;
    let cut = Cut {
        number: 0,
        from: Position(0),
        to: Position(0),
        oldest: Timestamp(0),
        decided_at: Timestamp(0),
        records: bytes,
        unpacked: None,
        divided: 0,
        bytes,
        object_bytes_max: object_bytes_max_with((bytes, output_bytes_max), destination),
        version_id: 0,
        plugin: None,
    };
    Need::most(&cut, destination, output_bytes_max)
}

/// Bytes at which an object ends of a cut that is decided now, of so many bytes and for a version
/// of a plugin. What is put of all records as they came in, too, and what records are unpacked in
/// have their room within that of the largest object.
pub fn object_bytes_max(
    (cut_bytes, plugin): (u64, Option<&Pins>),
    destination: &Destination,
) -> u64 {
    let output = plugin.map(|pins| pins.limits.output_bytes_max);
    object_bytes_max_with((cut_bytes, output), destination)
}

fn object_bytes_max_with(
    (cut_bytes, output_bytes_max): (u64, Option<usize>),
    destination: &Destination,
) -> u64 {
    let unpacking = unpacked_bytes_max(destination)
        + unpacking_bytes_max(destination)
        + lines_bytes_max(output_bytes_max, destination);
    // Without a plugin its failed records need no room.
    let spared = match output_bytes_max {
        Some(_) => 0,
        None => FAILED_OBJECT_BYTES_MAX as u64 + FAILED_BATCH_BYTES_MAX,
    };
    let besides = backup_bytes_max(destination)
        + partitioning_bytes_max(output_bytes_max, destination)
        + rows_bytes_max(destination)
        + unpacking.saturating_sub(spared);
    // Another build may have kept that a record becomes more.
    let largest = OBJECT_BYTES_MAX.saturating_sub(besides);
    cut::object_bytes_max(cut_bytes).min(largest.max(PARTITIONS_BYTES_MIN))
}

/// The most that an object of rows takes besides its bytes, while it is made.
fn rows_bytes_max(destination: &Destination) -> u64 {
    destination
        .converts()
        .map_or(0, |_| formats::file_bytes_besides())
}

/// What it likely takes of a cut of so many bytes. They are about as many in columns, of which
/// those of the row group that is open are there.
fn rows_bytes(cut_bytes: u64, destination: &Destination) -> u64 {
    let columns = usize::try_from(cut_bytes).unwrap_or(usize::MAX);
    let likely = formats::file_bytes_besides_of(columns.min(ROWS_BYTES_LIKELY));
    rows_bytes_max(destination).min(likely as u64)
}

/// No less than what it takes to find the partitions of records, and what partitions take besides
/// what is in them before any of them can end: content that grows has up to twice its bytes.
fn partitioning_bytes_max(output_bytes_max: Option<usize>, destination: &Destination) -> u64 {
    let Some(partitioning) = &destination.partitioning else {
        return 0;
    };
    let query = partitioning.query.as_ref();
    let query = query.map_or(0, |_| partitioning.query_bytes_max);
    match output_bytes_max {
        Some(output) => query + BEGUN_BYTES_MAX as u64 + output as u64,
        None => query + DATA_BYTES_MAX as u64,
    }
}

/// No less than the line of a skipped record of so many bytes.
pub fn skipped_line_bytes_max(data_bytes: u64) -> u64 {
    SKIPPED_LINE_BYTES + WHY_CHAR_BYTES_MAX * WHY_CHARS_MAX as u64 + base64_bytes(data_bytes)
}

/// What a compressor takes besides what all are given.
fn compressor_bytes(compression: Compression) -> u64 {
    match compression {
        Compression::Zstd => COMPRESSOR_MORE_BYTES_MAX,
        Compression::Uncompressed
        | Compression::Gzip
        | Compression::Zip
        | Compression::Snappy
        | Compression::HadoopSnappy => 0,
    }
}

/// A cut with about as many bytes as its records have once they are unpacked.
fn as_unpacked(cut: &Cut, destination: &Destination) -> Cut {
    let times = match destination.decompression {
        Some(_) => UNPACKED_PER_BYTE,
        None => 1,
    };
    Cut {
        bytes: cut.bytes.saturating_mul(times),
        ..cut.clone()
    }
}

/// No less than what records are unpacked to before objects of it are put.
fn unpacked_bytes_max(destination: &Destination) -> u64 {
    let unpacked = destination.decompression.as_ref();
    unpacked.map_or(0, |it| it.record_bytes_max + UNPACKED_BYTES_AT_ONCE as u64)
}

/// No less than what one record is unpacked in.
fn unpacking_bytes_max(destination: &Destination) -> u64 {
    let unpacked = destination.decompression.as_ref();
    unpacked.map_or(0, |it| it.bytes_max())
}

/// No less than the lines of records that cannot be unpacked or that no row can be made of, besides
/// those that a plugin fails. The first are in one object with these, the others in one of their
/// own; each record has one line.
fn lines_bytes_max(output_bytes_max: Option<usize>, destination: &Destination) -> u64 {
    let object = FAILED_OBJECT_BYTES_MAX as u64;
    let (unpacks, converts) = (
        destination.decompression.is_some(),
        destination.converts().is_some(),
    );
    let has_plugin = output_bytes_max.is_some();
    let mut lines = 0;
    if unpacks && !has_plugin {
        lines += object;
    }
    if converts {
        lines += object;
    }
    if unpacks || converts && !has_plugin {
        lines += FAILED_BATCH_BYTES_MAX;
    }
    lines
}

/// Bytes that the records of a cut are packed to, if they become about what they are.
fn packed_bytes(cut: &Cut, compression: Compression) -> u64 {
    match compression {
        Compression::Uncompressed => cut.bytes + cut.bytes / 4,
        Compression::Gzip
        | Compression::Zip
        | Compression::Snappy
        | Compression::HadoopSnappy
        | Compression::Zstd => cut.bytes / 2,
    }
}

/// How records are packed as they came in, where they go into a bucket so, too.
fn backup_compression(destination: &Destination) -> Option<Compression> {
    let of_bucket = destination.backup.as_ref();
    let of_bucket = of_bucket.map(|backup| backup.compression);
    let fallback = destination.kind.fallback();
    let all = fallback.filter(|fallback| fallback.backs_up_all);
    of_bucket.or(all.map(|_| destination.compression))
}

/// Bytes of records as they came in that wait to be put into a bucket, too.
fn backup_bytes(cut: &Cut, destination: &Destination) -> u64 {
    backup_compression(destination).map_or(0, |compression| {
        let packed = packed_bytes(cut, compression);
        packed.min(2 * BACKUP_OBJECT_BYTES_MAX as u64) + compressor_bytes(compression)
    })
}

/// The most of them, with what packs them.
fn backup_bytes_max(destination: &Destination) -> u64 {
    backup_compression(destination).map_or(0, |compression| {
        BACKUP_OBJECT_BYTES_MAX as u64 + BEGUN_BYTES + compressor_bytes(compression)
    })
}

fn base64_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// What the memory for one delivery stream must be at least, so that the most that one of its cuts
/// can need with the usual delimiter always fits.
pub fn stream_bytes_min(output_bytes_max: usize) -> u64 {
    let output = output_bytes_max as u64;
    FRAMES_BYTES_MAX
        + BEGUN_BYTES
        + COMPRESSOR_MORE_BYTES_MAX
        + OBJECT_BYTES_MAX
        + FRAME_BYTES_MAX
        + output
        + output / OUTPUT_HEAD_BYTES
        + FAILED_OBJECT_BYTES_MAX as u64
        + FAILED_BATCH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wasm::{CallLimits, ContentHash};

    use super::*;
    use crate::conversion::Conversion;
    use crate::decompression::Decompression;
    use crate::delivery_stream::Transform;
    use crate::kind::Kind;
    use crate::partitioning::Partitioning;
    use crate::pins::Pins;

    const MIB: u64 = 1024 * 1024;

    fn destination(
        compression: Compression,
        backup: Option<Compression>,
        extracts: Option<bool>,
    ) -> Destination {
        Destination {
            role_arn: String::new(),
            bucket_arn: String::new(),
            prefix: None,
            error_output_prefix: None,
            size_mib: 128,
            interval_seconds: 60,
            compression,
            file_extension: None,
            custom_time_zone: None,
            logging: None,
            processing: None,
            transform: None,
            delimiter: Some("\n".to_owned()),
            decompression: extracts.map(Decompression::new),
            deaggregation: None,
            partitioning: None,
            kind: Kind::Bucket,
            conversion: None,
            secret: None,
            backup: backup.map(|compression| Box::new(destination(compression, None, None))),
        }
    }

    fn cut(bytes: u64, output_bytes_max: Option<usize>, destination: &Destination) -> Cut {
        let plugin = output_bytes_max.map(|output_bytes_max| Pins {
            hash: ContentHash([7; 32]),
            limits: CallLimits {
                memory_bytes_max: 64 << 20,
                table_elements_max: 1,
                handles_max: 1,
                output_bytes_max,
                host_calls_max: 1,
                random_bytes_max: 1,
                batch_time_max: Duration::from_secs(1),
            },
            batch_records_max: 1_000,
            batch_bytes_max: 1 << 20,
        });
        Cut {
            number: 0,
            from: store::Position(0),
            to: store::Position(0),
            oldest: Timestamp(0),
            decided_at: Timestamp(0),
            records: bytes / 1_000,
            unpacked: None,
            divided: 0,
            bytes,
            object_bytes_max: object_bytes_max((bytes, plugin.as_ref()), destination),
            version_id: 1,
            plugin,
        }
    }

    #[test]
    fn what_becomes_rows_fits_into_the_smallest_limit_but_for_a_plugin_partitions_and_a_backup() {
        for output in [None, Some(6 << 20)] {
            for backup in [None, Some(Compression::Gzip)] {
                let mut destination = destination(Compression::Uncompressed, backup, None);
                destination.transform = output.map(|_| Transform {
                    arn: String::new(),
                    plugin: String::new(),
                    retries: 3,
                });
                let least = stream_bytes_min(6 << 20);
                let without = most_of_any(&destination, output);
                assert!(without <= least, "{output:?} {backup:?}");
                destination.conversion = Some(Box::new(Conversion {
                    is_enabled: true,
                    ..Conversion::default()
                }));
                let most = most_of_any(&destination, output);
                assert!(most <= least, "{} {output:?} {backup:?}", most / MIB);
                destination.partitioning = Some(Partitioning::new(300));
                let most = most_of_any(&destination, output);
                // With all of it more is needed, and asked for.
                let fits = output.is_none() || backup.is_none();
                assert_eq!(most <= least, fits, "{} {output:?} {backup:?}", most / MIB);
            }
        }
    }

    /// A lane stood still for ever at the smallest limit that is taken, with 61 MiB of records that
    /// were unpacked and kept as they came in.
    #[test]
    fn the_most_that_a_cut_for_a_bucket_can_need_fits_into_the_smallest_limit_that_is_taken() {
        let compressions = [
            Compression::Uncompressed,
            Compression::Gzip,
            Compression::Zstd,
        ];
        let backups = [
            None,
            Some(Compression::Uncompressed),
            Some(Compression::Zstd),
        ];
        for output in [1 << 20, 16 << 20, 64 << 20] {
            let least = stream_bytes_min(output);
            for compression in compressions {
                for backup in backups {
                    for extracts in [None, Some(false), Some(true)] {
                        for plugin in [None, Some(output)] {
                            let destination = destination(compression, backup, extracts);
                            let cut = cut(160 * MIB, plugin, &destination);
                            let most = Need::most(&cut, &destination, plugin);
                            assert!(
                                most <= least,
                                "{} of {} MiB: {compression:?} {backup:?} {extracts:?} {plugin:?}",
                                most / MIB,
                                least / MIB
                            );
                            assert!(cut.object_bytes_max >= 16 * MIB);
                        }
                    }
                }
            }
        }
    }
}
