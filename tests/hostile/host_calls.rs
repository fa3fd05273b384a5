//! Guests that call the host without measure, or with what is no argument.

use std::collections::BTreeSet;

use crate::arena::{Attack, arena, arena_with, attack, goes_on};
use crate::guest::Guest;

const TOO_MANY: &str = "more than 10000 calls to the host in one batch (host_calls = 10000)";
const TOO_MANY_HANDLES: &str =
    "more than 1000 handles held at a time, the most that any plugin may have";

/// A guest that does something again and again.
fn repeating(times: u32, what: &str) -> String {
    format!(
        "(local.set $i (i32.const {times}))
        (loop $again
          {what}
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $again (local.get $i)))"
    )
}

/// The interfaces of WASI that these guests call.
const WASI: &str = r#"
    (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
    (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
    (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
      (func $print (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop (param i32)))
    (import "wasi:random/random@0.2.6" "get-random-bytes"
      (func $random (param i64 i32)))
"#;

fn with_wasi(attack: &str) -> Guest {
    Guest {
        imports: WASI.to_owned(),
        fields: r#"(data (i32.const 256) "a line\0a")"#.to_owned(),
        ..Guest::attacking(attack)
    }
}

#[tokio::test]
async fn a_flood_of_counts_ends_at_the_limit_of_calls() {
    let attack = "(loop $again
        (call $counter (i32.const 128) (i32.const 3) (i64.const 1))
        (br $again))";
    Attack::that_traps(&Guest::attacking(attack), TOO_MANY)
        .endured()
        .await;
}

#[tokio::test]
async fn a_flood_of_questions_for_the_time_ends_at_the_limit_of_calls() {
    let attack = "(loop $again (drop (call $now_ms)) (br $again))";
    Attack::that_traps(&Guest::attacking(attack), TOO_MANY)
        .endured()
        .await;
}

#[tokio::test]
async fn a_flood_of_questions_for_configuration_ends_at_the_limit_of_calls() {
    let attack = "(loop $again
        (call $config (i32.const 128) (i32.const 3) (i32.const 300))
        (br $again))";
    Attack::that_traps(&Guest::attacking(attack), TOO_MANY)
        .endured()
        .await;
}

#[tokio::test]
async fn a_flood_of_printed_lines_ends_at_the_limit_of_calls() {
    let attack = "(local.set $i (call $stderr))
        (loop $again
          (call $print (local.get $i) (i32.const 256) (i32.const 7) (i32.const 300))
          (br $again))";
    Attack::that_traps(&with_wasi(attack), TOO_MANY)
        .endured()
        .await;
}

/// Prints its lines to the standard output, and so many of them.
fn printing(lines: u32) -> Guest {
    let print = "(call $print (local.get $out) (i32.const 256) (i32.const 7) (i32.const 300))";
    Guest {
        locals: "(local $out i32)".to_owned(),
        ..with_wasi(&format!(
            "(local.set $out (call $stdout)) {} (call $drop (local.get $out))",
            repeating(lines, print)
        ))
    }
}

/// The standard output had the calls of one batch for all batches of a cut.
#[tokio::test]
async fn each_batch_of_a_cut_may_print_anew() {
    let manifest = "name = 'attacker'\nversion = '1'\n";
    let ground = arena_with(manifest, &printing(6_000).component()).await;
    let records = ["!"; 500];
    for _ in 0..4 {
        ground.client.put_delivery("attacker", &records).await;
    }
    ground.client.flush("attacker").await;
    assert_eq!(ground.delivered("attacker"), ["!"; 2_000]);
    assert!(ground.plugin("attacker").await["calls"].as_u64() >= Some(2));
}

#[tokio::test]
async fn a_flood_of_random_bytes_ends_with_the_time_of_the_batch() {
    let attack = "(loop $again (call $random (i64.const 60000) (i32.const 300)) (br $again))";
    // All of them to the same place.
    let realloc =
        "(if (i32.eq (local.get $size) (i32.const 60000)) (then (return (i32.const 4096))))";
    let guest = Guest {
        realloc: realloc.to_owned(),
        ..with_wasi(attack)
    };
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn random_bytes_by_the_gigabyte_are_not_given() {
    let attack = "(call $random (i64.const 1073741824) (i32.const 300))";
    Attack::that_traps(
        &with_wasi(attack),
        "more than 65536 random bytes at once, the most that any",
    )
    .endured()
    .await;
}

#[tokio::test]
async fn handles_that_are_never_given_back_run_out() {
    let attack = "(loop $again (drop (call $stdout)) (br $again))";
    Attack::that_traps(&with_wasi(attack), TOO_MANY_HANDLES)
        .endured()
        .await;
}

/// What libraries of other languages import of the network and of files.
const DENIED: &str = r#"
    (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
    (import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
    (import "wasi:sockets/network@0.2.6" "[resource-drop]network" (func $drop (param i32)))
    (import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket"
      (func $socket (param i32 i32)))
    (import "wasi:http/types@0.2.6" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.6" "[constructor]outgoing-request"
      (func $request (param i32) (result i32)))
    (import "wasi:http/outgoing-handler@0.2.6" "handle" (func $handle (param i32 i32)))
"#;

fn with_denied(attack: &str) -> Guest {
    Guest {
        imports: DENIED.to_owned(),
        ..Guest::attacking(attack)
    }
}

#[tokio::test]
async fn files_sockets_and_http_are_answered_with_their_own_errors_and_the_guest_goes_on() {
    // An answer that is not the error number 1, which is the one for what is not allowed.
    let check = "(if (i32.ne (i32.load8_u (i32.const 300)) (i32.const 1)) (then (unreachable)))
        (if (i32.ne (i32.load8_u (i32.const 304)) (i32.const 1)) (then (unreachable)))";
    let attack = format!(
        "(call $directories (i32.const 300))
        (if (i32.load (i32.const 304)) (then (unreachable)))
        (call $drop (call $network))
        (call $socket (i32.const 0) (i32.const 300))
        {check}
        (call $handle (call $request (call $fields)) (i32.const 300))
        {check}"
    );
    let ground = arena(&with_denied(&attack).component()).await;
    crate::arena::attack(&ground, &["a", "!", "b"]).await;
    assert_eq!(ground.delivered("attacker"), ["a", "!", "b"]);
    goes_on(&ground).await;
}

#[tokio::test]
async fn a_flood_of_questions_for_directories_ends_at_the_limit_of_calls() {
    let attack = "(loop $again (call $directories (i32.const 300)) (br $again))";
    Attack::that_traps(&with_denied(attack), TOO_MANY)
        .endured()
        .await;
}

#[tokio::test]
async fn requests_that_are_never_given_back_run_out() {
    let attack = "(loop $again (drop (call $fields)) (br $again))";
    Attack::that_traps(&with_denied(attack), TOO_MANY_HANDLES)
        .endured()
        .await;
}

#[tokio::test]
async fn a_handle_that_was_never_given_traps() {
    let attack = "(call $drop (i32.const 1234))";
    Attack::that_traps(&with_wasi(attack), "unknown handle index 1234")
        .endured()
        .await;
}

#[tokio::test]
async fn a_handle_that_was_given_back_traps() {
    let attack = "(local.set $i (call $stdout))
        (call $drop (local.get $i))
        (call $print (local.get $i) (i32.const 256) (i32.const 7) (i32.const 300))";
    Attack::that_traps(&with_wasi(attack), "unknown handle index")
        .endured()
        .await;
}

#[tokio::test]
async fn a_guest_that_ends_itself_ends_only_its_call() {
    let attack = "(call $exit (i32.const 1))";
    Attack::that_traps(&with_wasi(attack), "exit")
        .endured()
        .await;
}

#[tokio::test]
async fn what_a_guest_printed_last_is_told_with_its_trap() {
    let attack = "(call $print (call $stderr) (i32.const 256) (i32.const 7) (i32.const 300))
        (unreachable)";
    Attack::that_traps(&with_wasi(attack), ": a line")
        .endured()
        .await;
}

#[tokio::test]
async fn a_line_that_lies_outside_of_memory_traps() {
    let attack = "(call $log (i32.const 2) (i32.const 0) (i32.const -1))";
    Attack::that_traps(&Guest::attacking(attack), "out of bounds")
        .endured()
        .await;
}

#[tokio::test]
async fn a_line_of_more_than_a_batch_may_give_traps() {
    let attack = "(drop (memory.grow (i32.const 1000)))
        (call $log (i32.const 2) (i32.const 4096) (i32.const 64000000))";
    let why = "more than 16 MiB given to the host at once (output_mib = 16)";
    Attack::that_traps(&Guest::attacking(attack), why)
        .endured()
        .await;
}

#[tokio::test]
async fn a_guest_that_calls_the_host_from_within_a_call_of_the_host_traps() {
    let realloc = "(if (i32.eq (local.get $size) (i32.const 777)) (then (drop (call $now_ms))))";
    let guest = Guest {
        realloc: realloc.to_owned(),
        ..with_wasi("(call $random (i64.const 777) (i32.const 300))")
    };
    Attack::that_traps(&guest, "cannot leave component instance")
        .endured()
        .await;
}

#[tokio::test]
async fn a_line_that_is_not_text_traps() {
    let guest = Guest {
        fields: r#"(data (i32.const 256) "\ff\fe")"#.to_owned(),
        ..Guest::attacking("(call $log (i32.const 2) (i32.const 256) (i32.const 2))")
    };
    Attack::that_traps(&guest, "utf-8").endured().await;
}

#[tokio::test]
async fn a_level_that_there_is_not_traps() {
    let attack = "(call $log (i32.const 99) (i32.const 128) (i32.const 3))";
    Attack::that_traps(&Guest::attacking(attack), "discriminant")
        .endured()
        .await;
}

#[tokio::test]
async fn a_flood_of_lines_is_left_out_and_counted_and_costs_no_record() {
    // 300 lines of 1,000 bytes: the host writes 64 KiB a second.
    let line = "(call $log (i32.const 2) (i32.const 256) (i32.const 1000))";
    let guest = Guest {
        fields: format!("(data (i32.const 256) \"{}\")", "x".repeat(1_000)),
        ..Guest::attacking(&repeating(300, line))
    };
    let ground = arena(&guest.component()).await;
    attack(&ground, &["!"]).await;
    assert_eq!(ground.delivered("attacker"), ["!"]);
    let page = ground.plugin("attacker").await;
    let left_out = page["logLinesLeftOut"].as_u64().unwrap();
    assert!((100..300).contains(&left_out), "{page}");
    goes_on(&ground).await;
}

#[tokio::test]
async fn a_line_of_a_megabyte_costs_the_log_a_line() {
    let line = "(call $log (i32.const 2) (i32.const 4096) (i32.const 1048576))";
    let lines = format!(
        "(drop (memory.grow (i32.const 17))) {}",
        repeating(10, line)
    );
    let ground = arena(&Guest::attacking(&lines).component()).await;
    attack(&ground, &["!"]).await;
    assert_eq!(ground.delivered("attacker"), ["!"]);
    // Ten lines of 1 KiB are within its share.
    assert_eq!(ground.plugin("attacker").await["logLinesLeftOut"], 0);
}

#[tokio::test]
async fn counters_of_ever_new_names_stop_at_the_limit_and_cost_no_record() {
    // Names of two letters, from aa on, and each once more with a quote that metrics must not see.
    let count = r#"(i32.store8 (i32.const 256)
          (i32.add (i32.const 97) (i32.div_u (local.get $i) (i32.const 26))))
        (i32.store8 (i32.const 257)
          (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 26))))
        (i32.store8 (i32.const 258) (i32.const 34))
        (call $counter (i32.const 256) (i32.const 2) (i64.const -1))
        (call $counter (i32.const 256) (i32.const 2) (i64.const 1))
        (call $counter (i32.const 256) (i32.const 3) (i64.const 1))"#;
    let guest = Guest::attacking(&repeating(600, count));
    let ground = arena(&guest.component()).await;
    attack(&ground, &["!"]).await;
    assert_eq!(ground.delivered("attacker"), ["!"]);
    let page = ground.plugin("attacker").await;
    let counters = page["counters"].as_object().unwrap();
    assert_eq!(counters.len(), 64);
    let lengths: BTreeSet<usize> = counters.keys().map(String::len).collect();
    assert_eq!(lengths, BTreeSet::from([2]));
    assert!(counters.values().all(|count| *count == u64::MAX), "{page}");
}
