//! The files of plugins in languages whose SDK is a few files without a package of their own.

use super::templates::{File, Sources, file};

const JS_SDK: &[File] = &[
    file!("millrace/sdk/js/call.js", "sdk/js/call.js"),
    file!("millrace/sdk/js/http.js", "sdk/js/http.js"),
    file!("millrace/sdk/js/lambda.js", "sdk/js/lambda.js"),
    file!("millrace/sdk/js/millrace.js", "sdk/js/millrace.js"),
    file!("millrace/sdk/js/node.js", "sdk/js/node.js"),
    file!("millrace/sdk/js/promise.js", "sdk/js/promise.js"),
    file!("millrace/sdk/js/transform.js", "sdk/js/transform.js"),
    file!("millrace/sdk/js/consumer.js", "sdk/js/consumer.js"),
];
pub(super) const JS: Sources = Sources {
    sdk: JS_SDK,
    transform: &[
        file!("plugin.js", "sdk/js/template/transform/plugin.js"),
        file!(
            "tests/greetings.out.jsonl",
            "sdk/template/greetings.out.jsonl"
        ),
    ],
    consumer: &[file!("plugin.js", "sdk/js/template/consumer/plugin.js")],
    stateful: &[file!("plugin.js", "sdk/js/template/state/plugin.js")],
};

const PYTHON_SDK: &[File] = &[
    file!(
        "millrace/sdk/python/millrace/__init__.py",
        "sdk/python/millrace/__init__.py"
    ),
    file!(
        "millrace/sdk/python/millrace/aws_lambda.py",
        "sdk/python/millrace/aws_lambda.py"
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
pub(super) const PYTHON: Sources = Sources {
    sdk: PYTHON_SDK,
    transform: &[
        file!("plugin.py", "sdk/python/template/transform/plugin.py"),
        file!(
            "tests/greetings.out.jsonl",
            "sdk/python/template/transform/greetings.out.jsonl"
        ),
    ],
    consumer: &[file!("plugin.py", "sdk/python/template/consumer/plugin.py")],
    stateful: &[file!("plugin.py", "sdk/python/template/state/plugin.py")],
};

const C_SDK: &[File] = &[file!("millrace/sdk/c/millrace.h", "sdk/c/millrace.h")];
pub(super) const C: Sources = Sources {
    sdk: C_SDK,
    transform: &[
        file!("plugin.c", "sdk/c/template/transform/plugin.c"),
        file!(
            "tests/greetings.out.jsonl",
            "sdk/c/template/transform/greetings.out.jsonl"
        ),
    ],
    consumer: &[file!("plugin.c", "sdk/c/template/consumer/plugin.c")],
    stateful: &[file!("plugin.c", "sdk/c/template/state/plugin.c")],
};
