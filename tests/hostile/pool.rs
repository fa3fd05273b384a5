//! A plugin that wants all instances there can be.

use std::fs;
use std::sync::Arc;

use types::{ManualClock, Timestamp};
use wasm::{
    Fault, INSTANCES_MAX, INSTANCES_PER_PLUGIN_MAX, Instance, Limits, Moment, Options, PluginName,
    Plugins, Slab, Version,
};

use crate::guest::Guest;

const MOMENT: Moment = Moment {
    now: Timestamp(0),
    seed: 0,
};

fn instance(version: &Arc<Version>) -> Result<Instance, Fault> {
    Instance::start(version, MOMENT, version.call_limits())
}

/// It had all of them, and others none.
#[test]
fn a_plugin_that_has_all_instances_it_can_get_leaves_others_as_many() {
    let dir = tempfile::tempdir().unwrap();
    // One with all the memories that it may have, beside a victim.
    let greedy = Guest::with_fields("(memory 1)");
    fs::write(dir.path().join("greedy.wasm"), greedy.component()).unwrap();
    let victim = Guest::default().component();
    fs::write(dir.path().join("victim.wasm"), victim).unwrap();
    let options = Options {
        directory: Some(dir.path().to_owned()),
        keep: dir.path().join("keep"),
        limits: Limits::default(),
        rollout: wasm::RolloutRules::default(),
        signatures: wasm::SignatureRules::default(),
        grants: Arc::default(),
        cache_key: [7; 32],
        compiler: None,
    };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let plugins = Plugins::open(options, clock).unwrap();
    let version = |name| plugins.current(&PluginName::parse(name).unwrap()).unwrap();
    let (greedy, victim) = (version("greedy"), version("victim"));

    let mut held = Vec::new();
    let refused = loop {
        match instance(&greedy) {
            Ok(instance) => held.push(instance),
            Err(fault) => break fault,
        }
    };
    let most = usize::try_from(INSTANCES_PER_PLUGIN_MAX).unwrap();
    assert_eq!(held.len(), most);
    let why = format!("no instance could be made: greedy has {most}, as many as a plugin may have");
    assert_eq!(refused.to_string(), why);

    let mut batch = Slab::default();
    assert!(batch.push(b"first"));
    let others = usize::try_from(INSTANCES_MAX).unwrap() - most;
    let mut at_work = Vec::new();
    for _ in 0..others {
        let mut instance = instance(&victim).unwrap();
        let outputs = instance.transform(&batch, None, victim.call_limits().batch_time_max);
        assert_eq!(outputs.unwrap().bytes(), b"first");
        at_work.push(instance);
    }
    held.pop();
    assert!(
        instance(&greedy).is_ok(),
        "what is given back can be had again"
    );
}
