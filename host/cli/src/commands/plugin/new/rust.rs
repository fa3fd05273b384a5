//! The files of a plugin in Rust.

use super::templates::{File, Sources, file};

const SDK: &[File] = &[
    file!("Cargo.toml", "sdk/rust/template/crate.toml"),
    file!("millrace/sdk/rust/Cargo.toml", "sdk/rust/template/sdk.toml"),
    file!(
        "millrace/sdk/rust/bindings/Cargo.toml",
        "sdk/rust/template/bindings.toml"
    ),
    file!(
        "millrace/sdk/rust/bindings/src/lib.rs",
        "sdk/rust/bindings/src/lib.rs"
    ),
    file!("millrace/sdk/rust/src/batch.rs", "sdk/rust/src/batch.rs"),
    file!(
        "millrace/sdk/rust/src/bindings.rs",
        "sdk/rust/src/bindings.rs"
    ),
    file!(
        "millrace/sdk/rust/src/columns.rs",
        "sdk/rust/src/columns.rs"
    ),
    file!(
        "millrace/sdk/rust/src/consumer.rs",
        "sdk/rust/src/consumer.rs"
    ),
    file!(
        "millrace/sdk/rust/src/context.rs",
        "sdk/rust/src/context.rs"
    ),
    file!("millrace/sdk/rust/src/emit.rs", "sdk/rust/src/emit.rs"),
    file!("millrace/sdk/rust/src/error.rs", "sdk/rust/src/error.rs"),
    file!("millrace/sdk/rust/src/export.rs", "sdk/rust/src/export.rs"),
    file!("millrace/sdk/rust/src/host.rs", "sdk/rust/src/host.rs"),
    file!("millrace/sdk/rust/src/http.rs", "sdk/rust/src/http.rs"),
    file!("millrace/sdk/rust/src/lib.rs", "sdk/rust/src/lib.rs"),
    file!("millrace/sdk/rust/src/macros.rs", "sdk/rust/src/macros.rs"),
    file!("millrace/sdk/rust/src/native.rs", "sdk/rust/src/native.rs"),
    file!("millrace/sdk/rust/src/output.rs", "sdk/rust/src/output.rs"),
    file!("millrace/sdk/rust/src/panic.rs", "sdk/rust/src/panic.rs"),
    file!("millrace/sdk/rust/src/record.rs", "sdk/rust/src/record.rs"),
    file!("millrace/sdk/rust/src/slab.rs", "sdk/rust/src/slab.rs"),
    file!("millrace/sdk/rust/src/spare.rs", "sdk/rust/src/spare.rs"),
    file!("millrace/sdk/rust/src/table.rs", "sdk/rust/src/table.rs"),
    file!(
        "millrace/sdk/rust/src/testing.rs",
        "sdk/rust/src/testing.rs"
    ),
    file!(
        "millrace/sdk/rust/src/testing/shard.rs",
        "sdk/rust/src/testing/shard.rs"
    ),
];

pub(super) const RUST: Sources = Sources {
    sdk: SDK,
    transform: &[
        file!("src/lib.rs", "sdk/rust/template/transform.rs"),
        file!(
            "tests/greetings.out.jsonl",
            "sdk/template/greetings.out.jsonl"
        ),
    ],
    consumer: &[file!("src/lib.rs", "sdk/rust/template/consumer.rs")],
    stateful: &[file!("src/lib.rs", "sdk/rust/template/state.rs")],
};
