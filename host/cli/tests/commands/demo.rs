use crate::fixture::{printed, run};

#[test]
fn the_demo_shows_that_what_goes_in_comes_out_as_objects() {
    let text = printed(run(&["demo", "--seconds", "3"]));
    for expected in [
        "4 shards",
        "shardId-000000000003",
        "total",
        "visits/",
        "Every record that went in was delivered, dropped or failed, once.",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn the_demo_swaps_a_component_half_way_and_loses_nothing() {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    // Another component that may stand in the place of the first: what it does is its own affair.
    let other = format!("{plugins}/drop-bots/drop-bots.wasm");
    let text = printed(run(&[
        "demo",
        "--seconds",
        "6",
        "--plugins",
        plugins,
        "--swap",
        &other,
    ]));
    for expected in ["swapped: parse-access-log next", "parse-access-log next "] {
        assert!(text.contains(expected), "{text}");
    }
}
