use std::path::Path;

use crate::fixture::{complaint, feed, millrace, printed, run};

fn compiled(arguments: &[&str], component: &[u8]) -> std::process::Output {
    let command = [&["compile-worker"], arguments].concat();
    feed(millrace(&command), component)
}

#[test]
fn a_component_comes_out_as_code() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let file = plugins.join("parse-access-log/parse-access-log.wasm");
    let output = compiled(&[], &std::fs::read(file).unwrap());
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"\x7fELF"));
    assert!(output.stderr.is_empty());
}

#[test]
fn what_is_no_component_is_refused_with_the_reason_alone() {
    let output = compiled(&[], b"\0asm\x0d\0\x01\0garbage");
    assert!(output.stdout.is_empty());
    let why = complaint(output, 1);
    assert!(why.starts_with("failed to parse WebAssembly"), "{why}");
}

#[test]
fn the_compiler_is_not_among_the_commands_for_people() {
    let text = printed(run(&["--help"]));
    assert!(text.contains("serve"), "{text}");
    assert!(!text.contains("compile-worker"), "{text}");
}
