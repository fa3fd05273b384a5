//! The files of a plugin in Rust.

use super::templates::{File, file};
use crate::commands::plugin::project::World;

const SDK: &[File] = &[
    file!("millrace/sdk/rust/Cargo.toml", "sdk/rust/template/sdk.toml"),
    file!("millrace/sdk/rust/src/batch.rs", "sdk/rust/src/batch.rs"),
    file!(
        "millrace/sdk/rust/src/bindings.rs",
        "sdk/rust/src/bindings.rs"
    ),
    file!(
        "millrace/sdk/rust/src/context.rs",
        "sdk/rust/src/context.rs"
    ),
    file!("millrace/sdk/rust/src/error.rs", "sdk/rust/src/error.rs"),
    file!("millrace/sdk/rust/src/export.rs", "sdk/rust/src/export.rs"),
    file!("millrace/sdk/rust/src/lib.rs", "sdk/rust/src/lib.rs"),
    file!("millrace/sdk/rust/src/native.rs", "sdk/rust/src/native.rs"),
    file!("millrace/sdk/rust/src/output.rs", "sdk/rust/src/output.rs"),
    file!("millrace/sdk/rust/src/panic.rs", "sdk/rust/src/panic.rs"),
    file!("millrace/sdk/rust/src/record.rs", "sdk/rust/src/record.rs"),
    file!("millrace/sdk/rust/src/spare.rs", "sdk/rust/src/spare.rs"),
    file!(
        "millrace/sdk/rust/src/testing.rs",
        "sdk/rust/src/testing.rs"
    ),
];

const BOTH: &[File] = &[
    file!("Cargo.toml", "sdk/rust/template/crate.toml"),
    file!(".gitignore", "sdk/rust/template/gitignore"),
];

const TRANSFORM: &[File] = &[
    file!("plugin.toml", "sdk/rust/template/transform/plugin.toml"),
    file!("README.md", "sdk/rust/template/transform/README.md"),
    file!("src/lib.rs", "sdk/rust/template/transform/lib.rs"),
    file!(
        "tests/greetings.in.jsonl",
        "sdk/rust/template/transform/greetings.in.jsonl"
    ),
    file!(
        "tests/greetings.out.jsonl",
        "sdk/rust/template/transform/greetings.out.jsonl"
    ),
];

pub(super) fn files(world: World) -> Vec<File> {
    let own = match world {
        World::Transform => TRANSFORM,
        World::Consumer => TRANSFORM,
    };
    [SDK, BOTH, own].concat()
}
