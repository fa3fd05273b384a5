//! A plugin for `tests/plugins/panic.rs`: keeps records, and panics with the one that asks for it.

use millrace_sdk::{Error, Output, Record};

fn transform(record: Record<'_>) -> Result<Output, Error> {
    if record.data() == b"panic" {
        let index = record.index();
        panic!("record {index} asked for it");
    }
    Ok(Output::Keep)
}

millrace_sdk::transform!(transform);
