//! The first layout of a destination. It is a bucket: it knew no other kind.

use bincode::Decode;

use crate::compression::Compression;
use crate::delivery_stream::{Destination, Processor, Transform};
use crate::kind::Kind;

#[derive(Decode)]
pub(super) struct FirstDestination {
    role_arn: String,
    bucket_arn: String,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    size_mib: u32,
    interval_seconds: u32,
    compression: Compression,
    file_extension: Option<String>,
    custom_time_zone: Option<String>,
    logging: Option<(bool, Option<String>, Option<String>)>,
    processing: Option<(bool, Vec<Processor>)>,
    transform: Option<Transform>,
    delimiter: Option<String>,
}

impl FirstDestination {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> Destination {
        Destination {
            role_arn: self.role_arn,
            bucket_arn: self.bucket_arn,
            prefix: self.prefix,
            error_output_prefix: self.error_output_prefix,
            size_mib: self.size_mib,
            interval_seconds: self.interval_seconds,
            compression: self.compression,
            file_extension: self.file_extension,
            custom_time_zone: self.custom_time_zone,
            logging: self.logging,
            processing: self.processing,
            transform: self.transform,
            delimiter: self.delimiter,
            decompression: None,
            deaggregation: None,
            partitioning: None,
            kind: Kind::Bucket,
            backup: None,
            conversion: None,
            secret: None,
        }
    }
}
