//! Guests that want more memory than they may have, of their own or of the host's.

use wasm::Limits;

use crate::arena::{self, Attack};
use crate::guest::Guest;
use crate::open_cut;
use crate::simple;

#[tokio::test]
async fn memory_that_grows_without_end_traps_at_the_limit() {
    let attack = "(loop $more (drop (memory.grow (i32.const 16))) (br $more))";
    let guest = Guest::attacking(attack);
    Attack::that_traps(&guest, "memory").endured().await;
}

#[tokio::test]
async fn a_table_that_grows_without_end_traps_at_the_limit() {
    let attack = "(loop $more
          (drop (table.grow $all (ref.null func) (i32.const 1000)))
          (br $more))";
    let guest = Guest {
        fields: "(table $all 0 funcref)".to_owned(),
        ..Guest::attacking(attack)
    };
    Attack::that_traps(&guest, "table").endured().await;
}

#[tokio::test]
async fn a_component_that_begins_with_all_memory_there_can_be_is_refused() {
    let guest = Guest {
        memory: r#"(memory (export "memory") 65536)"#.to_owned(),
        ..Guest::default()
    };
    arena::is_refused(&guest.component(), &["memory"]).await;
}

/// What may begin a cut may end it: the cut was refused its version for ever.
#[tokio::test]
async fn a_cut_is_finished_though_its_component_begins_with_more_memory_than_it_may_have_by_now() {
    let guest = Guest {
        // 32 MiB.
        memory: r#"(memory (export "memory") 512)"#.to_owned(),
        ..Guest::attacking("(unreachable)")
    };
    let records = ["one", "!", "two"];
    let ground = open_cut::half_put(&guest.component(), Limits::default(), &records).await;
    let less = Limits {
        memory_bytes_max: 16 << 20,
        ..Limits::default()
    };
    let ground = open_cut::restarted(ground, less).await;
    open_cut::finished(&ground, &records).await;
    assert_eq!(ground.delivered("attacker"), ["one", "two"]);
    assert_eq!(ground.failed("attacker").len(), 1);
}

#[tokio::test]
async fn a_component_that_begins_with_more_memory_than_it_may_have_is_refused() {
    let guest = Guest {
        memory: r#"(memory (export "memory") 1025)"#.to_owned(),
        ..Guest::default()
    };
    arena::is_refused(&guest.component(), &["memory"]).await;
}

#[tokio::test]
async fn a_module_with_many_memories_is_refused() {
    let guest = Guest::with_fields(&"(memory 1)".repeat(50));
    arena::is_refused(&guest.component(), &["memories"]).await;
}

#[tokio::test]
async fn a_component_of_modules_with_a_memory_each_is_refused() {
    let module = "(core module $a (memory 1)) (core instance (instantiate $a))";
    let text = format!("(component {module} {})", module.replace("$a", "$b"));
    let component = wat::parse_str(text).unwrap();
    arena::is_refused(&component, &["memories"]).await;
}

#[tokio::test]
async fn a_component_with_a_table_of_millions_is_refused() {
    let guest = Guest::with_fields("(table 10000000 funcref)");
    arena::is_refused(&guest.component(), &["table"]).await;
}

#[tokio::test]
async fn an_answer_with_millions_of_outputs_is_not_taken() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (i32.store offset=4 (local.get $answer) (i32.const 65536))
        (i32.store offset=8 (local.get $answer) (i32.const 7000000))",
    );
    Attack::that_traps(&guest, "fuel").endured().await;
}

#[tokio::test]
async fn an_answer_with_many_megabytes_is_not_taken() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (i32.store offset=12 (local.get $answer) (i32.const 65536))
        (i32.store offset=16 (local.get $answer) (i32.const 64000000))",
    );
    Attack::that_traps(&guest, "fuel").endured().await;
}

#[tokio::test]
async fn a_megabyte_that_is_answered_a_hundred_times_counts_each_time() {
    // The guest has 3 MiB, and the host would take 100.
    let component = simple::component(
        "(drop (memory.grow (i32.const 40)))
        (local.set $outputs (i32.const 65536))
        (local.set $count (i32.const 100))
        (local.set $bytes (i32.const 131072))
        (local.set $length (i32.const 1048576))
        (local.set $i (i32.const 0))
        (loop $same
          (call $put_output (local.get $outputs) (local.get $i) (i32.const 0)
            (i32.const 0) (local.get $bytes) (local.get $length))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $same (i32.lt_u (local.get $i) (i32.const 99))))",
    );
    let attack = Attack {
        component,
        code: "Lambda.FunctionError",
        reason: "fuel",
    };
    attack.endured().await;
}
