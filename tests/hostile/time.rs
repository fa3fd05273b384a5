//! Guests that do not come to an end, and what stops them.

use crate::arena::{self, Attack};
use crate::guest::Guest;

const ENDLESS: &str = "(loop $for_ever (br $for_ever))";

#[tokio::test]
async fn an_endless_loop_costs_the_record_that_starts_it() {
    let guest = Guest::attacking(ENDLESS);
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn an_endless_loop_after_the_answer_is_stopped_like_one_before_it() {
    let guest = Guest {
        fields: "(global $wild (mut i32) (i32.const 0))".to_owned(),
        after: format!("(if (global.get $wild) (then {ENDLESS}))"),
        ..Guest::attacking("(global.set $wild (i32.const 1))")
    };
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let guest = Guest {
        fields: "(func $deeper (call $deeper) (call $deeper))".to_owned(),
        ..Guest::attacking("(call $deeper)")
    };
    Attack::that_traps(&guest, "call stack exhausted")
        .endured()
        .await;
}

#[tokio::test]
async fn recursion_through_a_table_ends_with_the_stack() {
    let fields = "(table 2 funcref) (elem (i32.const 0) $there $back)
        (func $there (call_indirect (i32.const 1)) (call_indirect (i32.const 1)))
        (func $back (call_indirect (i32.const 0)) (call_indirect (i32.const 0)))";
    let guest = Guest {
        fields: fields.to_owned(),
        ..Guest::attacking("(call $there)")
    };
    Attack::that_traps(&guest, "call stack exhausted")
        .endured()
        .await;
}

#[tokio::test]
async fn filling_all_memory_again_and_again_is_stopped_between_two_fills() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (loop $again
          (memory.fill (i32.const 65536) (i32.const 7) (i32.const 65000000))
          (br $again))",
    );
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn copying_all_memory_again_and_again_is_stopped_between_two_copies() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (loop $again
          (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 65000000))
          (br $again))",
    );
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn a_guest_that_wants_to_sleep_traps_at_once() {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
        (func $wait (param i64) (result i32)))"#;
    let guest = Guest {
        imports: import.to_owned(),
        ..Guest::attacking("(drop (call $wait (i64.const 3600000000000)))")
    };
    Attack::that_traps(&guest, "a plugin cannot sleep")
        .endured()
        .await;
}

#[tokio::test]
async fn a_component_whose_init_does_not_return_is_refused() {
    let guest = Guest {
        init: ENDLESS.to_owned(),
        ..Guest::default()
    };
    arena::is_refused(&guest.component(), &["it took longer than 200 ms"]).await;
}

#[tokio::test]
async fn a_component_whose_start_function_does_not_return_is_refused() {
    let guest = Guest::with_fields(&format!("(start $begin) (func $begin {ENDLESS})"));
    arena::is_refused(&guest.component(), &["it took longer than 200 ms"]).await;
}

#[tokio::test]
async fn a_component_whose_description_does_not_return_is_refused() {
    let guest = Guest {
        describe: ENDLESS.to_owned(),
        ..Guest::default()
    };
    let whys = ["describe: it took longer than 200 ms"];
    arena::is_refused(&guest.component(), &whys).await;
}
