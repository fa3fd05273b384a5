//! Every operation of Data Firehose over HTTP, one file each, as in `host/delivery/src/ops`, and
//! what becomes of the records.
