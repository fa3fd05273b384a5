//! Components that cost a compiler far more than their size: refused before it sees them.

use crate::arena::is_refused;
use crate::guest::Guest;

async fn bomb(fields: &str, why: &str) {
    is_refused(&Guest::with_fields(fields).component(), &[why]).await;
}

/// A component of this text, which is none of a plugin's worlds.
async fn bare_bomb(text: &str, why: &str) {
    is_refused(&wat::parse_str(text).unwrap(), &[why]).await;
}

#[tokio::test]
async fn blocks_in_blocks_without_end_are_refused() {
    let (open, close) = ("(block ".repeat(2_000), ")".repeat(2_000));
    bomb(
        &format!("(func {open} {close})"),
        "more than 1024 blocks in each other",
    )
    .await;
}

#[tokio::test]
async fn loops_in_loops_are_refused_long_before_other_blocks_are() {
    // Five functions of 200 loops and 3 KB each took a compiler 13 s.
    let (open, close) = ("(loop ".repeat(33), "(br_if 0 (i32.const 0)))".repeat(33));
    bomb(
        &format!("(func {open} {close})"),
        "more than 32 loops in each other",
    )
    .await;
}

#[tokio::test]
async fn two_hundred_thousand_types_are_refused() {
    bomb(&"(type (func))".repeat(200_000), "more than 10000 types").await;
}

#[tokio::test]
async fn a_hundred_thousand_functions_are_refused() {
    bomb(&"(func)".repeat(100_000), "more than 20000 functions").await;
}

#[tokio::test]
async fn a_giant_function_is_refused() {
    let fields = format!("(func {})", "nop ".repeat(2_000_000));
    bomb(&fields, "bytes, more than 1048576").await;
}

#[tokio::test]
async fn fifty_thousand_locals_are_refused() {
    let fields = format!("(func (local {}))", "i64 ".repeat(50_000));
    bomb(&fields, "more than 10000 locals in one function").await;
}

#[tokio::test]
async fn a_branch_with_a_hundred_thousand_targets_is_refused() {
    let fields = format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(100_000));
    bomb(&fields, "more than 10000 targets of a branch").await;
}

#[tokio::test]
async fn thirty_thousand_data_segments_are_refused() {
    let fields = r#"(data (i32.const 256) "x")"#.repeat(30_000);
    bomb(&fields, "more than 10000 data segments").await;
}

#[tokio::test]
async fn thirty_thousand_element_segments_are_refused() {
    bomb(
        &"(elem func)".repeat(30_000),
        "more than 10000 element segments",
    )
    .await;
}

#[tokio::test]
async fn thirty_thousand_globals_are_refused() {
    bomb(
        &"(global i32 (i32.const 0))".repeat(30_000),
        "more than 10000 globals",
    )
    .await;
}

#[tokio::test]
async fn thousands_of_exports_are_refused() {
    let exports: Vec<String> = (0..10_000)
        .map(|number| format!("(export \"e{number}\" (func $alloc))"))
        .collect();
    bomb(&exports.concat(), "more than 8192 exports").await;
}

#[tokio::test]
async fn a_hundred_modules_are_refused() {
    let text = format!("(component {})", "(core module)".repeat(100));
    bare_bomb(&text, "more than 64 modules and components").await;
}

#[tokio::test]
async fn components_in_components_without_end_are_refused() {
    let text = format!("{} {}", "(component ".repeat(50), ")".repeat(50));
    bare_bomb(&text, "more than 4 levels of parts").await;
}

#[tokio::test]
async fn twenty_thousand_instances_are_refused() {
    let instances = "(core instance (instantiate $m))".repeat(20_000);
    let text = format!("(component (core module $m) {instances})");
    bare_bomb(&text, "more than 10000 instances").await;
}

#[tokio::test]
async fn more_instances_than_there_can_be_at_once_are_refused() {
    let instances = "(core instance (instantiate $m))".repeat(1_000);
    let text = format!("(component (core module $m) {instances})");
    bare_bomb(&text, "instances").await;
}

#[tokio::test]
async fn types_in_types_without_end_are_refused() {
    let types: Vec<String> = (0..2_000)
        .map(|number| format!("(type (list {number}))"))
        .collect();
    let text = format!("(component (type u8) {})", types.concat());
    bare_bomb(&text, "type").await;
}

#[tokio::test]
async fn types_that_double_with_each_step_are_refused() {
    let types: Vec<String> = (0..60)
        .map(|number| format!("(type (tuple {number} {number} {number} {number}))"))
        .collect();
    let text = format!("(component (type u8) {})", types.concat());
    bare_bomb(&text, "type").await;
}
