//! Guests that want more memory than they may have, of their own or of the host's.

use wasm::Limits;

use crate::arena::{self, Attack, MANIFEST, arena, arena_with};
use crate::guest::Guest;
use crate::open_cut;
use crate::simple;

const MEMORY: &str = "more than 64 MiB of memory (memory_mib = 64)";
const OUTPUT: &str = "more than 16 MiB given to the host at once (output_mib = 16)";

#[tokio::test]
async fn memory_that_grows_without_end_traps_at_the_limit() {
    let attack = "(loop $more (drop (memory.grow (i32.const 16))) (br $more))";
    let guest = Guest::attacking(attack);
    Attack::that_traps(&guest, MEMORY).endured().await;
}

#[tokio::test]
async fn more_memory_than_there_are_addresses_is_refused_like_any_other() {
    let guest = Guest::attacking("(drop (memory.grow (i32.const 70000)))");
    Attack::that_traps(&guest, MEMORY).endured().await;
}

#[tokio::test]
async fn the_limit_that_is_told_is_the_one_of_the_manifest() {
    let manifest = format!("{MANIFEST}memory_mib = 2\n");
    let guest = Guest::attacking("(drop (memory.grow (i32.const 40)))");
    let ground = arena_with(&manifest, &guest.component()).await;
    arena::attack(&ground, &["a", "!"]).await;
    assert_eq!(ground.delivered("attacker"), ["a"]);
    let failed = ground.failed("attacker");
    let why = "it trapped: more than 2 MiB of memory (memory_mib = 2)";
    assert_eq!(failed[0]["errorMessage"], why);
}

/// A guest with a second memory, that grows either by so many pages.
fn with_two_memories(pages: u32) -> Guest {
    Guest {
        memory: r#"(memory (export "memory") 1) (memory $other 1)"#.to_owned(),
        ..Guest::attacking(&format!(
            "(drop (memory.grow (i32.const {pages})))
            (drop (memory.grow $other (i32.const {pages})))
            (i32.store8 $other (i32.const {pages}) (i32.const 33))"
        ))
    }
}

#[tokio::test]
async fn two_memories_have_together_what_one_may_have() {
    // 31 MiB each.
    let ground = arena(&with_two_memories(500).component()).await;
    arena::attack(&ground, &["a", "!"]).await;
    assert_eq!(ground.delivered("attacker"), ["a", "!"]);
}

/// Each had as much as there is, so that an instance had as many times what it may have.
#[tokio::test]
async fn two_memories_that_are_small_enough_by_themselves_are_too_much_together() {
    // 38 MiB each, of 64 MiB.
    let guest = with_two_memories(600);
    Attack::that_traps(&guest, MEMORY).endured().await;
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
    let why = "more than 20000 elements, the most that any plugin may have";
    Attack::that_traps(&guest, why).endured().await;
}

#[tokio::test]
async fn a_component_that_begins_with_all_memory_there_can_be_is_refused() {
    let guest = Guest {
        memory: r#"(memory (export "memory") 65536)"#.to_owned(),
        ..Guest::default()
    };
    arena::is_refused_for_good(&guest.component(), "memory").await;
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
    arena::is_refused_for_good(&guest.component(), MEMORY).await;
}

#[tokio::test]
async fn a_component_whose_memories_begin_with_more_than_it_may_have_together_is_refused() {
    let guest = Guest {
        memory: r#"(memory (export "memory") 600) (memory 600)"#.to_owned(),
        ..Guest::default()
    };
    arena::is_refused_for_good(&guest.component(), MEMORY).await;
}

/// Each of these was compiled again every ten minutes, for as long as it lay there.
#[tokio::test]
async fn a_module_with_many_memories_is_refused_for_good() {
    let guest = Guest::with_fields(&"(memory 1)".repeat(50));
    arena::is_refused_for_good(&guest.component(), "memories").await;
}

#[tokio::test]
async fn a_component_of_many_modules_with_a_memory_each_is_refused_for_good() {
    let module = "(core module $m (memory 1))";
    let instances = "(core instance (instantiate $m))".repeat(5);
    let component = wat::parse_str(format!("(component {module} {instances})")).unwrap();
    arena::is_refused_for_good(&component, "memories").await;
}

#[tokio::test]
async fn a_component_with_a_table_of_millions_is_refused_for_good() {
    let guest = Guest::with_fields("(table 10000000 funcref)");
    arena::is_refused_for_good(&guest.component(), "table").await;
}

/// What one component gives to another is copied by a module that has the memories of both, and the
/// compiler panicked.
#[tokio::test]
async fn a_component_of_components_that_give_text_to_each_other_is_compiled() {
    let component = wat::parse_str(
        r#"(component
          (component $taker
            (core module $m (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
              (func (export "take") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "text" string)
              (canon lift (core func $i "take")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
          (component $giver
            (import "take" (func $take (param "text" string)))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (core func $take
              (canon lower (func $take) (memory (core memory $memory "memory"))))
            (core module $m (import "" "take" (func $take (param i32 i32)))
              (func (export "give") (call $take (i32.const 0) (i32.const 0))))
            (core instance $i (instantiate $m
              (with "" (instance (export "take" (func $take))))))
            (func (export "give") (canon lift (core func $i "give"))))
          (instance $taker (instantiate $taker))
          (instance $giver (instantiate $giver (with "take" (func $taker "take"))))
          (export "give" (func $giver "give")))"#,
    );
    arena::is_refused(&component.unwrap(), &["of no world of millrace:plugin"]).await;
}

#[tokio::test]
async fn an_answer_with_millions_of_outputs_is_not_taken() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (i32.store offset=4 (local.get $answer) (i32.const 65536))
        (i32.store offset=8 (local.get $answer) (i32.const 7000000))",
    );
    Attack::that_traps(&guest, OUTPUT).endured().await;
}

#[tokio::test]
async fn an_answer_with_many_megabytes_is_not_taken() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (i32.store offset=12 (local.get $answer) (i32.const 65536))
        (i32.store offset=16 (local.get $answer) (i32.const 64000000))",
    );
    Attack::that_traps(&guest, OUTPUT).endured().await;
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
        reason: OUTPUT,
    };
    attack.endured().await;
}
