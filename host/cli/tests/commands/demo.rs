use crate::fixture::{printed, run};

#[test]
fn the_demo_shows_that_what_goes_in_comes_out() {
    let text = printed(run(&["demo", "--seconds", "2"]));
    for expected in [
        "4 shards",
        "shardId-000000000003",
        "total",
        "Every click that went in",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}
