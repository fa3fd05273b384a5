//! The plugins of this repository: its folder of them is a plugins directory as it stands.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use types::ManualClock;
use wasm::{Limits, Options, PluginName, Plugins, Role};

use crate::shard::NOW;

#[test]
fn every_plugin_of_this_repository_is_in_force_with_what_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        directory: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")),
        keep: directory.path().to_owned(),
        limits: Limits::default(),
        cache_key: [7; 32],
        compiler: None,
        rollout: wasm::RolloutRules::default(),
        signatures: wasm::SignatureRules::default(),
        grants: Arc::default(),
    };
    let plugins = Plugins::open(options, Arc::new(ManualClock::new(NOW))).unwrap();
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let name = PluginName::parse(&name).unwrap();
        assert_eq!(
            plugins.absence(&name),
            None,
            "was `cargo xtask plugins` run?"
        );
        let version = plugins.current(&name).unwrap();
        let grants = &version.manifest().grants;
        if name.as_str() == "word-count" {
            assert_eq!(version.role(), Role::Consumer);
            assert!(grants.tables.contains("words"));
            assert_eq!(grants.emit.iter().next().unwrap().as_str(), "alerts");
        } else {
            assert_eq!(version.role(), Role::Transform);
            assert!(grants.is_empty());
        }
    }
}
