//! Where an object of a cut ends whose row does not say it: all builds that wrote such rows
//! reckoned it so. Nothing here may follow what a cut is decided with today, or an object that was
//! put before would be another one.

use crate::compression::Compression;
use crate::delivery_stream::Destination;

const BYTES_PER_BYTE: u64 = 4;
const BYTES_MIN: u64 = 16 * 1024 * 1024;
const BYTES_MAX: u64 = 128 * 1024 * 1024;
/// An object of records as they came in, what it had begun with, and what zstd took beyond that.
const BACKUP_OBJECT_BYTES: u64 = 16 * 1024 * 1024;
const BACKUP_BEGUN_BYTES: u64 = (2 * 1024 + 512) * 1024;
const BACKUP_ZSTD_MORE_BYTES: u64 = 1024 * 1024;

/// Packed bytes after which an object ends of a cut of so many bytes, for this destination.
pub(super) fn of(cut_bytes: u64, destination: &Destination) -> u64 {
    let of_bucket = destination.backup.as_ref();
    let of_bucket = of_bucket.map(|backup| backup.compression);
    let fallback = destination.kind.fallback();
    let all = fallback.filter(|fallback| fallback.backs_up_all);
    let compression = of_bucket.or(all.map(|_| destination.compression));
    let backup = compression.map_or(0, backup_bytes);
    without_backup(cut_bytes).min(BYTES_MAX - backup)
}

/// The same of a build that put no records as they came in.
pub(super) fn without_backup(cut_bytes: u64) -> u64 {
    let bytes = cut_bytes.saturating_mul(BYTES_PER_BYTE);
    bytes.clamp(BYTES_MIN, BYTES_MAX)
}

fn backup_bytes(compression: Compression) -> u64 {
    let more = match compression {
        Compression::Zstd => BACKUP_ZSTD_MORE_BYTES,
        Compression::Uncompressed
        | Compression::Gzip
        | Compression::Zip
        | Compression::Snappy
        | Compression::HadoopSnappy => 0,
    };
    BACKUP_OBJECT_BYTES + BACKUP_BEGUN_BYTES + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decompression::Decompression;

    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;

    /// It followed what a cut is decided with today: with records that are unpacked, one less than
    /// half as large.
    #[test]
    fn an_object_of_an_old_cut_ends_where_it_always_did() {
        let with =
            |decompression: Option<Decompression>, backup: Option<Compression>| Destination {
                decompression,
                backup: backup.map(|compression| {
                    Box::new(Destination {
                        compression,
                        ..Destination::blank()
                    })
                }),
                ..Destination::blank()
            };
        for unpacks in [None, Some(Decompression::new(false))] {
            for (bytes, backup, ends) in [
                (1, None, 16 * MIB),
                (5 * MIB, None, 20 * MIB),
                (160 * MIB, None, 128 * MIB),
                (5 * MIB, Some(Compression::Gzip), 20 * MIB),
                (160 * MIB, Some(Compression::Gzip), 109 * MIB + 512 * KIB),
                (160 * MIB, Some(Compression::Zstd), 108 * MIB + 512 * KIB),
            ] {
                assert_eq!(
                    of(bytes, &with(unpacks, backup)),
                    ends,
                    "{bytes} {backup:?}"
                );
            }
        }
    }
}
