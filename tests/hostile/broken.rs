//! Every kind of plugin that cannot be one, all at once: each is refused in words of its own, and
//! what else there is goes on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use wasm::Limits;

use crate::ground::Ground;
use crate::guest::Guest;

/// One broken plugin: what it is called, its component, its manifest if it lies in a folder, and
/// the words that tell its author what is wrong.
struct Broken {
    name: &'static str,
    component: Vec<u8>,
    manifest: Option<String>,
    told: &'static str,
}

impl Broken {
    fn bare(name: &'static str, component: Vec<u8>, told: &'static str) -> Self {
        Self {
            name,
            component,
            manifest: None,
            told,
        }
    }

    /// A good component with a manifest that says this.
    fn manifest(name: &'static str, text: &str, told: &'static str) -> Self {
        Self {
            name,
            component: Guest::default().component(),
            manifest: Some(text.to_owned()),
            told,
        }
    }

    fn put(&self, directory: &Path) {
        let file = format!("{}.wasm", self.name);
        match &self.manifest {
            None => fs::write(directory.join(file), &self.component).unwrap(),
            Some(text) => {
                let folder = directory.join(self.name);
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("plugin.toml"), text).unwrap();
                fs::write(folder.join(file), &self.component).unwrap();
            }
        }
    }
}

fn with_init(init: &str) -> Vec<u8> {
    Guest {
        init: init.to_owned(),
        ..Guest::default()
    }
    .component()
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn components() -> Vec<Broken> {
    let whole = Guest::default().component();
    let half = whole[..whole.len() / 2].to_vec();
    let of_next_host = Guest {
        wit_version: "0.2.0",
        ..Guest::default()
    };
    let greedy = Guest {
        imports: r#"(import "acme:vault/secrets@1.0.0" "open" (func $open (result i32)))"#
            .to_owned(),
        ..Guest::default()
    };
    let waits = text("(component (core func (canon waitable-set.new)))");
    vec![
        Broken::bare(
            "core-module",
            text("(module (memory 1))"),
            "core module, not a component",
        ),
        Broken::bare(
            "no-wasm",
            b"#!/bin/sh\n".to_vec(),
            "what `millrace plugin build` makes",
        ),
        Broken::bare("empty", Vec::new(), "its build wrote nothing"),
        Broken::bare("compressed", b"\x1f\x8b\x08".to_vec(), "compressed by gzip"),
        Broken::bare("archive", b"PK\x03\x04".to_vec(), "it is an archive"),
        Broken::bare("words", b"(component)".to_vec(), "`wasm-tools parse` makes"),
        Broken::bare("cut-off", half, "the file is cut off"),
        Broken::bare("two-roles", two_roles(), "a plugin is for one of them"),
        Broken::bare(
            "exports-next",
            exports_next(),
            "the host has version 0.1.x: build it for",
        ),
        Broken::bare(
            "preview-1",
            text(
                r#"(module (import "wasi_snapshot_preview1" "fd_write"
                  (func (param i32 i32 i32 i32) (result i32))))"#,
            ),
            "(`wasm-tools component new --adapt`)",
        ),
        Broken::bare(
            "of-no-world",
            text("(component (core module))"),
            "of no world of",
        ),
        Broken::bare(
            "of-next-host",
            of_next_host.component(),
            "the host has version 0.1.x",
        ),
        Broken::bare(
            "greedy",
            greedy.component(),
            "it imports acme:vault/secrets@1.0.0",
        ),
        Broken::bare("waiting", waits, "async functions of the component model"),
        Broken::bare("trapping", with_init("(unreachable)"), "unreachable"),
        Broken::bare(
            "looping",
            with_init("(loop $for_ever (br $for_ever))"),
            "it took longer than 50 ms",
        ),
    ]
}

/// A component that exports these interfaces, whose functions nobody gets to look at.
fn exporting(interfaces: &[&str]) -> Vec<u8> {
    let exports: Vec<String> = interfaces
        .iter()
        .map(|name| {
            format!(
                "(instance $i{0} (export \"f\" (func $f))) (export \"{name}\" (instance $i{0}))",
                name.len()
            )
        })
        .collect();
    text(&format!(
        r#"(component
          (core module $m (func (export "f")))
          (core instance $i (instantiate $m))
          (func $f (canon lift (core func $i "f")))
          {})"#,
        exports.concat()
    ))
}

fn two_roles() -> Vec<u8> {
    exporting(&[
        "millrace:plugin/transform@0.1.0",
        "millrace:plugin/record-processor@0.1.0",
    ])
}

fn exports_next() -> Vec<u8> {
    exporting(&["millrace:plugin/transform@0.2.0"])
}

fn manifests() -> Vec<Broken> {
    let named = |name: &str, more: &str| format!("name = '{name}'\nversion = '1'\n{more}");
    vec![
        Broken::manifest(
            "another-name",
            &named("victim", ""),
            "name is 'victim' and its folder is 'another-name'",
        ),
        Broken::manifest(
            "no-version",
            "name = 'no-version'\n",
            "missing field `version`",
        ),
        Broken::manifest("no-toml", "name =\n", "plugin.toml line 1"),
        Broken::manifest("nothing", "", "missing field `name`"),
        Broken::manifest(
            "misspelled",
            "nmae = 'misspelled'\nversion = '1'\n",
            "unknown field `nmae`, expected one of `name`, `version`",
        ),
        Broken::manifest(
            "no-text",
            "name = 'no-text'\nversion = 1\n",
            "line 2: invalid type: integer `1`, expected a string",
        ),
        Broken::manifest(
            "said-twice",
            &named("said-twice", "version = '2'\n"),
            "line 3: duplicate key",
        ),
        Broken::manifest(
            "not-a-consumer",
            &named("not-a-consumer", "[grants]\ntables = ['seen']\n"),
            "tables in [grants] is for consumers, and the component is a transform",
        ),
        Broken::manifest(
            "no-share",
            &named("no-share", "[rollout]\nshadow_records = -1\n"),
            "line 4: invalid value: integer `-1`",
        ),
        Broken::manifest(
            "unknown-key",
            &named("unknown-key", "fuel = 1\n"),
            "plugin.toml line 3: unknown field `fuel`",
        ),
        Broken::manifest(
            "too-much",
            &named("too-much", "[limits]\nmemory_mib = 65\n"),
            "limits.memory_mib is 65, not 1 to 64, which the operator allows",
        ),
        Broken::manifest(
            "whole-canary",
            &named("whole-canary", "[rollout]\ncanary_percent = 100\n"),
            "rollout.canary_percent is 100, not 1 to 99",
        ),
    ]
}

/// What no single file shows: names, and what their authors are told.
const FOLDERS: [(&str, &str); 7] = [
    (
        "no-manifest",
        "plugin.toml is not there: a component in a folder has one",
    ),
    (
        "called-otherwise",
        "called-otherwise.wasm is not there, and called_otherwise.wasm is",
    ),
    ("folder-manifest", "plugin.toml is not a regular file"),
    (
        "folder-component",
        "folder-component.wasm is not a regular file",
    ),
    (
        "large-signature",
        "plugin.sig: has 300 bytes, more than 256",
    ),
    (
        "not-built",
        "not-built.wasm is not there: it is not built yet",
    ),
    ("twice", "there is twice.wasm and twice/twice.wasm"),
];

fn put_folders(root: &Path) {
    let good = Guest::default().component();
    fs::create_dir(root.join("no-manifest")).unwrap();
    fs::write(root.join("no-manifest/no-manifest.wasm"), &good).unwrap();
    fs::create_dir(root.join("not-built")).unwrap();
    let manifest = "name = 'not-built'\nversion = '1'\n";
    fs::write(root.join("not-built/plugin.toml"), manifest).unwrap();
    let put = |folder: &str, file: &str, content: &[u8]| {
        fs::create_dir_all(root.join(folder)).unwrap();
        fs::write(root.join(folder).join(file), content).unwrap();
    };
    put(
        "called-otherwise",
        "plugin.toml",
        b"name = 'called-otherwise'\nversion = '1'\n",
    );
    put("called-otherwise", "called_otherwise.wasm", &good);
    fs::create_dir_all(root.join("folder-manifest/plugin.toml")).unwrap();
    put("folder-manifest", "folder-manifest.wasm", &good);
    fs::create_dir_all(root.join("folder-component/folder-component.wasm")).unwrap();
    put(
        "folder-component",
        "plugin.toml",
        b"name = 'folder-component'\nversion = '1'\n",
    );
    put(
        "large-signature",
        "plugin.toml",
        b"name = 'large-signature'\nversion = '1'\n",
    );
    put("large-signature", "large-signature.wasm", &good);
    put("large-signature", "plugin.sig", &[b'a'; 300]);
    symlink("nowhere", root.join("dangling.wasm")).unwrap();
    fs::create_dir(root.join("twice")).unwrap();
    for file in ["twice.wasm", "twice/twice.wasm"] {
        fs::write(root.join(file), &good).unwrap();
    }
}

#[tokio::test]
async fn each_kind_of_broken_plugin_is_told_what_is_wrong_and_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let all: Vec<Broken> = components().into_iter().chain(manifests()).collect();
    all.iter().for_each(|broken| broken.put(root));
    put_folders(root);
    let limits = Limits {
        batch_time_max: Duration::from_millis(50),
        ..Limits::default()
    };
    let ground = Ground::start_within(directory, limits).await;
    let cases = all
        .iter()
        .map(|broken| (broken.name, broken.told))
        .chain(FOLDERS);
    let mut texts = BTreeSet::new();
    for (name, told) in cases.clone() {
        let page = ground.plugin(name).await;
        assert_eq!(page["state"], "refused", "{page}");
        let why = page["refused"].as_str().unwrap();
        assert!(why.contains(told), "{name}: {why}");
        texts.insert(why.to_owned());
    }
    assert_eq!(texts.len(), cases.count(), "each has words of its own");
    let list = ground.client.read_page("plugins").await;
    let nowhere = json!([{
        "file": "dangling.wasm",
        "why": "it is a link to a file that is not there",
    }]);
    assert_eq!(list["ignored"], nowhere);
    ground.victim_works().await;
}
