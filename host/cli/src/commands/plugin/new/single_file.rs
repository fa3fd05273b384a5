//! The files of plugins in languages whose SDK is a few files without a package of their own.

use super::templates::{File, file};
use crate::commands::plugin::project::World;

const JS: &[File] = &[
    file!("millrace/sdk/js/millrace.js", "sdk/js/millrace.js"),
    file!("millrace/sdk/js/transform.js", "sdk/js/transform.js"),
    file!("millrace/sdk/js/consumer.js", "sdk/js/consumer.js"),
];
const JS_TRANSFORM: &[File] = &[
    file!("plugin.js", "sdk/js/template/transform/plugin.js"),
    file!(
        "tests/greetings.out.jsonl",
        "sdk/template/greetings.out.jsonl"
    ),
];
const JS_CONSUMER: &[File] = &[file!("plugin.js", "sdk/js/template/consumer/plugin.js")];

const PYTHON: &[File] = &[
    file!(
        "millrace/sdk/python/millrace/__init__.py",
        "sdk/python/millrace/__init__.py"
    ),
    file!(
        "millrace/sdk/python/millrace/transform.py",
        "sdk/python/millrace/transform.py"
    ),
    file!(
        "millrace/sdk/python/millrace/consumer.py",
        "sdk/python/millrace/consumer.py"
    ),
];
const PYTHON_TRANSFORM: &[File] = &[
    file!("plugin.py", "sdk/python/template/transform/plugin.py"),
    file!(
        "tests/greetings.out.jsonl",
        "sdk/python/template/transform/greetings.out.jsonl"
    ),
];
const PYTHON_CONSUMER: &[File] = &[file!("plugin.py", "sdk/python/template/consumer/plugin.py")];

const C: &[File] = &[file!("millrace/sdk/c/millrace.h", "sdk/c/millrace.h")];
const C_TRANSFORM: &[File] = &[
    file!("plugin.c", "sdk/c/template/transform/plugin.c"),
    file!(
        "tests/greetings.out.jsonl",
        "sdk/c/template/transform/greetings.out.jsonl"
    ),
];
const C_CONSUMER: &[File] = &[file!("plugin.c", "sdk/c/template/consumer/plugin.c")];

pub(super) fn js(world: World) -> Vec<File> {
    match world {
        World::Transform => [JS, JS_TRANSFORM].concat(),
        World::Consumer => [JS, JS_CONSUMER].concat(),
    }
}

pub(super) fn python(world: World) -> Vec<File> {
    match world {
        World::Transform => [PYTHON, PYTHON_TRANSFORM].concat(),
        World::Consumer => [PYTHON, PYTHON_CONSUMER].concat(),
    }
}

pub(super) fn c(world: World) -> Vec<File> {
    match world {
        World::Transform => [C, C_TRANSFORM].concat(),
        World::Consumer => [C, C_CONSUMER].concat(),
    }
}
