//! The operations of Kinesis Data Analytics: one file each, with its shape, its checks, its work
//! and its answer, in both versions of the service's model.
